/** Validation of what is about to be written. */
import { type FieldError, invalid } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import { privilegedContainers } from "../scheme/validation/privileged.ts";
import { validateCreate, validateStatusUpdate, validateUpdate } from "../scheme/validation/validation.ts";

/** What this server's options forbid beyond what makes an object well formed. */
interface Policy {
	readonly allowPrivileged: boolean;
}

function refuse(resource: ResourceInfo, object: KubeObject, errors: readonly FieldError[]): void {
	if (errors.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name ?? "", errors);
}

/** Throws ApiError 422 naming every field that does not hold. */
export function checkCreate({ allowPrivileged }: Policy, resource: ResourceInfo, object: KubeObject): void {
	refuse(resource, object, [...validateCreate(object), ...(allowPrivileged ? [] : privilegedContainers(object))]);
}

/** Throws ApiError 422 naming every field that does not hold. */
export function checkUpdate(
	{ allowPrivileged }: Policy,
	resource: ResourceInfo,
	object: KubeObject,
	old: KubeObject,
	subresource: string,
): void {
	// A binding changes what an update of the pod may not; its own checks are done.
	if (subresource === "binding" || subresource === "finalize") return;
	if (subresource === "status") refuse(resource, object, validateStatusUpdate(object, old));
	else {
		const own = allowPrivileged ? [] : privilegedContainers(object);
		refuse(resource, object, [...validateUpdate(object, old), ...own]);
	}
}
