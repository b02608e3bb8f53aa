import assert from "node:assert/strict";
import type { RequestOp, StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { sessionTtlMs } from "./sessions.ts";
import { bytes, Driver } from "./testing/driver.ts";
import type { Command } from "./types.ts";

const put = (key: string, more: object = {}): Command => ({ kind: "put", key: bytes(key), value: bytes("v"), ...more });

describe("sessions", () => {
	let engine: MemoryEngine;
	let d: Driver;
	const limits = { maxSessions: 3, maxAnswers: 3, maxSessionBytes: 40_000, maxBytes: 60_000 };
	const open = (session: bigint) => d.run({ kind: "session_open", limits }, { session });
	const send = (session: bigint, sequence: number, command: Command, acknowledged = 0) =>
		d.apply(command, { session, sequence, acknowledged });
	const code = (applied: { outcome: unknown }) => (applied.outcome as StoreError).code;

	beforeEach(async () => {
		engine = new MemoryEngine();
		d = await Driver.open(engine);
	});
	afterEach(() => d.machine.close());

	it("answer a retry with the recorded answer and revision, and apply once", () => {
		open(1n);
		d.put("a", "old");
		const first = send(1n, 1, put("a", { prevKv: true }));
		d.put("b");
		const again = send(1n, 1, put("a", { prevKv: true }));
		assert.deepEqual(again.outcome, first.outcome);
		assert.equal(again.revision, first.revision);
		assert.equal(d.get("a")?.version, 2);
	});

	it("record transactions, deletes, grants and revocations whole", () => {
		open(1n);
		d.put("a", "1");
		const ops: RequestOp[] = [
			{ op: "put", key: bytes("a"), value: bytes("2"), prevKv: true },
			{ op: "range", key: bytes("a"), rangeEnd: bytes("\0"), limit: 1 },
			{ op: "txn", compare: [], success: [{ op: "delete", key: bytes("x"), prevKv: true }], failure: [] },
		];
		const commands: Command[] = [
			{ kind: "txn", compare: [], success: ops, failure: [] },
			{ kind: "delete", key: bytes("a"), prevKv: true },
			{ kind: "lease_grant", id: 0n, ttl: 5 },
			{ kind: "compact", revision: 2 },
		];
		for (const [i, command] of commands.entries()) {
			const first = send(1n, i + 1, command, i);
			assert.deepEqual(send(1n, i + 1, command, i).outcome, first.outcome, command.kind);
		}
		assert.equal(d.machine.leases().length, 1);
	});

	it("never run a late copy of what was answered as without effect", async () => {
		open(1n);
		const attach = put("a", { lease: 9n });
		const create: Command = {
			kind: "txn",
			compare: [{ key: bytes("b"), target: "create", result: "equal", operand: 0 }],
			success: [{ op: "put", key: bytes("b"), value: bytes("ghost") }],
			failure: [],
		};
		assert.equal(code(send(1n, 1, attach)), "lease_not_found");
		d.put("b", "there");
		assert.equal((send(1n, 2, create).outcome as { result: { succeeded: boolean } }).result.succeeded, false);
		assert.deepEqual(send(1n, 3, { kind: "delete", key: bytes("c") }).outcome, {
			kind: "delete",
			result: { deleted: 0, prevKvs: [] },
		});
		d.run({ kind: "lease_grant", id: 9n, ttl: 5 });
		d.run({ kind: "delete", key: bytes("b") });
		d.put("c", "new");
		for (const restarted of [false, true]) {
			if (restarted) {
				await d.machine.sync();
				d = await Driver.open(engine.crash());
			}
			const { revision } = d.machine;
			for (const [sequence, command] of [attach, create, { kind: "delete", key: bytes("c") } as const].entries()) {
				assert.equal(code(send(1n, sequence + 1, command)), "not_applied");
			}
			assert.equal(d.machine.revision, revision);
		}
		assert.deepEqual(send(1n, 4, attach).outcome, { kind: "put", result: {} }, "but under a new number");
	});

	it("refuse requests of a session not open, and acknowledged or forgotten ones", () => {
		assert.equal(code(send(1n, 1, put("a"))), "session_expired");
		open(1n);
		for (let i = 1; i <= 5; i++) send(1n, i, put("a"));
		assert.equal(code(send(1n, 2, put("a"))), "session_expired", "beyond maxAnswers the oldest is forgotten");
		assert.deepEqual(send(1n, 3, put("a")).outcome, { kind: "put", result: {} });
		send(1n, 6, put("a"), 4);
		assert.equal(code(send(1n, 4, put("a"), 4)), "session_expired");
		assert.equal(d.get("a")?.version, 6, "nothing applied twice");
		d.run({ kind: "session_close" }, { session: 1n });
		assert.equal(code(send(1n, 6, put("a"))), "session_expired");
	});

	it("end after their time without use, by replicated time", () => {
		open(1n);
		open(2n);
		for (let i = 0; i <= sessionTtlMs / 1000; i++) {
			d.time += 1000;
			send(2n, 0, { kind: "tick" });
		}
		assert.equal(d.machine.sessionCount, 1);
		assert.equal(code(send(1n, 1, put("a"))), "session_expired");
		assert.deepEqual(send(2n, 1, put("a")).outcome, { kind: "put", result: {} });
	});

	it("give way to new ones beyond the limit, the longest unused first", () => {
		open(1n);
		open(2n);
		open(3n);
		send(1n, 1, put("a"));
		open(4n);
		assert.equal(d.machine.sessionCount, 3);
		assert.equal(code(send(2n, 1, put("a"))), "session_expired");
		assert.deepEqual(send(1n, 1, put("a")).outcome, { kind: "put", result: {} });
	});

	it("remember an answer too large to keep as applied", () => {
		open(1n);
		d.run({ kind: "put", key: bytes("big"), value: Buffer.alloc(20_000) });
		send(1n, 1, { kind: "delete", key: bytes("big"), prevKv: true });
		const again = send(1n, 1, { kind: "delete", key: bytes("big"), prevKv: true });
		assert.equal(code(again), "outcome_unknown");
		assert.match((again.outcome as StoreError).message, /applied at revision 3/);
	});

	it("stay within their bytes", () => {
		for (let i = 1; i <= 60; i++) {
			const session = BigInt(1 + (i % 3));
			open(session);
			d.run({ kind: "put", key: bytes("k"), value: Buffer.alloc(15_000) });
			send(session, i, { kind: "delete", key: bytes("k"), prevKv: true });
			assert.ok(d.machine.stats.sessionBytes <= 60_000);
		}
	});

	it("keep the limits of their entry over restarts and snapshots; without any they have the default ones", async () => {
		open(1n);
		d.run({ kind: "session_open" }, { session: 2n });
		await d.machine.sync();
		d = await Driver.open(engine.crash());
		const other = await Driver.open(new MemoryEngine());
		const { meta, chunks } = d.machine.snapshot();
		await other.machine.restore(meta, chunks);
		for (const each of [d, other]) {
			for (const session of [1n, 2n]) {
				for (let i = 1; i <= 4; i++) each.run(put("a"), { session, sequence: i });
			}
			assert.equal(code(each.apply(put("a"), { session: 1n, sequence: 1 })), "session_expired");
			assert.deepEqual(each.apply(put("a"), { session: 2n, sequence: 1 }).outcome, { kind: "put", result: {} });
		}
		await other.machine.close();
	});

	it("are not part of the hash, and survive restarts and snapshots", async () => {
		const plain = await Driver.open(new MemoryEngine());
		plain.put("a", "v");
		open(1n);
		send(1n, 1, put("a"));
		assert.deepEqual(await d.machine.hash(0), await plain.machine.hash(0));
		await plain.machine.close();
		await d.machine.sync();
		d = await Driver.open(engine.crash());
		assert.deepEqual(send(1n, 1, put("a")).outcome, { kind: "put", result: {} });
		const other = await Driver.open(new MemoryEngine());
		const { meta, chunks } = d.machine.snapshot();
		await other.machine.restore(meta, chunks);
		await d.machine.close();
		d = other;
		send(1n, 1, put("a"));
		assert.equal(d.get("a")?.version, 1);
	});
});
