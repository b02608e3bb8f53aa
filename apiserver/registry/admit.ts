/** Calls admission for a write. */
import { type AdmissionAttributes, mutate, type Operation, validate } from "../admission/types.ts";
import type { UserInfo } from "../authn/types.ts";
import type { KubeObject } from "../scheme/object.ts";
import { apiVersionOf, type ResourceInfo } from "../scheme/resources.ts";
import type { Services } from "./context.ts";

export interface Admitted {
	readonly operation: Operation;
	readonly resource: ResourceInfo;
	readonly subresource: string;
	readonly namespace: string;
	readonly name: string;
	readonly object?: KubeObject | undefined;
	readonly oldObject?: KubeObject | undefined;
	readonly user: UserInfo;
	readonly dryRun: boolean;
	/** Sent to the client. */
	readonly warnings: string[];
}

function attributesOf(subject: Admitted): AdmissionAttributes {
	const { resource, object, warnings } = subject;
	const own = object !== undefined && object.apiVersion !== apiVersionOf(resource) && object.kind !== "";
	const [group = "", version = ""] = own
		? object.apiVersion.includes("/")
			? object.apiVersion.split("/")
			: ["", object.apiVersion]
		: [resource.group, resource.version];
	return {
		...subject,
		kind: { group, version, kind: object?.kind ?? resource.kind },
		resource: { group: resource.group, resource: resource.resource },
		warn: (text) => void warnings.push(text),
	};
}

export const admitMutating = (services: Services, subject: Admitted): Promise<void> =>
	mutate(services.admission.plugins, attributesOf(subject), services.admission.lookups);

export const admitValidating = (services: Services, subject: Admitted): Promise<void> =>
	validate(services.admission.plugins, attributesOf(subject), services.admission.lookups);
