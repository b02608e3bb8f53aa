import assert from "node:assert/strict";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { ConfigMapWriter } from "./config-map-writer.ts";

const exists = new ApiError(409, "AlreadyExists", "it is there already");

/** Answers creations by these, one after the other, and takes every patch. */
function clientOf(creations: readonly Error[]): ApiClient {
	const left = [...creations];
	const resource = {
		create: async () => {
			await new Promise((resolve) => setImmediate(resolve));
			const next = left.shift();
			if (next !== undefined) throw next;
		},
		patch: async () => new Promise((resolve) => setImmediate(resolve)),
	};
	return { resource: () => resource } as unknown as ApiClient;
}

/** Writes for so many turns of the event loop, and at least once. */
async function write(creations: readonly Error[], turns: number) {
	const writer = new ConfigMapWriter(clientOf(creations), { namespace: "default", prefix: "w", names: 1 });
	writer.start();
	for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
	return writer.stop();
}

describe("a writer of ConfigMaps", () => {
	it("takes it for its own what exists once an answer of it was lost", async () => {
		const refused = new ApiError(503, "ServiceUnavailable", "not now");
		for (const first of [new ConnectionError("cut off", "ECONNRESET", undefined), refused]) {
			const { acknowledged, known } = await write([first, exists], 10);
			assert.ok(acknowledged > 0 && known.get("w-0")!.acknowledged >= 0);
		}
	});

	it("does not take it for its own what exists although it never sent it before", async () => {
		await assert.rejects(write([exists], 0), /it is there already/);
	});
});
