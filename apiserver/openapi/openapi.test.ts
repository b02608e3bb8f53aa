import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { openapiResponse } from "./openapi.ts";

interface Operation {
	readonly operationId: string;
	readonly tags: readonly string[];
	readonly "x-kubernetes-action": string;
}

const methods = ["get", "put", "post", "delete", "patch"] as const;

describe("openapi", () => {
	it("names operations as kube-apiserver 1.36.1 does (fixtures/operations.json)", () => {
		const recorded = JSON.parse(readFileSync(new URL("fixtures/operations.json", import.meta.url), "utf8"));
		const body = openapiResponse("/openapi/v2")?.body.toString() ?? "{}";
		const { paths } = JSON.parse(body) as { paths: Record<string, Partial<Record<string, Operation>>> };
		const named = Object.fromEntries(
			Object.entries(paths).map(([path, item]) => [
				path,
				Object.fromEntries(
					methods.flatMap((method) => {
						const operation = item[method];
						if (operation === undefined) return [];
						return [[method, [operation.operationId, operation["x-kubernetes-action"], operation.tags].join(" ")]];
					}),
				),
			]),
		);
		for (const [path, operations] of Object.entries(recorded)) assert.deepEqual(named[path], operations, path);
		const ids = Object.values(named).flatMap((operations) => Object.values(operations));
		assert.equal(new Set(ids).size, ids.length);
	});
});
