/**
 * Compacts the store's history every five minutes, to the revision it had five minutes before. Replicas agree by a
 * compare-and-swap on `compact_rev_key`, whose version counts the rounds: the winner compacts, the others follow.
 */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { StoreClient } from "../../store/api.ts";

const key = Buffer.from("compact_rev_key");

export interface CompactorOptions {
	readonly store: StoreClient;
	readonly clock: Clock;
	readonly log: Logger;
	readonly intervalMs: number;
	readonly onCompacted: (revision: number) => void;
}

export class Compactor {
	readonly #options: CompactorOptions;
	#timer: Timer | undefined;
	#stopped = false;
	/** Rounds counted so far, and the revision when this replica last looked. */
	#round = 0;
	#revision = 0;

	constructor(options: CompactorOptions) {
		this.#options = options;
	}

	start(): void {
		const { clock, intervalMs } = this.#options;
		if (intervalMs <= 0) return;
		this.#timer = clock.after(intervalMs, () => {
			void this.compactOnce().finally(() => {
				if (!this.#stopped) this.start();
			});
		});
	}

	stop(): void {
		this.#stopped = true;
		this.#timer?.cancel();
	}

	/** One round; a failure is logged, and the next round tries again. */
	async compactOnce(): Promise<void> {
		const { store, log } = this.#options;
		try {
			const result = await store.txn({
				compare: [{ key, target: "version", result: "equal", operand: this.#round }],
				success: [{ op: "put", key, value: Buffer.from(String(this.#revision)) }],
				failure: [{ op: "range", key }],
			});
			const current = result.header.revision;
			if (!result.succeeded) {
				const answer = result.responses[0];
				const kv = answer?.op === "range" ? answer.kvs[0] : undefined;
				this.#round = kv?.version ?? 0;
				this.#revision = current;
				return;
			}
			const target = this.#revision;
			this.#round++;
			this.#revision = current;
			if (target === 0) return;
			await store.compact({ revision: target });
			this.#options.onCompacted(target);
			log.info("store compacted", { revision: target });
		} catch (error) {
			if (!this.#stopped) log.warn("compaction failed", { error });
		}
	}
}
