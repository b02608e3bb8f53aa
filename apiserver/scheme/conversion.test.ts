import assert from "node:assert/strict";
import { decodeObject } from "./codec/codec.ts";
import { fromStorage, isView, toStorage } from "./conversion.ts";
import { findKind, findResource } from "./resources.ts";

describe("scheme: event views", () => {
	const view = findKind("events.k8s.io", "v1", "Event");
	const core = findResource("", "v1", "events");
	assert.ok(view && core);

	it("shows one stored event under both groups' names", () => {
		const body = {
			apiVersion: "events.k8s.io/v1",
			kind: "Event",
			metadata: { name: "e", namespace: "n" },
			eventTime: "2024-01-01T00:00:00.000001Z",
			regarding: { kind: "Pod", name: "p" },
			note: "hello",
			reportingController: "c",
			deprecatedCount: 3,
		};
		const { object } = decodeObject(Buffer.from(JSON.stringify(body)), "application/json", {
			fieldValidation: "Strict",
		});
		const stored = toStorage(view, object);
		assert.equal(stored.apiVersion, "v1");
		assert.equal(stored["message"], "hello");
		assert.equal(stored["count"], 3);
		assert.deepEqual(stored["involvedObject"], { kind: "Pod", name: "p" });
		assert.deepEqual(fromStorage(core, stored), stored);
		assert.deepEqual(fromStorage(view, stored), object);
		assert.ok(isView(view) && !isView(core));
	});
});
