/** Many clients that take nothing, each within its own limits: what waits for all of them together stays bounded. */
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { StoreClient } from "../api.ts";
import { connectStore } from "../client/client.ts";
import { eventually, TestCluster } from "../testing.ts";

const key = (i: number) => Buffer.from(`k/${String(i).padStart(3, "0")}`);
const value = Buffer.alloc(256 << 10, 1);
const events = 40;
const slowClients = 40;
/** Of the slow ones: those that go on afterwards. */
const kept = 8;
const budget = 8 << 20;

/** Between clients and a member; the connections that are there when it stalls carry nothing to their clients any more. */
class Relay {
	readonly #server: Server;
	readonly #pairs = new Set<{ readonly client: Socket; readonly member: Socket }>();
	readonly #stalled = new Set<Socket>();

	constructor(target: number) {
		this.#server = createServer((client) => {
			const member = connect(target, "127.0.0.1");
			const pair = { client, member };
			this.#pairs.add(pair);
			const end = () => {
				this.#pairs.delete(pair);
				client.destroy();
				member.destroy();
			};
			for (const socket of [client, member]) socket.on("error", end).on("close", end);
			client.pipe(member);
			member.pipe(client);
		});
	}

	async listen(): Promise<number> {
		await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
		return (this.#server.address() as { port: number }).port;
	}

	stall(): void {
		for (const { client, member } of this.#pairs) {
			member.unpipe(client);
			member.pause();
			this.#stalled.add(member);
		}
	}

	resume(): void {
		for (const { client, member } of this.#pairs) if (this.#stalled.has(member)) member.pipe(client);
		this.#stalled.clear();
	}

	close(): void {
		for (const { client } of this.#pairs) client.destroy();
		this.#server.close();
	}
}

describe("store/process: bytes that wait for slow clients", function () {
	this.timeout(120_000);
	let cluster: TestCluster;
	let relay: Relay;
	const clients: StoreClient[] = [];
	afterEach(async () => {
		await Promise.all(clients.map((client) => client.close()));
		relay.close();
		await cluster.stop();
	});

	const watch = (endpoint: string): string[] => {
		const client = connectStore({ endpoints: [endpoint] });
		clients.push(client);
		const seen: string[] = [];
		const onBatch = (batch: { readonly events: readonly { readonly kv: { readonly key: Buffer } }[] }) =>
			void seen.push(...batch.events.map((event) => event.kv.key.toString()));
		client.watch({ key: Buffer.from("k/"), rangeEnd: Buffer.from("k0") }, { onBatch, onEnd: () => seen.push("end") });
		return seen;
	};

	it("are bounded: the slowest are ended and resume, a fast one sees all of it meanwhile", async () => {
		cluster = await TestCluster.start({ size: 1, server: { sendBudgetBytes: budget } });
		await cluster.leader();
		const [endpoint = ""] = cluster.endpoints;
		relay = new Relay(Number(new URL(endpoint).port));
		const slowEndpoint = `http://127.0.0.1:${await relay.listen()}`;
		const slow = Array.from({ length: slowClients }, () => watch(slowEndpoint));
		const fast = watch(endpoint);
		const writer = cluster.client();
		const metric = async (name: string) => {
			const text = await (await fetch(`${endpoint}/metrics`)).text();
			return Number(new RegExp(`^${name}(?:\\{.*\\})? (.*)$`, "m").exec(text)?.[1]);
		};
		await eventually("all watch", async () => (await metric("etcd_debugging_mvcc_watcher_total")) === slowClients + 1);
		await writer.put({ key: key(0), value });
		await eventually("all see", () => [...slow, fast].every(({ length }) => length === 1));
		relay.stall();
		let mostWaited = 0;
		for (let i = 1; i <= events; i++) {
			await writer.put({ key: key(i), value });
			mostWaited = Math.max(mostWaited, await metric("barque_store_client_send_buffer_bytes"));
		}
		const all = Array.from({ length: events + 1 }, (_, i) => key(i).toString());
		await eventually("the fast one sees all", () => fast.length === all.length);
		assert.ok(mostWaited > budget / 4, `only ${mostWaited} bytes waited: nobody was slow`);
		assert.ok(mostWaited <= budget, `${mostWaited} bytes waited`);
		const ended = await metric("barque_store_slow_clients_ended_total");
		assert.ok(ended > 0 && ended <= slowClients, `${ended} ended`);
		await Promise.all(clients.slice(kept, slowClients).map((client) => client.close()));
		relay.resume();
		await eventually("the slow ones see all", () => slow.slice(0, kept).every(({ length }) => length >= all.length));
		for (const seen of [...slow.slice(0, kept), fast]) assert.deepEqual(seen, all);
	});
});
