import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { linuxOnly } from "../../test/platform.ts";
import { type Command, MissingToolError } from "./place.ts";
import { ProcessHost, type ProcessHostOptions, untilOurEnd } from "./process-host.ts";

const script = (source: string): Command => ({ program: process.execPath, args: ["-e", source] });
const forever = "setInterval(() => {}, 1000);";

describe("a member as a process", () => {
	let folder: string;
	const hosts: ProcessHost[] = [];
	const create = (more: Partial<ProcessHostOptions> = {}): ProcessHost => {
		const dataDir = path.join(folder, "m1", "data");
		const host = new ProcessHost({
			name: "m1",
			peerAddress: "127.0.0.1",
			clientAddress: "127.0.0.1",
			peerPort: 2380,
			clientPort: 2379,
			dataDir,
			...more,
		});
		hosts.push(host);
		return host;
	};

	beforeEach(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-process-host-"));
	});
	afterEach(async () => {
		for (const host of hosts.splice(0)) await host.end("SIGKILL");
		await rm(folder, { recursive: true });
	});

	it("is not started where whoever wanted it has ended before", async function () {
		linuxOnly(this, "ends processes with their parents");
		const { program, args } = await untilOurEnd({ program: "echo", args: ["I", "run"] });
		assert.equal(execFileSync(program, args, { encoding: "utf8" }), "I run\n");
		// Another process is its parent.
		assert.equal(execFileSync("sh", ["-c", '"$@"; true', "sh", program, ...args], { encoding: "utf8" }), "");
	});

	const output = async (host: ProcessHost, wanted: string) => {
		while (!host.output.includes(wanted)) await delay(5);
	};

	it("makes the data folder, keeps output, ends by SIGTERM, and runs again", async () => {
		const host = create();
		await host.run(
			script(`process.on("SIGTERM", () => { console.log("bye"); process.exit(); }); ${forever} console.log("up");`),
		);
		assert.ok((await stat(host.dataDir)).isDirectory());
		assert.equal(host.isRunning, true);
		await output(host, "up");
		await assert.rejects(host.run(script("")), /m1 runs already/);
		await host.end("SIGTERM");
		assert.equal(host.isRunning, false);
		assert.equal(host.output, "up\nbye\n");
		await host.run(script(`console.log("second"); ${forever}`));
		await output(host, "second");
		assert.equal(host.output, "second\n");
		await host.end("SIGKILL");
		await host.end("SIGKILL");
		assert.equal(host.isRunning, false);
	});

	it("keeps the last 64 KiB of output", async () => {
		const host = create();
		await host.run(script(`process.stdout.write("x".repeat(200_000) + "end"); ${forever}`));
		await output(host, "end");
		assert.equal(host.output.length, 64 * 1024);
	});

	it("stands still and goes on; a paused one can be ended by SIGTERM", async () => {
		const host = create();
		await host.run(script(`setInterval(() => console.log("tick"), 5);`));
		await output(host, "tick");
		await host.pause();
		await delay(50);
		const { length } = host.output;
		await delay(100);
		assert.equal(host.output.length, length);
		await host.resume();
		while (host.output.length === length) await delay(5);
		await host.pause();
		await host.end("SIGTERM");
		assert.equal(host.isRunning, false);
	});

	it("notices a member that ends by itself", async () => {
		const host = create();
		await host.run(script(`console.log("cannot go on"); process.exit(3);`));
		while (host.isRunning) await delay(5);
		assert.equal(host.output, "cannot go on\n");
	});

	it("names a program that is missing, though a wrapper would start", async () => {
		const host = create({ wrap: ({ program, args }) => ({ program: "env", args: [program, ...args] }) });
		const missing = { program: "barque-no-such-program", args: [] };
		await assert.rejects(host.run(missing), (error: Error) => {
			assert.ok(error instanceof MissingToolError);
			assert.match(error.message, /barque-no-such-program/);
			return true;
		});
		assert.equal(host.isRunning, false);
	});

	it("is wrapped, and asks for the environment at each start", async () => {
		let starts = 0;
		const host = create({
			wrap: ({ program, args }) => ({ program: "env", args: ["WRAPPED=yes", program, ...args] }),
			env: async () => ({ ...process.env, STARTS: String(++starts) }),
		});
		for (const expected of ["1", "2"]) {
			await host.run(script(`console.log(process.env.WRAPPED, process.env.STARTS, process.pid); ${forever}`));
			await output(host, "\n");
			assert.equal(host.output, `yes ${expected} ${host.pid}\n`);
			await host.end("SIGKILL");
		}
	});
});
