import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { skip } from "../test/skip.ts";
import { descriptorLimit } from "./descriptors.ts";
import { createLogger } from "./log.ts";
import { acceptErrors, shortageOf } from "./shortage.ts";

const failed = (code: string, message = `${code}: failed, write`) => Object.assign(new Error(message), { code });

describe("shortage", () => {
	it("is known by the system's code, by its words, and through causes", () => {
		assert.equal(shortageOf(failed("ENOSPC"))?.what, "no space left on device");
		assert.equal(shortageOf(failed("EDQUOT"))?.what, "disk quota exceeded");
		assert.equal(shortageOf(failed("EMFILE"))?.what, `too many open files: limit ${descriptorLimit()}`);
		assert.equal(shortageOf(failed("ENFILE"))?.what, "too many open files in the whole system");
		// As the engine says it.
		const engine = new Error("IO error: /data/000005.log: No space left on device");
		assert.equal(shortageOf(new Error("the log failed", { cause: engine }))?.of, "space");
		// As the runtime says it of a thread.
		assert.equal(shortageOf(new Error("Worker initialization failure: EMFILE"))?.of, "descriptors");
		assert.match(shortageOf(failed("ENOSPC"))?.remedy ?? "", /make room .* nothing that was acknowledged is lost/);
	});

	it("is nothing else", () => {
		for (const error of [failed("EIO"), failed("ENOENT"), new Error("checksum is wrong"), undefined, "ENOSPC"]) {
			assert.equal(shortageOf(error), undefined);
		}
		const circle = new Error("first");
		circle.cause = circle;
		assert.equal(shortageOf(circle), undefined);
	});

	it("of a full device is what the device says", async function () {
		const full = await open("/dev/full", "r+").catch(() => undefined);
		if (full === undefined) skip(this, "no /dev/full");
		try {
			await assert.rejects(full.write(Buffer.from("x")), (error) => shortageOf(error)?.of === "space");
		} finally {
			await full.close();
		}
	});

	it("of a listener is said once in a while, with how often it came meanwhile", () => {
		const lines: Record<string, unknown>[] = [];
		let now = 0;
		const onError = acceptErrors(createLogger({ write: (line) => lines.push(JSON.parse(line)) }), "clients", () => now);
		for (let i = 0; i < 1000; i++) onError(failed("EMFILE", "accept EMFILE"));
		now = 10_000;
		onError(failed("EMFILE", "accept EMFILE"));
		assert.equal(lines.length, 2);
		assert.match(String(lines[0]?.["msg"]), /^clients: cannot accept connections: too many open files: limit \d+$/);
		assert.equal(lines[1]?.["since-last"], 999);
	});
});
