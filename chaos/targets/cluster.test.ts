/** Members on hosts that only pretend, for what real ones do too seldom. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Host, Place } from "../places/place.ts";
import { startMembers } from "./cluster.ts";
import type { System } from "./system.ts";

class PretendedHost implements Host {
	readonly name = "m1";
	readonly peerAddress = "127.0.0.1";
	readonly clientAddress = "127.0.0.1";
	readonly peerPort = 2;
	readonly clientPort = 1;
	readonly dataDir = "/nowhere";
	readonly output = "its last words";
	isRunning = false;
	runs = 0;
	/** How many of its next lives end by themselves. */
	weak = 0;
	/** What runs answers. */
	answers = true;

	async run(): Promise<void> {
		this.isRunning = true;
		this.answers = this.weak === 0;
		this.runs++;
		if (this.weak-- > 0) this.#die();
		else this.weak = 0;
	}

	#die(): void {
		setTimeout(() => {
			this.isRunning = false;
		}, 20);
	}

	/** As one whose disk has failed does, a moment later. */
	fail(): void {
		this.answers = false;
		this.#die();
	}

	async end(): Promise<void> {
		this.isRunning = false;
	}

	async pause(): Promise<void> {}
	async resume(): Promise<void> {}
}

describe("members on hosts", () => {
	let host: PretendedHost;

	function start() {
		host = new PretendedHost();
		const place: Place = {
			description: "pretence",
			hosts: [host],
			node: "node",
			launcher: "launcher",
			disks: () => ({ harm: async () => host.fail(), heal: async () => {}, loseUnsynced: () => host.end() }),
			enter: async (_host, command) => command,
			beforeClose: () => {},
			close: () => host.end(),
		};
		const system: System = {
			name: "pretended",
			exactTerms: true,
			command: () => ({ program: "member", args: [] }),
			version: async () => (host.isRunning && host.answers ? "1" : undefined),
			leader: async () => ({ name: "m1", term: 1 }),
			connect: () => assert.fail("no client is needed"),
			compact: async () => {},
			close: async () => {},
		};
		return startMembers(place, system, { requestTimeoutMs: 1000, serializableReads: false });
	}

	it("are started again, though they are only just about to end", async () => {
		const members = await start();
		assert.equal(host.runs, 1);
		await members.start("m1");
		assert.equal(host.runs, 1);
		host.fail();
		await members.start("m1");
		assert.ok(host.isRunning && host.answers);
		assert.equal(host.runs, 2);
		await members.close();
	});

	it("are told of when they end though nothing was done to them, also where they are started later", async () => {
		const members = await start();
		assert.deepEqual(await members.ended?.(), []);
		host.fail();
		await delay(40);
		const found = [{ name: "m1", output: "its last words" }];
		assert.deepEqual(await members.ended?.(), found);
		await members.start("m1");
		assert.deepEqual(await members.ended?.(), found);
		host.fail();
		await delay(40);
		await members.kill("m1");
		assert.deepEqual(await members.ended?.(), [...found, ...found]);
		await members.close();
	});

	it("are not told of when they end by what was done to them", async () => {
		const members = await start();
		const deeds: readonly (() => Promise<void> | undefined)[] = [
			() => members.kill("m1"),
			() => members.stop?.("m1"),
			() => members.disks?.harm?.("m1", "error"),
			() => members.disks?.loseUnsynced?.(["m1"]),
		];
		for (const deed of deeds) {
			await deed();
			await delay(40);
			assert.ok(!host.isRunning);
			await members.start("m1");
			assert.deepEqual(await members.ended?.(), []);
		}
		await members.disks?.harm?.("m1", "slow");
		await delay(40);
		assert.equal((await members.ended?.())?.length, 1, "slow disks end nobody");
		await members.close();
	});

	it("say why they do not start", async () => {
		const members = await start();
		await members.kill("m1");
		host.weak = 1;
		await assert.rejects(members.start("m1"), /m1 ended:\nits last words/);
		await delay(20);
		assert.equal(host.runs, 2);
		await members.close();
	});
});
