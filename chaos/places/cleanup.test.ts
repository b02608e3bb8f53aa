import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const module = path.join(import.meta.dirname, "cleanup.ts");

/** Runs a program that registers clean-ups and says "ready"; sends it signals; resolves to what it printed and ended by. */
async function interrupted(source: string, signals: readonly NodeJS.Signals[]) {
	const program = `import { cleanUpOnInterrupt } from ${JSON.stringify(module)};
		import { setTimeout as delay } from "node:timers/promises";
		const timer = setInterval(() => {}, 1000);
		${source}
		console.log("ready");`;
	const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] });
	let output = "";
	child.stdout.on("data", (chunk: Buffer) => {
		const wasReady = output.includes("ready");
		output += chunk.toString();
		if (!wasReady && output.includes("ready")) for (const signal of signals) child.kill(signal);
	});
	child.stderr.resume();
	const [, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
	return { output, signal };
}

describe("clean-up on interruption", () => {
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		it(`runs everything registered, then ends by ${signal}`, async () => {
			const source = `cleanUpOnInterrupt(async () => { await delay(50); console.log("first"); });
				cleanUpOnInterrupt(async () => { throw new Error("wrong"); });
				cleanUpOnInterrupt(async () => { await delay(100); console.log("second"); });`;
			const result = await interrupted(source, [signal]);
			assert.deepEqual(result, { output: "ready\nfirst\nsecond\n", signal });
		});
	}

	it("runs each once, however many signals come", async () => {
		const source = `cleanUpOnInterrupt(async () => { await delay(100); console.log("cleaned"); });`;
		const { output } = await interrupted(source, ["SIGINT", "SIGTERM", "SIGINT"]);
		assert.equal(output, "ready\ncleaned\n");
	});

	it("lets nobody set up what it would not clean up any more", async () => {
		const source = `cleanUpOnInterrupt(async () => {
				try { cleanUpOnInterrupt(async () => console.log("too late")); } catch (error) { console.log(error.message); }
			});`;
		const { output } = await interrupted(source, ["SIGINT"]);
		assert.equal(output, "ready\nthe run was interrupted\n");
	});

	it("leaves out what was taken back, and then lets signals be", async () => {
		const source = `cleanUpOnInterrupt(async () => { console.log("cleaned"); })();`;
		assert.deepEqual(await interrupted(source, ["SIGINT"]), { output: "ready\n", signal: "SIGINT" });
	});
});
