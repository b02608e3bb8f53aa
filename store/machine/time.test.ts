import assert from "node:assert/strict";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "./testing/driver.ts";
import { MachineTime, pauseThresholdMs } from "./time.ts";

describe("machine time", () => {
	it("is the greatest time seen", () => {
		const time = new MachineTime(1000, 0, 1);
		time.advance(2000, 1);
		time.advance(1500, 1);
		assert.equal(time.time, 2000);
		assert.equal(time.active, 2000);
	});

	it("does not age anything between terms, nor over a long gap", () => {
		const time = new MachineTime(1000, 0, 1);
		time.advance(3000, 2);
		assert.equal(time.active, 1000);
		time.advance(3000 + pauseThresholdMs, 2);
		assert.equal(time.active, 1000 + pauseThresholdMs);
		time.advance(time.time + pauseThresholdMs + 1, 2);
		assert.equal(time.active, 1000 + pauseThresholdMs);
		assert.equal(time.activeAt(time.time + 10), time.active + 10);
		assert.equal(time.activeAt(time.time + 60_000), time.active);
		assert.equal(time.activeAt(0), time.active);
	});
});

describe("leases in the machine", () => {
	let engine: MemoryEngine;
	let d: Driver;
	const second = () => {
		d.time += 1000;
		d.run({ kind: "tick" });
	};

	beforeEach(async () => {
		engine = new MemoryEngine();
		d = await Driver.open(engine);
	});
	afterEach(() => d.machine.close());

	it("expire by replicated time; the revocation deletes all keys in one revision, in order", () => {
		d.run({ kind: "lease_grant", id: 5n, ttl: 3 });
		for (const key of ["b", "a", "c"]) d.put(key, "", { lease: 5n });
		d.put("c", "without");
		const seen: string[] = [];
		d.machine.watch(
			{ key: bytes("a"), rangeEnd: bytes("z"), noPut: true },
			{ onBatch: (b) => seen.push(...b.events.map((e) => `${e.kv.key}@${e.kv.modRevision}`)), onEnd: assert.fail },
		);
		second();
		second();
		assert.deepEqual(d.machine.expiredLeases(d.time, 10), []);
		assert.equal(d.machine.leaseTimeToLive(5n, false).ttl, 1);
		assert.deepEqual(d.machine.expiredLeases(d.time + 1000, 10), [5n]);
		d.run({ kind: "lease_revoke", id: 5n, expired: true });
		assert.equal(d.machine.leases().length, 1, "not expired at the entry's time: nothing happens");
		second();
		d.run({ kind: "lease_revoke", id: 5n, expired: true });
		assert.deepEqual(d.machine.leaseTimeToLive(5n, true), { id: 5n, ttl: -1, grantedTtl: 0, keys: [] });
		assert.deepEqual(seen, ["a@6", "b@6"]);
		assert.deepEqual(d.get("c")?.value, bytes("without"));
	});

	it("are kept alive by renewals, which the next leader knows of", () => {
		d.run({ kind: "lease_grant", id: 5n, ttl: 3 });
		for (let i = 0; i < 10; i++) {
			second();
			d.run({ kind: "lease_keepalive", ids: [5n] });
		}
		d.term++;
		second();
		second();
		assert.equal(d.machine.leaseTimeToLive(5n, false).ttl, 2, "the first entry of a term ages nothing");
	});

	it("survive an outage that nobody could have renewed them in", () => {
		d.run({ kind: "lease_grant", id: 5n, ttl: 10 });
		d.time += 3_600_000;
		d.term++;
		assert.deepEqual(d.machine.expiredLeases(d.time, 10), []);
		d.run({ kind: "tick" });
		assert.equal(d.machine.leaseTimeToLive(5n, false).ttl, 10);
	});

	it("survive a restart with their deadline and keys", async () => {
		d.run({ kind: "lease_grant", id: 5n, ttl: 10 });
		d.put("a", "", { lease: 5n });
		second();
		await d.machine.sync();
		d = await Driver.open(engine.crash());
		const found = d.machine.leaseTimeToLive(5n, true);
		assert.deepEqual([found.ttl, found.grantedTtl, String(found.keys)], [9, 10, "a"]);
	});

	it("get an id from the entry when none is asked for", () => {
		const grant = () => {
			const outcome = d.run({ kind: "lease_grant", id: 0n, ttl: 10 });
			return outcome.kind === "lease_grant" ? outcome.result.id : 0n;
		};
		const ids = [grant(), grant(), grant()];
		assert.equal(new Set(ids).size, 3);
		for (const id of ids) assert.ok(id > 0n && id < 2n ** 63n);
	});
});
