/** Real processes on disks that go bad: what Node sees, and what our store makes of it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { claimFreePorts, releasePorts } from "../../cluster/ports.ts";
import { connectStore } from "../../store/client/client.ts";
import { skip } from "../../test/skip.ts";
import { storeTarget } from "../targets/store.ts";
import { AcknowledgedPuts } from "../testing/acknowledged.ts";
import { Program, runStore } from "../testing/program.ts";
import { listPrefix } from "../workloads/target.ts";
import { DiskShim } from "./disk-shim.ts";
import type { DiskFault } from "./disks.ts";
import { FakeClocks } from "./fake-clocks.ts";
import { MissingToolError } from "./place.ts";
import { mergeEnv, removeFolder, temporaryFolder } from "./preload.ts";

/** Tries each kind of call again and again; prints a line of what came of them: `ok` or an error's code. */
const caller = `
const fs = require("node:fs");
const [folder, outside] = process.argv.slice(1);
const file = fs.openSync(folder + "/file", "w+");
const attempt = async (work) => { try { await work(); return "ok"; } catch (error) { return error.code; } };
(async () => {
	const handle = await fs.promises.open(folder + "/handle", "w+");
	for (let round = 0; ; round++) {
		const began = performance.now();
		const tries = [
			await attempt(() => fs.fsyncSync(file)),
			await attempt(() => fs.fdatasyncSync(file)),
			await attempt(() => handle.datasync()),
			await attempt(() => fs.writeSync(file, "data", 0)),
			await attempt(() => handle.write("data", 0)),
			await attempt(() => handle.writev([Buffer.from("da"), Buffer.from("ta")], 0)),
			await attempt(() => fs.closeSync(fs.openSync(folder + "/new" + round, "w"))),
			await attempt(() => fs.promises.writeFile(outside, "data", { flush: true })),
		];
		console.log(tries.join(" ") + " " + (performance.now() - began >= 300 ? "slow" : "quick"));
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
})();
`;

/** Writes blocks of 64 KiB, and prints each number before and after. */
const writer = `
const fs = require("node:fs");
const file = fs.openSync(process.argv[1], "w");
for (let n = 1; ; n++) {
	fs.writeSync(1, "begin " + n + "\\n");
	fs.writeSync(file, Buffer.alloc(65536, 64 + (n % 60)), 0, 65536, (n - 1) * 65536);
	fs.writeSync(1, "end " + n + "\\n");
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}
`;

/** The last number after this word. */
function latest(output: string, word: string): number {
	return Number(output.match(new RegExp(`.*${word} (\\d+)\\n`, "s"))?.[1] ?? 0);
}

const portsOwner = "test";
after(() => releasePorts(portsOwner));

describe("disks that go bad", () => {
	let shim: DiskShim;
	let folder: string;
	before(async function () {
		this.timeout(60_000);
		try {
			shim = await DiskShim.create();
		} catch (error) {
			if (!(error instanceof MissingToolError)) throw error;
			skip(this, error.message);
		}
	});
	beforeEach(async () => {
		folder = await temporaryFolder("bad-disk");
	});
	afterEach(() => removeFolder(folder));
	after(() => shim?.close());

	it("fails, fills and slows calls of one folder until healed", async () => {
		const outside = `${folder}-outside`;
		const program = new Program(process.execPath, ["-e", caller, folder, outside], shim.env("m1", folder));
		const shows = async (line: string) => {
			program.output = "";
			await program.shows(line);
		};
		try {
			await shows("ok ok ok ok ok ok ok ok quick");
			await shim.harm("m1", "error");
			await shows("EIO EIO EIO ok ok ok ok ok");
			await shim.harm("m1", "full");
			await shows("ok ok ok ENOSPC ENOSPC ENOSPC ENOSPC ok");
			await shim.harm("m1", "slow");
			await shows("ok ok ok ok ok ok ok ok slow");
			assert.ok(shim.hits("m1") > 0);
			await shim.heal("m1");
			await shows("ok ok ok ok ok ok ok ok quick");
		} finally {
			await program.kill();
			await removeFolder(outside);
		}
	});

	it("tears one write and kills, and not the process after it", async () => {
		const file = path.join(folder, "torn");
		const env = shim.env("m2", folder);
		const program = new Program(process.execPath, ["-e", writer, file], env);
		try {
			await program.shows("end 3\n");
			await shim.harm("m2", "torn");
			assert.equal(await program.ended, "SIGKILL");
		} finally {
			await program.kill();
		}
		const [begun, ended] = [latest(program.output, "begin"), latest(program.output, "end")];
		assert.equal(begun, ended + 1);
		const content = await readFile(file);
		assert.ok(content.length >= ended * 65_536 && content.length < begun * 65_536, `${content.length} of ${begun}`);
		assert.equal(content.length % 512, 0);
		const torn = content.subarray(ended * 65_536);
		assert.ok(torn.every((byte) => byte === 64 + (begun % 60)));
		assert.equal(shim.hits("m2"), 1);
		const next = new Program(process.execPath, ["-e", writer, file], env);
		try {
			await next.shows("end 5\n");
		} finally {
			await next.kill();
		}
	});

	/** A store member under load while its disk, or only the part of it in `where`, goes bad. */
	async function harmStore(where: string, fault: DiskFault) {
		const clocks = await FakeClocks.create();
		const [client, peer] = await claimFreePorts(portsOwner, 2, false);
		const harmed = path.join(folder, "store", "member", where);
		const env = mergeEnv(shim.env("s1", harmed), clocks.env("s1"));
		const target = storeTarget(connectStore({ endpoints: [`http://127.0.0.1:${client}`], requestTimeoutMs: 1000 }));
		let store = await runStore(folder, client!, peer!, env);
		const puts = new AcknowledgedPuts(target, 8);
		try {
			await puts.more(300);
			await shim.harm("s1", fault);
			const last = puts.keys.length;
			if (fault === "slow") await puts.more(20, () => store.isRunning);
			const end = fault === "slow" ? undefined : await store.ended;
			const report = { end, output: store.output, acknowledged: puts.keys.length - last, hits: shim.hits("s1") };
			await shim.heal("s1");
			if (!store.isRunning) store = await runStore(folder, client!, peer!, env);
			await puts.more(50, () => store.isRunning);
			await puts.stop();
			assert.deepEqual(puts.lost((await listPrefix(target, AcknowledgedPuts.prefix)).kvs), []);
			return report;
		} finally {
			await shim.heal("s1");
			await puts.stop();
			await target.close();
			await store.kill();
			await clocks.close();
		}
	}

	for (const where of ["wal", "data"]) {
		for (const [fault, code] of [
			["error", "EIO|i/o error"],
			["full", "ENOSPC|No space left"],
		] as const) {
			it(`our store ends itself on "${fault}" in ${where}/, loses nothing and comes back`, async function () {
				this.timeout(60_000);
				const { end, output, hits } = await harmStore(where, fault);
				assert.equal(end, 1, output);
				assert.match(output, new RegExp(`member stopped.*(${code})`));
				// A full disk is no damage, and is said as what it is, with the file and what to do.
				if (fault === "full") {
					assert.match(output, /member stopped: no space left on device.*\/member\/.*make room/);
					assert.doesNotMatch(output, /trusted|corrupt|damaged/i);
				}
				assert.ok(hits > 0);
			});
		}

		it(`our store survives a torn write in ${where}/`, async function () {
			this.timeout(60_000);
			assert.equal((await harmStore(where, "torn")).end, "SIGKILL");
		});
	}

	it("our store goes on slowly on a slow disk", async function () {
		this.timeout(60_000);
		const { acknowledged, hits } = await harmStore("", "slow");
		assert.ok(acknowledged >= 20 && hits > 0, `${acknowledged} acknowledged, ${hits} slow syncs`);
	});
});
