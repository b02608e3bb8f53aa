/** A target whose every key lies under a prefix, so that a run in somebody's store touches nothing else. */
import type { Kv, KvTarget, Op, OpAnswer } from "../workloads/target.ts";

export function prefixed(target: KvTarget, prefix: string): KvTarget {
	const strip = (kv: Kv): Kv => ({ ...kv, key: kv.key.slice(prefix.length) });
	const into = <T extends { readonly key: string; readonly end?: string | undefined }>(op: T): T => ({
		...op,
		key: prefix + op.key,
		...(op.end === undefined ? {} : { end: prefix + op.end }),
	});
	const outOf = (answer: OpAnswer): OpAnswer =>
		answer.op === "range" ? { ...answer, kvs: answer.kvs.map(strip) } : answer;
	return {
		range: async (op) => {
			const answer = await target.range(into(op));
			return { ...answer, kvs: answer.kvs.map(strip) };
		},
		put: (key, value, lease) => target.put(prefix + key, value, lease),
		delete: (key, end) => target.delete(prefix + key, end === undefined ? undefined : prefix + end),
		txn: async ({ compare, success, failure }) => {
			const inside = (ops: readonly Op[]) => ops.map((op) => into(op));
			const answer = await target.txn({
				compare: compare.map((each) => ({ ...each, key: prefix + each.key })),
				success: inside(success),
				failure: inside(failure),
			});
			return { ...answer, answers: answer.answers.map(outOf) };
		},
		leaseGrant: (ttl) => target.leaseGrant(ttl),
		leaseKeepAlive: (lease) => target.leaseKeepAlive(lease),
		leaseRevoke: (lease) => target.leaseRevoke(lease),
		watch: (options, onBatch, onEnd) =>
			target.watch(
				into(options),
				(batch) => {
					const events = batch.events.map((event) => ({ ...event, key: event.key.slice(prefix.length) }));
					onBatch({ ...batch, events });
				},
				onEnd,
			),
		close: () => target.close(),
	};
}
