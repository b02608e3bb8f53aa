/** The same requests to our machine and to a real etcd give the same answers and the same HashKV. Needs `etcd` in the path. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../kit/random.ts";
import { skip } from "../../test/skip.ts";
import { type RequestOp, StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { Driver } from "../machine/testing/driver.ts";
import { randomCommand } from "../machine/testing/generate.ts";
import type { Command } from "../machine/types.ts";

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	return typeof address === "object" && address !== null ? address.port : 0;
}

const base64 = (bytes: Buffer | undefined) => (bytes === undefined ? undefined : bytes.toString("base64"));

/** Requests in the JSON gateway's form. */
function opBody(op: RequestOp): object {
	if (op.op === "range") return { requestRange: rangeBody(op) };
	if (op.op === "put") return { requestPut: putBody(op) };
	if (op.op === "delete") return { requestDeleteRange: deleteBody(op) };
	return { requestTxn: txnBody(op) };
}

function rangeBody(op: RequestOp & { op: "range" }): object {
	return { key: base64(op.key), range_end: base64(op.rangeEnd), revision: op.revision };
}

function putBody(op: Extract<Command, { kind: "put" }> | (RequestOp & { op: "put" })): object {
	const { key, value, lease, ignoreValue, ignoreLease } = op;
	return {
		key: base64(key),
		value: base64(value),
		lease: String(lease ?? 0n),
		ignore_value: ignoreValue,
		ignore_lease: ignoreLease,
	};
}

function deleteBody(op: Extract<Command, { kind: "delete" }> | (RequestOp & { op: "delete" })): object {
	return { key: base64(op.key), range_end: base64(op.rangeEnd) };
}

function txnBody(op: Extract<Command, { kind: "txn" }> | (RequestOp & { op: "txn" })): object {
	const compare = op.compare.map((one) => {
		const operand = one.target === "value" ? base64(one.operand) : String(one.operand);
		const field = {
			version: "version",
			create: "create_revision",
			mod: "mod_revision",
			value: "value",
			lease: "lease",
		};
		return {
			key: base64(one.key),
			range_end: base64(one.rangeEnd),
			result: one.result.toUpperCase(),
			target: one.target.toUpperCase(),
			[field[one.target]]: operand,
		};
	});
	return { compare, success: op.success.map(opBody), failure: op.failure.map(opBody) };
}

function requestOf(command: Command): [path: string, body: object] | undefined {
	if (command.kind === "put") return ["kv/put", putBody(command)];
	if (command.kind === "delete") return ["kv/deleterange", deleteBody(command)];
	if (command.kind === "txn") return ["kv/txn", txnBody(command)];
	if (command.kind === "compact") return ["kv/compaction", { revision: String(command.revision), physical: true }];
	if (command.kind === "lease_grant") return ["lease/grant", { ID: String(command.id), TTL: "1000" }];
	if (command.kind === "lease_revoke") return ["lease/revoke", { ID: String(command.id) }];
	return undefined;
}

/** Nothing that etcd 3.4 is known to take otherwise. */
function comparable(command: Command): boolean {
	const openDelete = (op: RequestOp): boolean =>
		op.op === "txn" ? [...op.success, ...op.failure].some(openDelete) : op.op === "delete" && op.rangeEnd?.[0] === 0;
	return command.kind !== "txn" || ![...command.success, ...command.failure].some(openDelete);
}

/** HashKV at the newest revision, by gRPC: the JSON gateway of etcd 3.4 does not offer it. */
async function hashKv(url: string): Promise<{ hash: number; compactRevision: number }> {
	const session = connect(url);
	try {
		const stream = session.request({
			":method": "POST",
			":path": "/etcdserverpb.Maintenance/HashKV",
			"content-type": "application/grpc",
			te: "trailers",
		});
		stream.end(Buffer.alloc(5));
		const parts: Buffer[] = [];
		for await (const part of stream) parts.push(part as Buffer);
		return parseHash(Buffer.concat(parts).subarray(5));
	} finally {
		session.close();
	}
}

/** HashKVResponse: 1 header, 2 hash, 3 compact_revision. */
function parseHash(message: Buffer): { hash: number; compactRevision: number } {
	let at = 0;
	const varint = () => {
		let value = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = message[at++]!;
			value |= BigInt(byte & 0x7f) << shift;
			if (byte < 0x80) return value;
		}
	};
	const fields = new Map<number, bigint>();
	while (at < message.length) {
		const tag = Number(varint());
		const value = varint();
		if ((tag & 7) === 2) at += Number(value);
		else fields.set(tag >> 3, value);
	}
	return { hash: Number(fields.get(2) ?? 0n), compactRevision: Number(BigInt.asIntN(64, fields.get(3) ?? 0n)) };
}

describe("against a real etcd", function () {
	this.timeout(60_000);
	let etcd: ChildProcess | undefined;
	let directory = "";
	let url = "";

	const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
		const response = await fetch(`${url}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
		return (await response.json()) as Record<string, unknown>;
	};

	before(async function () {
		if (spawnSync("etcd", ["--version"]).status !== 0) {
			skip(this, "no etcd in the path");
		}
		directory = await mkdtemp(join(tmpdir(), "barque-etcd-"));
		const [client, peer] = [await freePort(), await freePort()];
		url = `http://127.0.0.1:${client}`;
		const peerUrl = `http://127.0.0.1:${peer}`;
		const flags = ["--data-dir", directory, "--listen-client-urls", url, "--advertise-client-urls", url];
		flags.push("--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl);
		flags.push("--initial-cluster", `default=${peerUrl}`, "--unsafe-no-fsync");
		const known = spawnSync("etcd", ["--help"]).stdout.toString();
		etcd = spawn("etcd", known.includes("unsafe-no-fsync") ? flags : flags.slice(0, -1), { stdio: "ignore" });
		for (let attempt = 0; ; attempt++) {
			try {
				await post("maintenance/status", {});
				break;
			} catch (error) {
				if (attempt === 100) throw error;
				await new Promise((resolve) => setTimeout(resolve, 100));
			}
		}
	});

	after(async () => {
		if (etcd === undefined) return;
		etcd.kill("SIGKILL");
		await once(etcd, "exit");
		await rm(directory, { recursive: true });
	});

	it("errors, revisions and HashKV agree over random requests", async () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
		console.log(`    BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		const d = await Driver.open(new MemoryEngine());
		for (let i = 0; i < 600; i++) {
			let command = randomCommand(random, d.machine.revision);
			if (command.kind === "lease_grant") command = { ...command, ttl: 1000 };
			if (command.kind === "lease_revoke") command = { ...command, expired: false };
			const request = requestOf(command);
			if (request === undefined || !comparable(command)) continue;
			const theirs = await post(...request);
			const { outcome } = d.apply(command);
			const ours = outcome instanceof StoreError ? outcome.message : undefined;
			const step = `step ${i}: ${request[0]} ${JSON.stringify(request[1])}`;
			// Which of several errors of a transaction is told differs between etcd's versions.
			if (command.kind === "txn") assert.equal(ours === undefined, theirs["error"] === undefined, step);
			else assert.equal(ours, theirs["error"], step);
			const header = theirs["header"] as { revision: string } | undefined;
			const counted = command.kind !== "compact" && header !== undefined;
			if (counted) assert.equal(d.machine.revision, Number(header.revision), `step ${i}: ${request[0]}`);
			if (ours === undefined && command.kind === "txn" && outcome instanceof StoreError === false) {
				assert.ok(outcome.kind === "txn");
				assert.equal(
					outcome.result.succeeded,
					theirs["succeeded"] ?? false,
					`step ${i}: ${JSON.stringify(request[1])}`,
				);
			}
			if (i % 10 !== 0) continue;
			const hash = await hashKv(url);
			// With nothing alive, etcd hashes whatever its background compaction has not removed yet.
			if (d.machine.stats.keys === 0) continue;
			const own = await d.machine.hash(0);
			assert.equal(own.hash, hash.hash, `hash after step ${i}, revision ${d.machine.revision}`);
			assert.equal(own.compactRevision, hash.compactRevision);
		}
		await d.machine.close();
	});
});
