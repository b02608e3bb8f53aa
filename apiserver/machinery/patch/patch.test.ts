import assert from "node:assert/strict";
import { findMessage } from "../../scheme/schema.ts";
import { ApiError } from "../errors.ts";
import { deepClone } from "../meta.ts";
import { jsonPatch, maxOperations, mergePatch, strategicMergePatch } from "./index.ts";

type Json = Record<string, unknown>;

const refusal = (code: number, message?: string | RegExp) => (error: unknown) => {
	assert.ok(error instanceof ApiError, String(error));
	assert.equal(error.code, code, error.message);
	if (typeof message === "string") assert.equal(error.message, message);
	else if (message !== undefined) assert.match(error.message, message);
	return true;
};
const general = "the server rejected our request due to an error in our request";

describe("JSON patch", () => {
	const cases: [string, Json, unknown[], Json][] = [
		["adds a member", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
		["replaces by add", { a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
		["inserts into a list", { a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
		["appends with -", { a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
		["counts from the end", { a: [1, 2] }, [{ op: "remove", path: "/a/-1" }], { a: [1] }],
		[
			"removes",
			{ a: 1, b: [1, 2] },
			[
				{ op: "remove", path: "/a" },
				{ op: "remove", path: "/b/0" },
			],
			{ b: [2] },
		],
		["replaces", { a: { b: 1 } }, [{ op: "replace", path: "/a/b", value: null }], { a: { b: null } }],
		["moves", { a: { b: 1 }, c: [] }, [{ op: "move", from: "/a/b", path: "/c/0" }], { a: {}, c: [1] }],
		["copies", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
		["tests", { a: { b: [1] } }, [{ op: "test", path: "/a", value: { b: [1] } }], { a: { b: [1] } }],
		["tests absence as null", {}, [{ op: "test", path: "/a", value: null }], {}],
		["unescapes", { "a/b": { "c~d": 1 } }, [{ op: "remove", path: "/a~1b/c~0d" }], { "a/b": {} }],
		["replaces the document", { a: 1 }, [{ op: "replace", path: "", value: { b: 1 } }], { b: 1 }],
	];
	for (const [title, document, patch, expected] of cases) {
		it(title, () => {
			const before = deepClone(document);
			assert.deepEqual(jsonPatch(document, patch), expected);
			assert.deepEqual(document, before);
		});
	}

	const refused: [string, unknown][] = [
		["a failed test", [{ op: "test", path: "/a", value: 2 }]],
		["removing what is not there", [{ op: "remove", path: "/x" }]],
		["replacing what is not there", [{ op: "replace", path: "/x", value: 1 }]],
		["a missing parent", [{ op: "add", path: "/x/y", value: 1 }]],
		["an index out of bounds", [{ op: "add", path: "/l/5", value: 1 }]],
		["a bad index", [{ op: "remove", path: "/l/x" }]],
		["a path without slash", [{ op: "remove", path: "a" }]],
		["no path", [{ op: "remove" }]],
		["an unknown operation", [{ op: "frob", path: "/a" }]],
		["a walk through a scalar", [{ op: "add", path: "/a/b", value: 1 }]],
		["the prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }]],
		["moving into itself", [{ op: "move", from: "/l", path: "/l/0" }]],
		["removing the document", [{ op: "remove", path: "" }]],
		["a scalar document", [{ op: "replace", path: "", value: 1 }]],
	];
	for (const [title, patch] of refused) {
		it(`refuses ${title}`, () =>
			assert.throws(
				() => jsonPatch({ a: 1, l: [1] }, patch),
				(error: unknown) => {
					refusal(422, general)(error);
					assert.deepEqual((error as ApiError).toStatus().details, {});
					return true;
				},
			));
	}

	it("refuses what is no patch", () => {
		assert.throws(
			() => jsonPatch({}, { op: "add" }),
			refusal(400, "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
		);
		assert.throws(() => jsonPatch({}, ["x"]), refusal(400, /cannot unmarshal string/));
		const many = Array.from({ length: maxOperations + 1 }, () => ({ op: "test", path: "/a", value: null }));
		assert.throws(
			() => jsonPatch({}, many),
			refusal(413, "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"),
		);
	});

	it("bounds what copies may multiply", () => {
		const ops = Array.from({ length: 40 }, (_, i) => ({ op: "copy", from: "", path: `/c${i}` }));
		assert.throws(() => jsonPatch({ a: "x".repeat(100) }, ops), refusal(422));
	});
});

describe("merge patch", () => {
	// The examples of RFC 7386, Appendix A, whose documents are objects.
	const cases: [Json, Json, Json][] = [
		[{ a: "b" }, { a: "c" }, { a: "c" }],
		[{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
		[{ a: "b" }, { a: null }, {}],
		[{ a: "b", b: "c" }, { a: null }, { b: "c" }],
		[{ a: ["b"] }, { a: "c" }, { a: "c" }],
		[{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
		[{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
		[{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
		[{ e: null }, { a: 1 }, { e: null, a: 1 }],
		[{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
	];
	for (const [document, patch, expected] of cases) {
		it(`${JSON.stringify(document)} + ${JSON.stringify(patch)}`, () => {
			const before = deepClone(document);
			assert.deepEqual(mergePatch(document, patch), expected);
			assert.deepEqual(document, before);
		});
	}
	it("refuses what is no object, and what nests too deep", () => {
		assert.throws(() => mergePatch({}, []), refusal(400, /^error decoding patch: json: cannot unmarshal array/));
		let deep: unknown = {};
		for (let i = 0; i < 5000; i++) deep = { a: deep };
		assert.throws(() => mergePatch({}, deep), refusal(400, /nests deeper/));
	});
	it("does not reach the prototype", () => {
		const result = mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}'));
		assert.equal(({} as Json)["polluted"], undefined);
		assert.equal(Object.hasOwn(result, "__proto__"), true);
	});
});

describe("strategic merge patch", () => {
	const message = (name: string) => {
		const found = findMessage(name);
		assert.ok(found, name);
		return found;
	};
	const podSpec = message("core_v1.PodSpec");
	const meta = message("meta_v1.ObjectMeta");
	const deployment = message("apps_v1.DeploymentSpec");
	const container = message("core_v1.Container");

	const cases: [string, ReturnType<typeof message>, Json, Json, Json][] = [
		[
			"merges maps",
			meta,
			{ labels: { a: "1", b: "2" } },
			{ labels: { b: "3", c: "4" } },
			{ labels: { a: "1", b: "3", c: "4" } },
		],
		["deletes by null", meta, { labels: { a: "1", b: "2" } }, { labels: { a: null } }, { labels: { b: "2" } }],
		["ignores null for what is not there", meta, {}, { labels: { a: null }, name: null }, { labels: {} }],
		[
			"merges lists by key and keeps the others after",
			podSpec,
			{
				containers: [
					{ name: "a", image: "1" },
					{ name: "b", image: "1" },
				],
			},
			{ containers: [{ name: "b", image: "2" }] },
			{
				containers: [
					{ name: "a", image: "1" },
					{ name: "b", image: "2" },
				],
			},
		],
		[
			"appends new elements",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: [{ name: "c", env: [{ name: "X", value: null }] }] },
			{ containers: [{ name: "c", env: [{ name: "X" }] }, { name: "a" }] },
		],
		[
			"deletes elements",
			podSpec,
			{ containers: [{ name: "a" }, { name: "b" }] },
			{ containers: [{ name: "a", $patch: "delete" }] },
			{ containers: [{ name: "b" }] },
		],
		[
			"deletes elements of a list that is not there",
			podSpec,
			{},
			{ volumes: [{ name: "a", $patch: "delete" }] },
			{ volumes: [] },
		],
		[
			"replaces a list",
			podSpec,
			{ containers: [{ name: "a", image: "1" }, { name: "b" }] },
			{ containers: [{ name: "a" }, { $patch: "replace" }] },
			{ containers: [{ name: "a" }] },
		],
		[
			"empties a list",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: [{ $patch: "replace" }] },
			{ containers: [] },
		],
		["replaces a map", meta, { labels: { a: "1" } }, { labels: { $patch: "replace", b: "2" } }, { labels: { b: "2" } }],
		["empties a map", meta, { labels: { a: "1" } }, { labels: { $patch: "delete" } }, { labels: {} }],
		["replaces atomic lists", container, { args: ["a", "b"] }, { args: ["c"] }, { args: ["c"] }],
		[
			"replaces lists of maps without a key",
			podSpec,
			{ tolerations: [{ key: "a" }] },
			{ tolerations: [{ key: "b" }] },
			{ tolerations: [{ key: "b" }] },
		],
		[
			"merges primitive lists",
			meta,
			{ finalizers: ["a", "b"] },
			{ finalizers: ["b", "c"] },
			{ finalizers: ["a", "b", "c"] },
		],
		[
			"deletes from primitive lists",
			meta,
			{ finalizers: ["a", "b", "c"] },
			{ "$deleteFromPrimitiveList/finalizers": ["b", "x"] },
			{ finalizers: ["a", "c"] },
		],
		[
			"deletes from and adds to a primitive list in order",
			meta,
			{ finalizers: ["a", "b"] },
			{
				"$deleteFromPrimitiveList/finalizers": ["a"],
				"$setElementOrder/finalizers": ["c", "b"],
				finalizers: ["c"],
			},
			{ finalizers: ["c", "b"] },
		],
		[
			"orders elements",
			podSpec,
			{ containers: [{ name: "a" }, { name: "b" }, { name: "c" }] },
			{ "$setElementOrder/containers": [{ name: "c" }, { name: "a" }] },
			{ containers: [{ name: "b" }, { name: "c" }, { name: "a" }] },
		],
		[
			"orders, merges and keeps the server's own elements in their places",
			podSpec,
			{ containers: [{ name: "a" }, { name: "sidecar" }, { name: "b", image: "1" }] },
			{
				"$setElementOrder/containers": [{ name: "a" }, { name: "b" }, { name: "new" }],
				containers: [{ name: "b", image: "2" }, { name: "new" }],
			},
			{ containers: [{ name: "a" }, { name: "sidecar" }, { name: "b", image: "2" }, { name: "new" }] },
		],
		[
			"orders a list that is not there",
			podSpec,
			{},
			{ "$setElementOrder/volumes": [{ name: "b" }, { name: "a" }], volumes: [{ name: "b" }, { name: "a" }] },
			{ volumes: [{ name: "b" }, { name: "a" }] },
		],
		["ignores an order without any list", podSpec, {}, { "$setElementOrder/volumes": [{ name: "b" }] }, {}],
		[
			"retains only the named keys",
			deployment,
			{ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } },
			{ strategy: { $retainKeys: ["type"], type: "Recreate" } },
			{ strategy: { type: "Recreate" } },
		],
		[
			"drops directives where nothing is to be merged with",
			deployment,
			{},
			{ strategy: { $retainKeys: ["type"], type: "Recreate", rollingUpdate: null } },
			{ strategy: { type: "Recreate" } },
		],
		[
			"retains keys of a volume when its source changes",
			podSpec,
			{ volumes: [{ name: "v", emptyDir: {} }] },
			{ volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
			{ volumes: [{ name: "v", hostPath: { path: "/x" } }] },
		],
		[
			"goes down through templates",
			deployment,
			{ template: { spec: { containers: [{ name: "a", image: "1", ports: [{ containerPort: 80 }] }] } } },
			{
				template: {
					spec: { containers: [{ name: "a", ports: [{ containerPort: 80, name: "web" }, { containerPort: 81 }] }] },
				},
			},
			{
				template: {
					spec: {
						containers: [{ name: "a", image: "1", ports: [{ containerPort: 80, name: "web" }, { containerPort: 81 }] }],
					},
				},
			},
		],
		[
			"merges maps of quantities",
			container,
			{ resources: { limits: { cpu: "1", memory: "1Gi" } } },
			{ resources: { limits: { cpu: "2" }, requests: { cpu: "1" } } },
			{ resources: { limits: { cpu: "2", memory: "1Gi" }, requests: { cpu: "1" } } },
		],
		["takes another type as it is", meta, { labels: ["x"] }, { labels: { a: "1" } }, { labels: { a: "1" } }],
		[
			"merges owner references by uid",
			meta,
			{ ownerReferences: [{ uid: "1", name: "a" }] },
			{
				ownerReferences: [
					{ uid: "1", $patch: "delete" },
					{ uid: "2", name: "b" },
				],
			},
			{ ownerReferences: [{ uid: "2", name: "b" }] },
		],
	];
	for (const [title, of, document, patch, expected] of cases) {
		it(title, () => {
			const before = [deepClone(document), deepClone(patch)];
			assert.deepEqual(strategicMergePatch(document, patch, of, findMessage), expected);
			assert.deepEqual([document, patch], before);
		});
	}

	const refused: [string, ReturnType<typeof message>, Json, unknown, number, string | RegExp][] = [
		["a list", meta, {}, [], 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"],
		[
			"an unknown directive in a map",
			meta,
			{ labels: {} },
			{ labels: { $patch: "frob" } },
			500,
			"unknown patch type: frob in map: map[$patch:frob]",
		],
		[
			"an unknown directive in a list",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: [{ name: "a", $patch: "x" }] },
			500,
			"unknown patch type: x in map: map[$patch:x name:a]",
		],
		[
			"merging by directive in a list",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: [{ name: "a", $patch: "merge" }] },
			500,
			"merging lists cannot yet be specified in the patch",
		],
		[
			"an element without its key",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: [{ image: "x" }] },
			500,
			"map: map[image:x] does not contain declared merge key: name",
		],
		["a lists of lists", podSpec, { containers: [{ name: "a" }] }, { containers: [["x"]] }, 422, general],
		[
			"mixed elements",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ containers: ["x"] },
			500,
			/^list element types are not identical/,
		],
		[
			"keys outside retainKeys",
			deployment,
			{ strategy: {} },
			{ strategy: { $retainKeys: ["type"], rollingUpdate: {} } },
			400,
			"invalid patch format of retainKeys",
		],
		[
			"retainKeys that is no list",
			deployment,
			{ strategy: {} },
			{ strategy: { $retainKeys: "x" } },
			400,
			"invalid patch format of retainKeys",
		],
		[
			"a deletion without field",
			meta,
			{},
			{ $deleteFromPrimitiveList: ["x"] },
			400,
			"invalid patch format of primitive list",
		],
		[
			"a deletion that is no list",
			meta,
			{ finalizers: [] },
			{ "$deleteFromPrimitiveList/finalizers": "x" },
			400,
			"invalid patch format of primitive list",
		],
		[
			"an order without field",
			meta,
			{},
			{ $setElementOrder: ["x"] },
			400,
			"invalid patch format of setElementOrder list",
		],
		[
			"elements against the order",
			podSpec,
			{ containers: [{ name: "a" }] },
			{ "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "b" }] },
			500,
			/doesn't match \$setElementOrder list/,
		],
		[
			"unknown fields it must look into",
			podSpec,
			{ frob: {} },
			{ frob: {} },
			500,
			'unable to find api field in struct PodSpec for the json field "frob"',
		],
	];
	for (const [title, of, document, patch, code, text] of refused) {
		it(`refuses ${title}`, () =>
			assert.throws(() => strategicMergePatch(document, patch, of, findMessage), refusal(code, text)));
	}

	it("stays fast on long lists", () => {
		const names = Array.from({ length: 20_000 }, (_, i) => `f${i}`);
		const result = strategicMergePatch({ finalizers: names }, { finalizers: [...names].reverse() }, meta, findMessage);
		assert.equal((result["finalizers"] as string[])[0], "f19999");
	});
});
