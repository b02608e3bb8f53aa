/** Writes to a few keys under many watches: all see one order, nothing missing, and replaying one gives the state. */

import { sleep } from "../../kit/clock.ts";
import { append } from "../../kit/lists.ts";
import type { Violation } from "../checkers/violation.ts";
import {
	checkReplay,
	checkWatches,
	coveredTo,
	type WatchedBatch,
	type WatchedState,
	type WatchRecording,
} from "../checkers/watch.ts";
import type { Operation } from "../history.ts";
import { type Kv, type KvTarget, listPrefix, TargetError, type WatchOptions } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, pick, type Workload } from "./workload.ts";

const prefix = "w/";
const end = "w0";
const keys = ["w/0", "w/1", "w/2", "w/3"];
const patienceMs = 10_000;

/** Result of `collect`: what a client's watches got, and what a read showed once they had caught up. */
interface Collected {
	readonly watches: readonly WatchRecording[];
	/** Place of the watch of everything that caught up. */
	readonly whole: number;
	readonly ended: readonly string[];
	readonly revision: number;
	readonly state: WatchedState;
}

interface Watching {
	readonly recording: WatchRecording;
	requestProgress(): void;
	cancel(): void;
}

function stateOf(kvs: readonly Kv[]): WatchedState {
	return Object.fromEntries(kvs.map(({ key, value, modRevision }) => [key, { value, modRevision }]));
}

class WatchActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	readonly #watches: Watching[] = [];
	readonly #ended: string[] = [];
	/** Of everything, from the state in `base` on. */
	#whole: Watching;
	#values = 0;
	#revision = 1;

	constructor(target: KvTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
		this.#whole = this.#watch({ key: prefix, end, startRevision: 1, prevKv: options.index % 2 === 0 });
	}

	#watch(options: WatchOptions, base?: WatchedState): Watching {
		const batches: WatchedBatch[] = [];
		const name = `${this.#options.name}/${this.#watches.length} ${options.end === undefined ? options.key : `${options.key}*`} from ${options.startRevision}`;
		const recording: WatchRecording & { compactedAt?: number } = { name, ...options, batches, base };
		const handle = this.#target.watch(
			options,
			(batch) => void batches.push(batch),
			(reason, compactedAt) => {
				if (compactedAt === undefined) this.#ended.push(`${name}: ${reason}`);
				else recording.compactedAt = compactedAt;
			},
		);
		const watching = { recording, requestProgress: () => handle.requestProgress(), cancel: () => handle.cancel() };
		this.#watches.push(watching);
		return watching;
	}

	/** What a watch lost to a compaction is only known by its state: it begins anew from there, as an informer does. */
	async #beginAnew(): Promise<void> {
		const { revision, kvs } = await listPrefix(this.#target, prefix);
		const { prevKv } = this.#whole.recording;
		this.#whole = this.#watch({ key: prefix, end, startRevision: revision + 1, prevKv }, stateOf(kvs));
	}

	next(): Invocation {
		const { random, name } = this.#options;
		const key = pick(random, keys);
		const dice = random.int(20);
		if (dice === 0 && this.#watches.length < 6) return { f: "watch", key, value: this.#revision + 1 };
		if (dice < 5) return { f: "delete", key };
		return { f: "put", key, value: `${name}.${++this.#values}` };
	}

	async perform({ f, key = "", value }: Invocation): Promise<unknown> {
		if (f === "watch") {
			this.#watch({ key, startRevision: value as number, prevKv: this.#options.random.int(2) === 0 });
			return undefined;
		}
		if (this.#whole.recording.compactedAt !== undefined) await this.#beginAnew();
		if (f === "collect") return this.#collect();
		const { revision } = f === "put" ? await this.#target.put(key, value as string) : await this.#target.delete(key);
		this.#revision = Math.max(this.#revision, revision);
		return revision;
	}

	/** The state, and then a last write: a watch that has come to it has seen all that made the state. */
	async #collect(): Promise<Collected> {
		const { revision, kvs } = await listPrefix(this.#target, prefix);
		const { revision: newest } = await this.#target.put(`${prefix}last`, this.#options.name);
		const { clock } = this.#options;
		const deadline = clock.monotonic() + patienceMs;
		while (coveredTo(this.#whole.recording) < newest) {
			const isLost = this.#whole.recording.compactedAt !== undefined;
			if (isLost || clock.monotonic() > deadline) throw new TargetError("no", `the watch is behind revision ${newest}`);
			for (const watch of this.#watches) watch.requestProgress();
			await sleep(clock, 50);
		}
		const recorded = this.#watches.map(({ recording }) => ({ ...recording, batches: [...recording.batches] }));
		const whole = this.#watches.indexOf(this.#whole);
		const forgottenTo = await this.#compactedTo(newest, deadline);
		const watches = recorded.map((recording) => ({ ...recording, forgottenTo }));
		return { watches, whole, ended: [...this.#ended], revision, state: stateOf(kvs) };
	}

	/** The revision of the last compaction, 0 before the first: told by a watch from the beginning on to what was just written. */
	async #compactedTo(newest: number, deadline: number): Promise<number> {
		const { clock } = this.#options;
		let told: number | undefined;
		let refusal: string | undefined;
		const probe = this.#target.watch(
			{ key: `${prefix}last`, startRevision: 1, prevKv: false },
			({ revision }) => {
				if (revision >= newest) told ??= 0;
			},
			(reason, compactedAt) => {
				if (compactedAt === undefined) refusal = reason;
				else told ??= compactedAt;
			},
		);
		try {
			while (told === undefined) {
				if (refusal !== undefined) throw new TargetError("no", refusal);
				if (clock.monotonic() > deadline) throw new TargetError("no", "a watch from the beginning tells nothing");
				await sleep(clock, 50);
			}
			return told;
		} finally {
			probe.cancel();
		}
	}

	close(): void {
		for (const watch of this.#watches) watch.cancel();
	}
}

function check(history: readonly Operation[], finished: boolean): Violation[] {
	const collected = history.flatMap((op) => (op.f === "collect" && op.type === "ok" ? [op.result as Collected] : []));
	const violations = checkWatches(collected.flatMap((each) => each.watches));
	for (const { watches, whole, ended, revision, state } of collected) {
		append(violations, checkReplay(watches[whole]!, new Map(Object.entries(state)), revision));
		for (const reason of ended) violations.push({ kind: "watch-ended", message: reason, witness: [] });
	}
	if (finished && collected.length === 0) {
		violations.push({ kind: "watch-behind", message: "no client's watch caught up", witness: [] });
	}
	return violations;
}

export const watch: Workload<KvTarget> = {
	name: "watch",
	summary: "writes under many watches; all see one order without gaps, and a replay gives the state",
	rate: 150,
	actor: (target, options) => new WatchActor(target, options),
	finish: { invocation: { f: "collect" }, by: "all" },
	check,
};
