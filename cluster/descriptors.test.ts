/** Members with few descriptors and many clients: real processes, limited as a shell limits them. */
import assert from "node:assert/strict";
import net from "node:net";
import type { StoreClient } from "../store/api.ts";
import { connectStore } from "../store/client/client.ts";
import { eventually } from "../store/testing.ts";
import { linuxOnly } from "../test/platform.ts";
import { StoreProcesses } from "./store-processes.ts";

const bytes = (text: string) => Buffer.from(text);
const many = 200;

describe("cluster: more clients than descriptors", function () {
	this.timeout(120_000);
	let members: StoreProcesses;
	const clients: StoreClient[] = [];
	const sockets: net.Socket[] = [];
	before(function () {
		linuxOnly(this, "tells a process its limits");
	});
	afterEach(async () => {
		for (const socket of sockets) socket.destroy();
		await Promise.all(clients.map((client) => client.close()));
		await members.close();
	});

	it("a member that has too few for its own files says so, and goes on with all its data when it has enough", async () => {
		members = await StoreProcesses.create(1);
		const [name = ""] = members.names;
		await members.startAll();
		const client = members.connect();
		clients.push(client);
		await client.put({ key: bytes("kept"), value: bytes("v") });
		await members.kill(name);
		let refused = 0;
		// Below these the runtime itself does not come up.
		for (let limit = 24; limit <= 40; limit += 2) {
			members.descriptors = limit;
			const result = await members.start(name);
			await members.kill(name);
			const output = members.output(name);
			assert.doesNotMatch(output, /in use by another|corrupt|damaged|missing|trusted/i, `limit ${limit}`);
			if (!output.includes('"cannot start"')) continue;
			refused++;
			assert.equal(result, 1);
			assert.match(output, new RegExp(`^Error: .*\\(too many open files: limit ${limit}; raise the limit`, "m"));
		}
		assert.ok(refused > 0, "no limit was too low");
		members.descriptors = undefined;
		assert.equal(await members.start(name), "ready");
		assert.equal((await client.range({ key: bytes("kept") })).kvs[0]?.value.toString(), "v");
	});

	it("three members with 200 descriptors, 200 clients and 200 silent connections each keep their quorum", async () => {
		members = await StoreProcesses.create(3);
		members.descriptors = 200;
		await members.startAll();
		await eventually("a leader", () => members.leader());
		const first = members.connect();
		clients.push(first);
		await first.put({ key: bytes("first"), value: bytes("0") });
		for (const url of members.endpoints) {
			const { hostname, port } = new URL(url);
			for (let i = 0; i < many; i++) {
				const socket = net.connect(Number(port), hostname);
				socket.on("error", () => undefined);
				sockets.push(socket);
			}
		}
		let served = 0;
		for (let i = 0; i < many; i++) {
			const client = connectStore({ endpoints: members.endpoints, requestTimeoutMs: 5_000 });
			clients.push(client);
			client.put({ key: bytes(`k${i}`), value: bytes("v") }).then(
				() => served++,
				() => undefined,
			);
		}
		// Who was there before goes on, all the while.
		for (let i = 1; i <= 50; i++) await first.put({ key: bytes("first"), value: bytes(`${i}`) });
		await eventually("others are served too", async () => served > 20);
		for (const name of members.names) {
			assert.match(members.output(name), /too many connections of clients/, name);
			assert.doesNotMatch(members.output(name), /EMFILE|panic|stopped|corrupt/i, name);
		}
		const [kv] = (await first.range({ key: bytes("first") })).kvs;
		assert.equal(kv?.value.toString(), "50");
	});
});
