/** Validation of what is about to be written. */
import { type FieldError, invalid } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import { validateCreate, validateStatusUpdate, validateUpdate } from "../scheme/validation/validation.ts";

function refuse(resource: ResourceInfo, object: KubeObject, errors: readonly FieldError[]): void {
	if (errors.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name ?? "", errors);
}

/** Throws ApiError 422 naming every field that does not hold. */
export const checkCreate = (resource: ResourceInfo, object: KubeObject): void =>
	refuse(resource, object, validateCreate(object));

/** Throws ApiError 422 naming every field that does not hold. */
export function checkUpdate(resource: ResourceInfo, object: KubeObject, old: KubeObject, subresource: string): void {
	// A binding changes what an update of the pod may not; its own checks are done.
	if (subresource === "binding" || subresource === "finalize") return;
	refuse(resource, object, subresource === "status" ? validateStatusUpdate(object, old) : validateUpdate(object, old));
}
