/** Whether what a server sent is an object at all, before anybody reads it as one. */

export const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): boolean =>
	value === undefined || (isRecord(value) && Object.values(value).every((text) => typeof text === "string"));
const isListOf = (value: unknown, fits: (item: unknown) => boolean): boolean =>
	value === undefined || (Array.isArray(value) && value.every(fits));

/** Why a received value is no object; undefined where it is one. Fields of its kind are checked by their readers. */
export function problemOf(object: unknown): string | undefined {
	if (!isRecord(object)) return "it is no object";
	const { metadata } = object;
	if (!isRecord(metadata)) return "it has no metadata";
	if (typeof metadata["name"] !== "string" || metadata["name"] === "") return "it has no name";
	for (const field of ["namespace", "uid", "resourceVersion", "deletionTimestamp", "creationTimestamp"] as const) {
		const value = metadata[field];
		if (value !== undefined && typeof value !== "string") return `metadata.${field} is no string`;
	}
	for (const field of ["labels", "annotations"] as const) {
		if (!isTexts(metadata[field])) return `metadata.${field} is no map of strings`;
	}
	if (!isListOf(metadata["ownerReferences"], isRecord)) return "metadata.ownerReferences is no list of objects";
	if (!isListOf(metadata["finalizers"], (f) => typeof f === "string"))
		return "metadata.finalizers is no list of strings";
	for (const field of ["spec", "status"] as const) {
		if (object[field] !== undefined && !isRecord(object[field])) return `${field} is no object`;
	}
	return undefined;
}
