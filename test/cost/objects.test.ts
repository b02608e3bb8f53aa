import assert from "node:assert/strict";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { decodeObject } from "../../apiserver/scheme/codec/codec.ts";
import { applyDefaults } from "../../apiserver/scheme/defaults/defaults.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import { cellsOf } from "../../apiserver/scheme/printers/printers.ts";
import { findKind } from "../../apiserver/scheme/resources.ts";
import { validateCreate, validateUpdate } from "../../apiserver/scheme/validation/validation.ts";
import { growth, mostGrowth } from "./measure.ts";
import { type Growing, growingObjects } from "./objects.ts";

const size = 3_000;

/** Metadata and pod templates are the same code in every kind that has them: one kind of each is enough. */
function isRepeated(name: string): boolean {
	if (/^\S+ \S+ metadata\./.test(name)) return !name.startsWith("v1 ConfigMap ");
	return name.includes("emplate.") && !name.startsWith("apps/v1 Deployment ");
}

/** What a write and a `kubectl get` make of a body. */
function handled({ kind }: Growing, body: Buffer): void {
	const resource = findKind(kind.group, kind.version, kind.kind);
	assert.ok(resource !== undefined);
	let object: KubeObject;
	try {
		({ object } = decodeObject(body, "application/json", { fieldValidation: "Warn", defaultKind: kind }));
	} catch (error) {
		if (error instanceof ApiError) return;
		throw error;
	}
	applyDefaults(object);
	validateCreate(object);
	validateUpdate(object, structuredClone(object));
	cellsOf(resource, object, 0);
}

describe("work on an object grows no faster than any of its lists and maps", function () {
	this.timeout(240_000);

	it("for every list and map of every kind", () => {
		const slow: string[] = [];
		let measured = 0;
		for (const one of growingObjects()) {
			if (isRepeated(one.name)) continue;
			measured++;
			const found = growth(
				(count) => Buffer.from(JSON.stringify(one.make(count))),
				(body) => handled(one, body),
				size,
			);
			if (found >= mostGrowth) slow.push(`${one.name}: twice as many take ${found.toFixed(1)} times as long`);
		}
		assert.ok(measured > 300, `${measured}`);
		assert.deepEqual(slow, []);
	});
});
