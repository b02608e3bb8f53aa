import assert from "node:assert/strict";
import type { Clock } from "../../kit/clock.ts";
import { type StoreClient, StoreError } from "../api.ts";
import { LeaseKeeper } from "./lease.ts";

/** Moved by hand. */
class HandClock implements Clock {
	#time = 0;
	#timers: { readonly at: number; readonly run: () => void }[] = [];

	now(): number {
		return this.#time;
	}

	monotonic(): number {
		return this.#time;
	}

	after(ms: number, run: () => void) {
		const timer = { at: this.#time + ms, run };
		this.#timers.push(timer);
		return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) };
	}

	every(): never {
		throw new Error("not used");
	}

	get pending(): number {
		return this.#timers.length;
	}

	async forward(ms: number): Promise<void> {
		const until = this.#time + ms;
		for (;;) {
			const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
			if (next === undefined) break;
			this.#timers = this.#timers.filter((one) => one !== next);
			this.#time = Math.max(this.#time, next.at);
			next.run();
			await new Promise((resolve) => setImmediate(resolve));
		}
		this.#time = until;
	}
}

describe("store/client/lease", () => {
	const keep = (answers: () => Promise<{ ttl: number }>) => {
		const clock = new HandClock();
		const lost: StoreError[] = [];
		const client = { leaseKeepAlive: answers } as unknown as StoreClient;
		const keeper = new LeaseKeeper(client, 1n, 9, 0, { clock, onLost: (error) => void lost.push(error) });
		return { clock, lost, keeper };
	};

	it("is told lost at the end of its TTL, although a renewal is still being tried", async () => {
		let answer: (ttl: { ttl: number }) => void = () => {};
		const { clock, lost, keeper } = keep(
			() =>
				new Promise((resolve) => {
					answer = resolve;
				}),
		);
		await clock.forward(8999);
		assert.deepEqual([keeper.alive, lost.length], [true, 0]);
		await clock.forward(1);
		assert.deepEqual([keeper.alive, lost.map(({ code }) => code)], [false, ["timeout"]]);
		answer({ ttl: 9 });
		await clock.forward(100_000);
		assert.deepEqual([keeper.alive, lost.length, clock.pending], [false, 1, 0]);
	});

	it("lives on through failing renewals that one answers in time, and ends when the store says so", async () => {
		let renewals = 0;
		const { clock, lost, keeper } = keep(async () => {
			renewals++;
			if (renewals % 3 !== 0) throw new StoreError("unavailable", "no leader");
			return { ttl: renewals < 12 ? 9 : 0 };
		});
		await clock.forward(20_000);
		assert.equal(keeper.alive, true);
		await clock.forward(100_000);
		assert.deepEqual([keeper.alive, lost.map(({ code }) => code), clock.pending], [false, ["lease_not_found"], 0]);
	});
});
