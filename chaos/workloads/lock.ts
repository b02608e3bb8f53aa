/**
 * Locks and elections on leases. Now and then a holder stalls for longer than its lease lives, as a process does that is
 * swapped out or collects garbage: a lock alone cannot protect what it guards from that, a fencing token can.
 */
import { type Clock, sleep } from "../../kit/clock.ts";
import { checkElection } from "../checkers/election.ts";
import { checkGuarded, checkLast, checkMutualExclusion } from "../checkers/lock.ts";
import type { Operation } from "../history.ts";
import { found, type KvTarget, listPrefix, TargetError } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, pick, timed, type Workload } from "./workload.ts";

/** Seconds; etcd raises it to its smallest. */
const ttl = 2;
const renewMs = 500;
const stallMs = 4000;
const workMs = 30;

/** A lease that is renewed until stopped. */
class HeldLease {
	readonly id: string;
	readonly #target: KvTarget;
	readonly #clock: Clock;
	#stopped = false;
	#stalled = false;

	private constructor(target: KvTarget, clock: Clock, id: string) {
		this.#target = target;
		this.#clock = clock;
		this.id = id;
		this.#schedule();
	}

	static async grant(target: KvTarget, clock: Clock): Promise<HeldLease> {
		return new HeldLease(target, clock, await target.leaseGrant(ttl));
	}

	#schedule(): void {
		this.#clock.after(renewMs, () => {
			if (this.#stopped) return;
			const renewed = this.#stalled ? Promise.resolve(true) : this.#target.leaseKeepAlive(this.id);
			const next = () => this.#schedule();
			renewed.then(next, next);
		});
	}

	/** The holder stands still. */
	stall(): void {
		this.#stalled = true;
	}

	/** Without waiting: what cannot be revoked expires. */
	async end(): Promise<void> {
		this.#stopped = true;
		try {
			await this.#target.leaseRevoke(this.id);
		} catch (error) {
			if (!(error instanceof TargetError)) throw error;
		}
	}
}

/** Creates `key` under the lease if nobody has it. Resolves to its create revision, the fencing token. */
async function take(target: KvTarget, key: string, value: string, lease: string): Promise<number | undefined> {
	const { succeeded, revision } = await target.txn({
		compare: [{ key, target: "create", result: "equal", operand: 0 }],
		success: [{ op: "put", key, value, lease }],
		failure: [],
	});
	return succeeded ? revision : undefined;
}

function giveBack(target: KvTarget, key: string, token: number) {
	const compare = [{ key, target: "create", result: "equal", operand: token }] as const;
	return target.txn({ compare, success: [{ op: "delete", key }], failure: [] });
}

/** Of one turn under the lock. */
interface Turn {
	readonly token: number;
	readonly read: string;
	readonly wrote: string;
	/** Revision of the write. */
	readonly order: number;
	/** When the lock was certainly ours, on the testers' clock, ms. */
	readonly heldFrom: number;
	readonly heldTo: number;
}

const guardedPrefix = "guarded/";
/** Of `look`: what each lock guards, by the lock's name. */
type Guarded = Readonly<Record<string, string>>;

/** Ms to the thousandth: finer would only be longer to read. */
function micros(ms: number): number {
	return Math.round(ms * 1000) / 1000;
}

class LockActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	readonly #fenced: boolean;
	#turns = 0;

	constructor(target: KvTarget, options: ActorOptions, fenced: boolean) {
		this.#target = target;
		this.#options = options;
		this.#fenced = fenced;
	}

	next(): Invocation {
		const { random, name } = this.#options;
		const key = pick(random, ["0", "1"]);
		return { f: "turn", key, value: { wrote: `${name}.${++this.#turns}`, stalls: random.int(8) === 0 } };
	}

	async perform(invocation: Invocation): Promise<Turn | Guarded> {
		return invocation.f === "look" ? this.#look() : this.#turn(invocation);
	}

	async #look(): Promise<Guarded> {
		const { kvs } = await listPrefix(this.#target, guardedPrefix);
		return Object.fromEntries(kvs.map((kv) => [kv.key.slice(guardedPrefix.length), kv.value]));
	}

	async #turn({ key = "", value }: Invocation): Promise<Turn> {
		const { wrote, stalls } = value as { readonly wrote: string; readonly stalls: boolean };
		const { clock } = this.#options;
		const lease = await definite(() => HeldLease.grant(this.#target, clock));
		try {
			const lock = `lock/${key}`;
			const token = await definite(() => take(this.#target, lock, wrote, lease.id));
			if (token === undefined) throw new TargetError("no", "locked by another");
			const heldFrom = clock.monotonic();
			const guarded = `${guardedPrefix}${key}`;
			const read = (await definite(() => this.#target.range({ key: guarded }))).kvs[0]?.value ?? "";
			if (stalls) lease.stall();
			await sleep(clock, stalls ? stallMs : workMs);
			const order = await this.#write(guarded, wrote, lock, token);
			const heldTo = clock.monotonic();
			await giveBack(this.#target, lock, token).catch(ignoreTargetError);
			return { token, read, wrote, order, heldFrom: micros(heldFrom), heldTo: micros(heldTo) };
		} finally {
			await lease.end();
		}
	}

	async #write(key: string, value: string, lock: string, token: number): Promise<number> {
		if (!this.#fenced) return (await this.#target.put(key, value)).revision;
		const { succeeded, revision } = await this.#target.txn({
			compare: [{ key: lock, target: "create", result: "equal", operand: token }],
			success: [{ op: "put", key, value }],
			failure: [],
		});
		if (!succeeded) throw new TargetError("no", "the lock was lost; the fence held");
		return revision;
	}
}

function ignoreTargetError(error: unknown): void {
	if (!(error instanceof TargetError)) throw error;
}

/** A step before the one that counts: when it fails, the guarded thing was not written. */
async function definite<T>(step: () => Promise<T>): Promise<T> {
	try {
		return await step();
	} catch (error) {
		if (error instanceof TargetError) throw new TargetError("no", error.message, error);
		throw error;
	}
}

function turns(history: readonly Operation[]) {
	return history.flatMap((op) => (op.f === "turn" && op.type === "ok" ? [{ op, turn: op.result as Turn }] : []));
}

function checkTurns(history: readonly Operation[]) {
	return [...new Set(history.flatMap((op) => op.key ?? []))].flatMap((key) => {
		const mine = history.filter((op) => op.key === key);
		const complete = mine.every((op) => op.type !== "info");
		const writes = turns(mine).map(({ op, turn }) => ({ ...timed(op), ...turn }));
		const looks = history.flatMap((op) =>
			op.f === "look" && op.type === "ok" ? [{ ...timed(op), value: (op.result as Guarded)[key] ?? "" }] : [],
		);
		return [...checkGuarded(writes, complete), ...checkLast(key, writes, looks)];
	});
}

const finish = { invocation: { f: "look" }, by: "all" } as const;

export const lock: Workload<KvTarget> = {
	name: "lock",
	summary: "locks on leases whose holders write with a fencing token; no update is lost, though holders stall",
	rate: 30,
	actor: (target, options) => new LockActor(target, options, true),
	finish,
	check: checkTurns,
};

export const lockUnfenced: Workload<KvTarget> = {
	name: "lock-unfenced",
	summary: "the same without the token: wrong by design, to be caught",
	rate: 30,
	actor: (target, options) => new LockActor(target, options, false),
	finish,
	check: (history) => [
		...checkMutualExclusion(
			turns(history).map(({ op, turn }) => ({
				name: `${op.process} ${turn.wrote}`,
				lock: `lock/${op.key}`,
				from: turn.heldFrom,
				to: turn.heldTo,
			})),
		),
		...checkTurns(history),
	],
};

// ---- election ----

const seat = "election/leader";

/** Of `campaign` when elected, and of `observe` when there is a leader. */
interface Leadership {
	readonly leader: string;
	readonly term: number;
}

class ElectionActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	#reign: { readonly lease: HeldLease; readonly term: number } | undefined;

	constructor(target: KvTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
	}

	next(): Invocation {
		const dice = this.#options.random.int(10);
		if (dice < 5) return { f: "observe" };
		if (this.#reign === undefined) return { f: "campaign" };
		return { f: dice < 7 ? "resign" : "proclaim" };
	}

	async perform({ f }: Invocation): Promise<Leadership | null> {
		if (f === "observe") return this.#observe();
		if (f === "campaign") return this.#campaign();
		const reign = this.#reign;
		if (reign === undefined) throw new TargetError("no", "not leader");
		return f === "resign" ? this.#resign(reign) : this.#proclaim(reign);
	}

	async #observe(): Promise<Leadership | null> {
		const [kv] = (await this.#target.range({ key: seat })).kvs;
		return kv === undefined ? null : { leader: kv.value, term: kv.createRevision };
	}

	async #campaign(): Promise<Leadership> {
		const { clock, name } = this.#options;
		const lease = await HeldLease.grant(this.#target, clock);
		try {
			const term = await take(this.#target, seat, name, lease.id);
			if (term === undefined) throw new TargetError("no", "another leads");
			this.#reign = { lease, term };
			return { leader: name, term };
		} catch (error) {
			await lease.end();
			throw error;
		}
	}

	/** Still leading, said in a transaction that only the leader of this term can make. */
	async #proclaim({ lease, term }: { readonly lease: HeldLease; readonly term: number }): Promise<Leadership> {
		const { name } = this.#options;
		const { succeeded, answers } = await this.#target.txn({
			compare: [{ key: seat, target: "create", result: "equal", operand: term }],
			success: [
				{ op: "put", key: seat, value: name, lease: lease.id },
				{ op: "range", key: seat },
			],
			failure: [],
		});
		if (!succeeded) {
			this.#reign = undefined;
			await lease.end();
			throw new TargetError("no", "leads no more");
		}
		const kv = found(answers[1]);
		return { leader: kv?.value ?? "", term: kv?.createRevision ?? 0 };
	}

	async #resign({ lease, term }: { readonly lease: HeldLease; readonly term: number }): Promise<null> {
		this.#reign = undefined;
		try {
			await giveBack(this.#target, seat, term);
		} finally {
			await lease.end();
		}
		return null;
	}

	close(): void {
		const reign = this.#reign;
		this.#reign = undefined;
		void reign?.lease.end();
	}
}

export const election: Workload<KvTarget> = {
	name: "election",
	summary: "candidates for one seat on leases; one leader a term, and terms never go back",
	rate: 60,
	actor: (target, options) => new ElectionActor(target, options),
	finish: { invocation: { f: "observe" }, by: "all" },
	check: (history) => {
		const seen = (fs: readonly string[]) =>
			history.flatMap((op) => {
				const result = op.result as Leadership | null | undefined;
				if (!fs.includes(op.f) || op.completed === undefined || result === null || result === undefined) return [];
				return [{ ...timed(op), ...result, completed: op.completed }];
			});
		return checkElection(seen(["campaign", "proclaim"]), seen(["observe"]));
	},
};
