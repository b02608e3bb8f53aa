/** TokenRequest: a signed token for a service account. */
import { fieldInvalid, internalError, invalid, notFound } from "../../machinery/errors.ts";
import type { ServiceAccount, TokenRequest } from "../../scheme/types.gen.ts";
import { admitMutating, admitValidating } from "../admit.ts";
import { settleNamespace } from "../before.ts";
import type { Scope } from "../context.ts";
import { decodeBody } from "../decode.ts";
import { readConsistent } from "../read.ts";
import { sendShown } from "../respond.ts";
import { decodeView } from "../views.ts";
import { readWriteOptions } from "../write-options.ts";

export async function createToken(scope: Scope): Promise<void> {
	const { services, resource, namespace, name, user } = scope;
	const { tokenIssuer } = services;
	if (tokenIssuer === undefined) throw internalError("no service account signing key is configured");
	const { dryRun, fieldValidation } = readWriteOptions(scope.request.query, "CreateOptions");
	const object = await decodeBody(
		scope,
		{ group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
		fieldValidation,
	);
	settleNamespace(resource, object, namespace);
	const entry = await readConsistent(services, resource, namespace, name);
	if (entry === undefined) throw notFound(resource, name);
	const account = decodeView(resource, entry.bytes, entry.revision) as unknown as ServiceAccount;
	const named = object.metadata.name ?? "";
	if (named !== "" && named !== name) {
		throw invalid("authentication.k8s.io", "TokenRequest", name, [
			fieldInvalid("metadata.name", named, "must match the service account name if specified"),
		]);
	}
	const subject = {
		operation: "CREATE" as const,
		resource,
		subresource: "token",
		namespace,
		name,
		object,
		user,
		dryRun,
		warnings: scope.warnings,
	};
	await admitMutating(services, subject);
	await admitValidating(services, subject);
	sendShown(scope, 201, await tokenIssuer.request(object as unknown as TokenRequest, account));
}
