/** How upstream words a patch that does not fit: JSON and merge patches by the JSON codec, strategic ones by Go's maps. */

export interface PatchSource {
	/** What the error shows as the invalid value, given what the patch made of the object. */
	shown(result: object): string;
	/** The text for a value of a wrong type, given the JSON codec's. */
	typeError(text: string): string;
}

/** A JSON value as Go's %+v prints it. */
function goValue(value: unknown): string {
	if (value === null || value === undefined) return "<nil>";
	if (Array.isArray(value)) return `[${value.map(goValue).join(" ")}]`;
	if (typeof value !== "object") return String(value);
	const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
	return `map[${fields.map(([key, item]) => `${key}:${goValue(item)}`).join(" ")}]`;
}

const goKinds: Readonly<Record<string, string>> = { array: "slice", object: "map", number: "int64" };

/** The unstructured converter's words in place of the JSON codec's. */
function converterError(text: string): string {
	const match = /^json: cannot unmarshal (\w+) into Go (?:struct field \S+|value) of type (.+)$/.exec(text);
	if (match === null) return text;
	const [, json = "", type = ""] = match;
	const kind = goKinds[json] ?? json;
	if (type.startsWith("map[")) return `cannot restore map from ${kind}`;
	if (type.startsWith("[]")) return `cannot restore slice from ${kind}`;
	return type.includes(".") ? `cannot restore struct from: ${kind}` : `unrecognized type: ${type}`;
}

export function patchSource(type: string, patch: unknown): PatchSource {
	if (type !== "application/strategic-merge-patch+json") {
		return { shown: (result) => JSON.stringify(result), typeError: (text) => text };
	}
	return { shown: () => goValue(patch), typeError: converterError };
}
