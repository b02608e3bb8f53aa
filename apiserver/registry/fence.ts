/**
 * Writes of a leader that count only while its Lease is its own. A leader that stood still, or whose request waited
 * somewhere on the way, may write long after another leads; Kubernetes lets it. Our agents name their Lease and themselves
 * in a header, and the write is one transaction with a comparison of that Lease: it takes effect while they hold it, or
 * never (the fencing token of Kleppmann, "How to do distributed locking", 2016). Other clients may do the same.
 */

import type { UserInfo } from "../authn/types.ts";
import { requireAllowed } from "../authz/types.ts";
import { type ApiRequest, header } from "../http/types.ts";
import { badRequest, conflict } from "../machinery/errors.ts";
import { fenceHeader, parseFence } from "../machinery/fence.ts";
import { decodeStored } from "../scheme/codec/stored.ts";
import { findResource } from "../scheme/resources.ts";
import type { Lease } from "../scheme/types.gen.ts";
import type { Services } from "./context.ts";
import { objectKey } from "./keys.ts";

const group = "coordination.k8s.io";

/** The services with which the request is carried out. Throws ApiError 400, or 403 where the user may not read the Lease. */
export function servicesFor(services: Services, request: ApiRequest, user: UserInfo): Services {
	const value = header(request, fenceHeader);
	if (value === undefined) return services;
	const fence = parseFence(value);
	if (fence === undefined) {
		throw badRequest(`${fenceHeader}: ${JSON.stringify(value.slice(0, 200))} is not NAMESPACE/NAME HOLDER`);
	}
	const { namespace, name, holder } = fence;
	const resource = findResource(group, "v1", "leases")!;
	requireAllowed(services.authorizer, {
		user,
		verb: "get",
		namespace,
		apiGroup: group,
		apiVersion: "v1",
		resource: "leases",
		subresource: "",
		name,
		path: "",
		resourceRequest: true,
	});
	const storage = services.storage.fenced({
		key: objectKey(services.root, resource, namespace, name),
		holds: ({ bytes, revision }) => (decodeStored(bytes, revision) as Lease).spec?.holderIdentity === holder,
		refusal: () => conflict({ group, resource: "leases" }, name, "another holds the lease, so nothing was written"),
	});
	return { ...services, storage };
}
