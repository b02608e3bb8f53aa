/** Transactions over several keys, lists that are appended to and registers that are written, judged by their cycles. */
import { checkListAppend, checkReadWrite, type MicroOp, type Transaction } from "../checkers/cycles.ts";
import type { Operation } from "../history.ts";
import { found, type KvTarget, type Op, TargetError, unchanged } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, timed, type Workload } from "./workload.ts";

/** As drawn: reads have no result yet. */
interface Step {
	readonly f: "append" | "write" | "read";
	readonly key: string;
	readonly value?: string | undefined;
}

const stepsEach = 60;
const keysEach = 3;

/** Reads all keys at one revision, and writes if nothing of them has changed since. */
class TransactionActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	readonly #write: "append" | "write";
	#drawn = 0;
	#values = 0;

	constructor(target: KvTarget, options: ActorOptions, write: "append" | "write") {
		this.#target = target;
		this.#options = options;
		this.#write = write;
	}

	/** Keys are left behind after a while, so that lists stay short. */
	get #era(): number {
		return Math.floor(this.#drawn / stepsEach);
	}

	#key(era: number, place: number): string {
		return `${this.#write}/${era}.${place}`;
	}

	/** Of the keys of now and just before: what was written last. */
	#lastReads(): Step[] {
		const eras = [Math.max(0, this.#era - 1), this.#era];
		return [...new Set(eras)].flatMap((era) =>
			Array.from({ length: keysEach }, (_, i): Step => ({ f: "read", key: this.#key(era, i) })),
		);
	}

	next(): Invocation {
		const { random, name } = this.#options;
		const era = this.#era;
		this.#drawn++;
		const value = Array.from({ length: 1 + random.int(4) }, (): Step => {
			const key = this.#key(era, random.int(keysEach));
			if (random.int(2) === 0) return { f: "read", key };
			return { f: this.#write, key, value: `${name}.${++this.#values}` };
		});
		return { f: "txn", value };
	}

	async perform({ f, value }: Invocation): Promise<readonly MicroOp[]> {
		const steps = f === "read-last" ? this.#lastReads() : (value as readonly Step[]);
		const keys = [...new Set(steps.map((step) => step.key))];
		const read = await this.#readAll(keys);
		const state = new Map(keys.map((key, i) => [key, read[i]?.value]));
		const done = steps.map((step) => this.#step(state, step));
		const written = [...new Set(steps.filter((step) => step.f !== "read").map((step) => step.key))];
		if (written.length === 0) return done;
		const { succeeded } = await this.#target.txn({
			compare: keys.map((key, i) => unchanged(key, read[i])),
			success: written.map((key): Op => ({ op: "put", key, value: state.get(key) ?? "" })),
			failure: [],
		});
		if (!succeeded) throw new TargetError("no", "conflict");
		return done;
	}

	/** An error of this part means that nothing was written. */
	async #readAll(keys: readonly string[]) {
		try {
			const success = keys.map((key): Op => ({ op: "range", key }));
			const { answers } = await this.#target.txn({ compare: [], success, failure: [] });
			return answers.map(found);
		} catch (error) {
			if (error instanceof TargetError) throw new TargetError("no", error.message, error);
			throw error;
		}
	}

	#step(state: Map<string, string | undefined>, step: Step): MicroOp {
		const { f, key, value = "" } = step;
		const before = state.get(key);
		if (f === "append") {
			state.set(key, before === undefined ? value : `${before} ${value}`);
			return { f, key, value };
		}
		if (f === "write") {
			state.set(key, value);
			return { f, key, value };
		}
		if (this.#write === "write") return { f, key, value: before ?? null };
		return { f, key, list: before === undefined ? [] : before.split(" ") };
	}
}

function toTransaction(op: Operation): Transaction {
	const steps = (op.value ?? []) as readonly Step[];
	const writes = steps.filter((step) => step.f !== "read") as readonly MicroOp[];
	return { ...timed(op), status: op.type, ops: op.type === "ok" ? (op.result as readonly MicroOp[]) : writes };
}

export const append: Workload<KvTarget> = {
	name: "append",
	summary: "transactions that read and append to lists; strict serializable, without a cycle",
	rate: 150,
	actor: (target, options) => new TransactionActor(target, options, "append"),
	finish: { invocation: { f: "read-last" }, by: "all" },
	check: (history) => checkListAppend(history.map(toTransaction)),
};

export const rw: Workload<KvTarget> = {
	name: "rw",
	summary: "transactions that read and write registers; strict serializable, without a cycle",
	rate: 150,
	actor: (target, options) => new TransactionActor(target, options, "write"),
	finish: { invocation: { f: "read-last" }, by: "all" },
	check: (history) => checkReadWrite(history.map(toTransaction)),
};
