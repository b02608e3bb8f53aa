/** JSON patch (RFC 6902) with the limits and leniencies of upstream's library. */
import { ApiError, badRequest } from "../errors.ts";
import { deepClone, deepEqual, setOwn } from "../meta.ts";
import { cannotUnmarshal, isObject, type JsonObject, requireShallow, unprocessable } from "./common.ts";

/** More operations are refused with 413. */
export const maxOperations = 10_000;
/** What all copy operations of one patch may duplicate, in bytes of JSON. */
const maxCopiedBytes = 3 * 1024 * 1024;

type Container = JsonObject | unknown[];

const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;

/** An operation that cannot be done; the client sees the general 422. */
class PatchFailure extends Error {}

function pointer(path: unknown): string[] {
	if (typeof path !== "string") throw new PatchFailure("path is not a string");
	if (path === "") return [];
	if (!path.startsWith("/")) throw new PatchFailure("path does not start with /");
	return path
		.slice(1)
		.split("/")
		.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** An index below `length`; negative ones count from the end, as upstream allows. */
function arrayIndex(token: string, length: number): number {
	if (!/^[+-]?[0-9]{1,9}$/.test(token)) throw new PatchFailure("not an index");
	const index = Number(token);
	const fromStart = index < 0 ? index + length : index;
	if (fromStart < 0 || fromStart >= length) throw new PatchFailure("index out of bounds");
	return fromStart;
}

function child(container: Container, token: string): unknown {
	if (Array.isArray(container)) return container[arrayIndex(token, container.length)];
	if (!Object.hasOwn(container, token)) throw new PatchFailure("missing key");
	return container[token];
}

class Document {
	root: unknown;
	#copiedBytes = 0;

	constructor(root: unknown) {
		this.root = root;
	}

	#parent(tokens: readonly string[]): Container {
		let at: unknown = this.root;
		for (const token of tokens.slice(0, -1)) {
			if (!isContainer(at)) throw new PatchFailure("path leads through a scalar");
			at = child(at, token);
		}
		if (!isContainer(at)) throw new PatchFailure("path leads through a scalar");
		return at;
	}

	get(tokens: readonly string[]): unknown {
		return tokens.length === 0 ? this.root : child(this.#parent(tokens), tokens.at(-1) ?? "");
	}

	add(tokens: readonly string[], value: unknown): void {
		if (tokens.length === 0) {
			this.root = value;
			return;
		}
		const parent = this.#parent(tokens);
		const last = tokens.at(-1) ?? "";
		if (!Array.isArray(parent)) setOwn(parent, last, value);
		else if (last === "-") parent.push(value);
		else parent.splice(arrayIndex(last, parent.length + 1), 0, value);
	}

	remove(tokens: readonly string[]): unknown {
		if (tokens.length === 0) throw new PatchFailure("the whole document cannot be removed");
		const parent = this.#parent(tokens);
		const last = tokens.at(-1) ?? "";
		const value = child(parent, last);
		if (Array.isArray(parent)) parent.splice(arrayIndex(last, parent.length), 1);
		else delete parent[last];
		return value;
	}

	replace(tokens: readonly string[], value: unknown): void {
		if (tokens.length === 0) {
			this.root = value;
			return;
		}
		const parent = this.#parent(tokens);
		const last = tokens.at(-1) ?? "";
		child(parent, last);
		if (Array.isArray(parent)) parent[arrayIndex(last, parent.length)] = value;
		else setOwn(parent, last, value);
	}

	test(tokens: readonly string[], expected: unknown): void {
		let actual: unknown = null;
		try {
			actual = this.get(tokens);
		} catch (error) {
			// An absent value passes for null.
			if (!(error instanceof PatchFailure) || expected !== null) throw error;
		}
		if (!deepEqual(actual, expected)) throw new PatchFailure("test failed");
	}

	move(from: readonly string[], to: readonly string[]): void {
		const intoItself = to.length > from.length && from.every((token, i) => token === to[i]);
		if (intoItself) throw new PatchFailure("a value cannot be moved into itself");
		this.add(to, this.remove(from));
	}

	copy(from: readonly string[], to: readonly string[]): void {
		const value = this.get(from);
		// Measured before it is duplicated: copies of copies grow exponentially.
		requireShallow(value);
		this.#copiedBytes += Buffer.byteLength(JSON.stringify(value) ?? "");
		if (this.#copiedBytes > maxCopiedBytes) throw new PatchFailure("copies are too large");
		this.add(to, deepClone(value));
	}
}

function apply(document: Document, operation: JsonObject): void {
	const path = pointer(operation["path"]);
	const value = operation["value"] === undefined ? null : operation["value"];
	switch (operation["op"]) {
		case "add":
			document.add(path, deepClone(value));
			break;
		case "remove":
			document.remove(path);
			break;
		case "replace":
			document.replace(path, deepClone(value));
			break;
		case "test":
			document.test(path, value);
			break;
		case "move":
			document.move(pointer(operation["from"]), path);
			break;
		case "copy":
			document.copy(pointer(operation["from"]), path);
			break;
		default:
			throw new PatchFailure("unknown operation");
	}
}

function requireOperations(patch: unknown): JsonObject[] {
	if (!Array.isArray(patch)) throw badRequest(cannotUnmarshal(patch, "jsonpatch.Patch"));
	if (patch.length > maxOperations) {
		const text = `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`;
		throw new ApiError(413, "RequestEntityTooLarge", `Request entity too large: ${text}`);
	}
	for (const operation of patch) {
		if (!isObject(operation)) throw badRequest(cannotUnmarshal(operation, "jsonpatch.Operation"));
	}
	return patch;
}

/** `document` with all operations done in order, or ApiError: 400 for no patch at all, 413 for too many operations, 422 where one fails. */
export function jsonPatch(document: JsonObject, patch: unknown): JsonObject {
	const operations = requireOperations(patch);
	requireShallow(patch);
	const result = new Document(deepClone(document));
	try {
		for (const operation of operations) apply(result, operation);
	} catch (error) {
		if (error instanceof PatchFailure) throw unprocessable();
		throw error;
	}
	if (!isObject(result.root)) throw unprocessable();
	requireShallow(result.root);
	return result.root;
}
