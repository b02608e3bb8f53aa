/** A target that loses answers as a network does, and one that lies in a chosen way, to see that workloads notice. */
import type { Random } from "../../kit/random.ts";
import { type KvTarget, TargetError } from "../workloads/target.ts";

/** Some requests are refused, some are answered by nobody, applied or not; all of it within a store's rights. */
export function lossy(target: KvTarget, random: Random, share: number): KvTarget {
	async function pass<T>(send: () => Promise<T>): Promise<T> {
		if (random.float() >= share) return send();
		const kind = random.int(3);
		if (kind === 0) throw new TargetError("no", "refused");
		if (kind === 1) await send();
		throw new TargetError("unknown", "no answer");
	}
	return {
		...target,
		range: (op) => pass(() => target.range(op)),
		put: (key, value, lease) => pass(() => target.put(key, value, lease)),
		delete: (key, end) => pass(() => target.delete(key, end)),
		txn: (txn) => pass(() => target.txn(txn)),
		leaseGrant: (ttl) => pass(() => target.leaseGrant(ttl)),
	};
}

export type Lie = "stale-read" | "lost-write" | "double-write" | "blind-swap" | "lost-event" | "torn-snapshot";

/** Shared by the clients of one lying store. */
export function liar(random: Random, share: number, lie: Lie): (target: KvTarget) => KvTarget {
	const old = new Map<string, Awaited<ReturnType<KvTarget["range"]>>>();
	const lies = (kind: Lie) => kind === lie && random.float() < share;
	return (target) => ({
		...target,
		range: async (op) => {
			const id = JSON.stringify(op);
			const before = old.get(id);
			if (before !== undefined && lies("stale-read")) return before;
			const answer = await target.range(op);
			if (before === undefined || random.int(10) === 0) old.set(id, answer);
			if (answer.kvs.length < 2 || !lies("torn-snapshot")) return answer;
			const [first] = answer.kvs;
			return { ...answer, kvs: [{ ...first!, value: String(Number(first!.value) + 1) }, ...answer.kvs.slice(1)] };
		},
		put: async (key, value, lease) => {
			if (lies("lost-write")) return { revision: (await target.range({ key })).revision + 1 };
			const answer = await target.put(key, value, lease);
			return lies("double-write") ? target.put(`${key}x`, value, lease) : answer;
		},
		txn: (txn) => target.txn(lies("blind-swap") ? { ...txn, compare: [] } : txn),
		watch: (options, onBatch, onEnd) =>
			target.watch(
				options,
				(batch) => onBatch(lies("lost-event") ? { ...batch, events: batch.events.slice(1) } : batch),
				onEnd,
			),
	});
}
