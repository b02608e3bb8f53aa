/** The patches an API server applies, by media type. */
export { jsonPatch, maxOperations } from "./json.ts";
export { mergePatch } from "./merge.ts";
export { strategicMergePatch } from "./strategic.ts";
