import assert from "node:assert/strict";
import { open, readdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { type Logger, silentLogger } from "../../kit/log.ts";
import { createAuthority } from "../../kit/pki.ts";
import { seededRandom } from "../../kit/random.ts";
import { type StoreClient, StoreError, type WatchBatch } from "../api.ts";
import { connectStore } from "../client/client.ts";
import { Election } from "../client/election.ts";
import { LeaseKeeper } from "../client/lease.ts";
import { Lock } from "../client/lock.ts";
import { nativeMagic, pack } from "../native/protocol.ts";
import { eventually, TestCluster } from "../testing.ts";
import { StoreServer } from "./server.ts";

const b = (text: string) => Buffer.from(text);
const coded = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;
const readValue = async (client: StoreClient, key: string) =>
	(await client.range({ key: b(key) })).kvs[0]?.value.toString();

describe("store/process: three members on loopback", function () {
	this.timeout(120_000);
	let cluster: TestCluster;
	afterEach(async () => {
		await cluster.stop();
	});

	it("serves over TLS with client certificates, and refuses those without", async () => {
		const authority = await createAuthority("test");
		const pair = await authority.issue({ commonName: "member", hosts: ["127.0.0.1"] });
		cluster = await TestCluster.start({ tls: { ca: authority.cert, pair } });
		const client = cluster.client();
		const put = await client.put({ key: b("a"), value: b("1") });
		assert.equal(put.header.revision, 2);
		assert.equal(await readValue(client, "a"), "1");
		const stranger = connectStore({ endpoints: cluster.endpoints, tls: { ca: authority.cert }, requestTimeoutMs: 500 });
		await assert.rejects(stranger.put({ key: b("a"), value: b("2") }), coded("unavailable"));
		await stranger.close();
	});

	it("forwards from followers, and every member reads what was acknowledged", async () => {
		cluster = await TestCluster.start();
		await cluster.leader();
		const clients = cluster.endpoints.map((endpoint) => cluster.client({ endpoints: [endpoint] }));
		for (let round = 0; round < 5; round++) {
			for (const [i, writer] of clients.entries()) {
				await writer.put({ key: b("k"), value: b(`${round}/${i}`) });
				for (const reader of clients) assert.equal(await readValue(reader, "k"), `${round}/${i}`);
			}
		}
	});

	it("keeps what was acknowledged through the leader's death and return, and watches see each event once", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		const seen: string[] = [];
		client.watch(
			{ key: b("n/"), rangeEnd: b("n0"), startRevision: 1 },
			{
				onBatch: (batch: WatchBatch) => void seen.push(...batch.events.map((event) => event.kv.value.toString())),
				onEnd: (error) => assert.equal(error.code, "closed"),
			},
		);
		let next = 0;
		let writing = true;
		const writer = (async () => {
			// The counter itself is the proof of "once": each write demands the value before it.
			while (writing) {
				const previous = next === 0 ? undefined : b(`${next - 1}`);
				const { succeeded } = await client.txn({
					compare:
						previous === undefined
							? [{ key: b("n/c"), target: "create", result: "equal", operand: 0 }]
							: [{ key: b("n/c"), target: "value", result: "equal", operand: previous }],
					success: [{ op: "put", key: b("n/c"), value: b(`${next}`) }],
					failure: [],
				});
				assert.equal(succeeded, true, `write ${next} was applied twice or lost`);
				next++;
			}
		})();
		for (let round = 0; round < 3; round++) {
			const before = next;
			await eventually("writes go on", () => next > before + 20);
			const leader = await cluster.leader();
			await cluster.killMember(leader);
			const during = next;
			await eventually("writes resume without the old leader", () => next > during + 20);
			await cluster.startMember(leader);
		}
		writing = false;
		await writer;
		await eventually("the watch catches up", () => seen.length >= next);
		assert.deepEqual(
			seen,
			Array.from({ length: next }, (_, i) => `${i}`),
		);
		await eventually("all members apply the same", () => {
			const applied = cluster.servers.map((server) => server?.member.machine.revision);
			return applied.every((revision) => revision === applied[0]);
		});
		const hashes = await Promise.all(cluster.servers.map((server) => server?.member.machine.hash(0)));
		assert.equal(new Set(hashes.map((hash) => hash?.hash)).size, 1);
		assert.deepEqual(cluster.fatal, []);
	});

	it("survives all members dying at once", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		const acknowledged = new Map<string, string>();
		let writing = true;
		const writers = Array.from({ length: 8 }, async (_, w) => {
			for (let i = 0; writing; i++) {
				try {
					await client.put({ key: b(`w${w}`), value: b(`${i}`) });
					acknowledged.set(`w${w}`, `${i}`);
				} catch (error) {
					assert(error instanceof StoreError);
				}
			}
		});
		await eventually("writes", () => acknowledged.size === 8);
		await Promise.all(cluster.names.map((_, i) => cluster.killMember(i)));
		await Promise.all(cluster.names.map((_, i) => cluster.startMember(i)));
		await cluster.leader();
		writing = false;
		await Promise.all(writers);
		for (const [key, value] of acknowledged) {
			const now = Number(await readValue(client, key));
			assert(now >= Number(value), `${key}: ${now} is older than the acknowledged ${value}`);
		}
	});

	it("brings a lagging follower up by snapshot", async () => {
		cluster = await TestCluster.start({ server: { snapshotCount: 50, catchUpEntries: 10 } });
		const client = cluster.client();
		await client.put({ key: b("first"), value: b("1") });
		const lagging = (await cluster.leader()) === 0 ? 1 : 0;
		await cluster.killMember(lagging);
		const lease = await client.leaseGrant({ id: 77n, ttl: 600 });
		for (let i = 0; i < 300; i++) await client.put({ key: b(`k${i}`), value: Buffer.alloc(1000, i), lease: lease.id });
		const server = await cluster.startMember(lagging);
		await eventually("the snapshot is installed", () => server.member.counters.snapshotsInstalled > 0);
		await client.put({ key: b("last"), value: b("1") });
		const own = cluster.client({ endpoints: [cluster.endpoints[lagging] ?? ""] });
		assert.equal((await own.range({ key: b("k"), rangeEnd: b("l") })).count, 300);
		assert.equal((await own.leaseTimeToLive(77n, { keys: true })).keys.length, 300);
		const hashes = await Promise.all(cluster.servers.map((one) => one?.member.machine.hash(301)));
		assert.equal(new Set(hashes.map((hash) => hash?.hash)).size, 1);
		await cluster.killMember(lagging);
		await cluster.startMember(lagging);
		await client.put({ key: b("after"), value: b("1") });
		assert.equal(await readValue(own, "after"), "1");
		assert.deepEqual(cluster.fatal, []);
	});

	it("expires leases through the log, also after the leader changed, and keeps those that are kept alive", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		const kept = await LeaseKeeper.grant(client, 2);
		const dying = await client.leaseGrant({ id: 0n, ttl: 2 });
		await client.put({ key: b("kept"), value: b(""), lease: kept.id });
		await client.put({ key: b("dying"), value: b(""), lease: dying.id });
		await cluster.killMember(await cluster.leader());
		await eventually("expiry", async () => (await readValue(client, "dying")) === undefined);
		assert.equal(await readValue(client, "kept"), "");
		assert.equal(kept.alive, true);
		await kept.revoke();
		assert.equal(await readValue(client, "kept"), undefined);
	});

	it("hands over locks and leadership in the order of arrival", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		const keepers = await Promise.all([1, 2, 3].map(() => LeaseKeeper.grant(client, 30)));
		const order: number[] = [];
		const first = new Lock(client, "lock", keepers[0] as LeaseKeeper);
		await first.acquire();
		const others = [1, 2].map(async (i) => {
			const lock = new Lock(client, "lock", keepers[i] as LeaseKeeper);
			await lock.acquire();
			order.push(i);
			await lock.release();
		});
		const owned = await client.txn({
			compare: [first.isOwner],
			success: [{ op: "put", key: b("x"), value: b("") }],
			failure: [],
		});
		assert.equal(owned.succeeded, true);
		assert.deepEqual(order, []);
		await first.release();
		await Promise.all(others);
		assert.equal(order.length, 2);
		const election = new Election(client, "election");
		await election.campaign(b("one"), keepers[0] as LeaseKeeper);
		assert.equal((await election.leader())?.value.toString(), "one");
		await election.resign();
		assert.equal(await election.leader(), undefined);
		for (const keeper of keepers) keeper.stop();
	});

	it("answers garbage by closing the connection, and goes on", async () => {
		cluster = await TestCluster.start({ size: 1 });
		const client = cluster.client();
		await client.put({ key: b("a"), value: b("1") });
		const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 2 ** 31);
		console.log(`      seed ${seed}`);
		const random = seededRandom(seed);
		const frame = (body: Buffer) => {
			const head = Buffer.alloc(4);
			head.writeUInt32BE(body.length);
			return Buffer.concat([head, body]);
		};
		const hello = Buffer.concat([nativeMagic, frame(pack([1, 1, 0]))]);
		const huge = Buffer.from([0xff, 0xff, 0xff, 0xff]);
		const inputs = [
			Buffer.from("GARBAGE\r\n\r\n"),
			Buffer.from([0x16, 3, 1, 0, 1, 1]),
			nativeMagic,
			Buffer.concat([nativeMagic, huge]),
			Buffer.concat([hello, huge]),
			Buffer.concat([hello, frame(Buffer.from([0xc1]))]),
			Buffer.concat([hello, frame(Buffer.alloc(100_000, 0x91))]),
			Buffer.concat([hello, frame(pack([1, 99, []])), frame(pack([2, 2, [1, 2]])), frame(pack("text"))]),
			...Array.from({ length: 40 }, () => Buffer.concat([hello, frame(random.bytes(random.int(200)))])),
			...Array.from({ length: 20 }, () => random.bytes(random.int(300))),
			...Array.from({ length: 40 }, () => {
				const number = 1 + random.int(18);
				const body = Array.from(
					{ length: random.int(6) },
					() => [random.int(9), null, random.bytes(3), -1.5, "x"][random.int(5)],
				);
				return Buffer.concat([hello, frame(pack([1, number, body, 5n, 1, 0]))]);
			}),
		];
		const port = Number(new URL(cluster.endpoints[0] ?? "").port);
		for (const input of inputs) {
			await new Promise<void>((resolve) => {
				const socket = connect(port, "127.0.0.1", () => socket.end(input));
				socket.on("error", () => resolve());
				socket.on("data", () => undefined);
				socket.on("close", () => resolve());
				socket.setTimeout(2000, () => socket.destroy());
			});
		}
		assert.equal(await readValue(client, "a"), "1");
		assert.deepEqual(cluster.fatal, []);
	});

	it("refuses what is too large or malformed, naming it", async () => {
		cluster = await TestCluster.start({ size: 1 });
		const client = cluster.client();
		await assert.rejects(
			client.put({ key: b("k"), value: Buffer.alloc(1.5 * 1024 * 1024) }),
			coded("request_too_large"),
		);
		// Longer than a frame may be: it would end the connection.
		await assert.rejects(client.put({ key: b("k"), value: Buffer.alloc(3 << 20) }), coded("request_too_large"));
		const own = cluster.serverOptions(0).cluster;
		const stranger = cluster.client({ clusterId: own.id ^ 1n });
		await assert.rejects(stranger.range({ key: b("k") }), coded("cluster_id_mismatch"));
		await assert.rejects(client.put({ key: b(""), value: b("") }), coded("empty_key"));
		const op = { op: "put", key: b("k"), value: b("") } as const;
		await assert.rejects(client.txn({ compare: [], success: [op, op], failure: [] }), coded("duplicate_key"));
		await assert.rejects(client.txn({ compare: [], success: Array(129).fill(op), failure: [] }), coded("too_many_ops"));
		await assert.rejects(client.put({ key: b("k"), value: b(""), lease: 5n }), coded("lease_not_found"));
		await assert.rejects(client.range({ key: b("k"), revision: 1000 }), coded("future_revision"));
	});

	it("does not let a member take part that comes back without its data, and goes on with the others", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		const leader = await cluster.leader();
		await client.put({ key: b("k"), value: b("v") });
		const other = (leader + 1) % 3;
		await cluster.killMember(other);
		await rm(cluster.dataDir(other), { recursive: true });
		await assert.rejects(cluster.startMember(other), /its disk was emptied or replaced/);
		await client.put({ key: b("k"), value: b("w") });
		assert.equal(await readValue(client, "k"), "w");
	});

	it("serves health and metrics on the client port", async () => {
		cluster = await TestCluster.start();
		await cluster.leader();
		const get = (path: string) => fetch(`${cluster.endpoints[0]}${path}`);
		await eventually("the member knows its leader", async () => (await get("/health")).status === 200);
		assert.deepEqual(await (await get("/health")).json(), { health: "true", reason: "" });
		assert.equal(await (await get("/livez")).text(), "ok\n");
		assert.match(await (await get("/readyz?verbose")).text(), /\[\+\]linearizable_read ok/);
		assert.match(await (await get("/metrics")).text(), /^etcd_server_has_leader 1$/m);
		assert.equal((await get("/nothing")).status, 404);
		await cluster.killMember(1);
		await cluster.killMember(2);
		const unhealthy = await eventually("loss of the leader", async () => {
			const response = await get("/health");
			const body = (await response.json()) as { health: string; reason: string };
			return response.status === 503 && body.reason === "RAFT NO LEADER" && body;
		});
		assert.equal(unhealthy.health, "false");
		assert.equal((await get("/livez")).status, 200);
	});

	it("says that its quota is full, in health, log and metrics, and when it is not any more", async () => {
		const told: string[] = [];
		const note = (message: string) => void told.push(message);
		const logger: Logger = { ...silentLogger, error: note, warn: note, with: () => logger };
		cluster = await TestCluster.start({ size: 1, logger, server: { quotaBytes: 1 << 20 } });
		const client = cluster.client();
		const get = (path: string) => fetch(`${cluster.endpoints[0]}${path}`);
		const health = async (path: string) => {
			const response = await get(path);
			return [response.status, await response.json()];
		};
		const metric = async (name: string) => {
			const text = await (await get("/metrics")).text();
			return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
		};
		await client.put({ key: b("k"), value: Buffer.alloc(700_000) });
		assert.deepEqual(await health("/health"), [200, { health: "true", reason: "" }]);
		assert.equal(await metric("etcd_debugging_server_alarms"), 0);
		const { header } = await client.put({ key: b("k"), value: Buffer.alloc(700_000) });
		// As etcd 3.7.3 answers.
		const full = [503, { health: "false", reason: "ALARM NOSPACE" }];
		assert.deepEqual(await health("/health"), full);
		assert.deepEqual(await health("/health?serializable=true"), full);
		assert.deepEqual(await health("/health?exclude=NOSPACE"), [200, { health: "true", reason: "" }]);
		assert.equal((await get("/livez")).status, 200);
		assert.equal((await get("/readyz")).status, 200);
		await assert.rejects(client.put({ key: b("l"), value: b("") }), coded("no_space"));
		assert.equal(await metric("etcd_debugging_server_alarms"), 1);
		assert.equal(await metric("etcd_server_quota_backend_bytes"), 1 << 20);
		const used = await metric("etcd_mvcc_db_total_size_in_use_in_bytes");
		assert.ok(used > 1_400_000 && used < 1_500_000, `${used} in use`);
		await eventually("the files hold it", async () => (await metric("etcd_mvcc_db_total_size_in_bytes")) > 0);
		await client.compact({ revision: header.revision, physical: true });
		await client.put({ key: b("l"), value: b("") });
		assert.deepEqual(await health("/health"), [200, { health: "true", reason: "" }]);
		assert.deepEqual(
			told.filter((message) => /NOSPACE/.test(message)).map((message) => message.slice(0, 22)),
			["alarm NOSPACE: puts are", "alarm NOSPACE is over: "].map((message) => message.slice(0, 22)),
		);
	});

	it("refuses another member's data directory and one that is in use", async () => {
		cluster = await TestCluster.start({ size: 3 });
		await cluster.leader();
		await assert.rejects(
			StoreServer.start({ ...cluster.serverOptions(0), listenPeer: [], listenClient: [] }),
			/in use by another process/,
		);
		await cluster.killMember(0);
		await assert.rejects(
			StoreServer.start({ ...cluster.serverOptions(1), dataDir: cluster.dataDir(0), listenPeer: [], listenClient: [] }),
			/member/,
		);
		await assert.rejects(
			StoreServer.start({
				...cluster.serverOptions(1),
				dataDir: `${cluster.dataDir(0)}-new`,
				clusterState: "existing",
			}),
			/holds no member/,
		);
	});

	it("repairs a torn tail of the log, and refuses damage before it, naming file and offset", async () => {
		cluster = await TestCluster.start();
		const client = cluster.client();
		for (let i = 0; i < 50; i++) await client.put({ key: b(`k${i}`), value: b(`${i}`) });
		await Promise.all(cluster.names.map((_, i) => cluster.killMember(i)));
		const directory = join(cluster.dataDir(0), "member", "wal");
		const file = join(directory, (await readdir(directory)).filter((name) => name.endsWith(".wal")).at(-1) ?? "");
		const handle = await open(file, "r+");
		await handle.write(b("torn"), 0, 4, (await stat(file)).size);
		await handle.close();
		await Promise.all(cluster.names.map((_, i) => cluster.startMember(i)));
		assert.equal(await readValue(client, "k49"), "49");
		await cluster.killMember(0);
		const damaged = await open(file, "r+");
		const byte = Buffer.alloc(1);
		await damaged.read(byte, 0, 1, 200);
		await damaged.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 200);
		await damaged.close();
		await assert.rejects(
			cluster.startMember(0),
			(error: Error) => error.message.includes(file) && /offset \d+/.test(error.message),
		);
	});
});
