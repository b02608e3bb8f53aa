/** A workload: what clients do, seeded, and how what they saw is judged. */
import type { Clock } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import type { Timed, Violation } from "../checkers/violation.ts";
import { describeOperation, type Operation } from "../history.ts";

export interface Invocation {
	readonly f: string;
	readonly key?: string | undefined;
	/** JSON. */
	readonly value?: unknown;
}

/** One client with what it remembers; its operations come one after the other. */
export interface Actor {
	/** Drawn from the seed and from what it has seen. */
	next(): Invocation;
	/** Resolves to the result (JSON); rejects with TargetError. */
	perform(invocation: Invocation): Promise<unknown>;
	/** Lets go of timers and watches. */
	close?(): void;
}

export interface ActorOptions {
	readonly name: string;
	/** 0, 1, 2 … */
	readonly index: number;
	readonly random: Random;
	readonly clock: Clock;
}

export interface Workload<T> {
	readonly name: string;
	readonly summary: string;
	/** What the run's seconds are spent on: slow operations want fewer. Operations a second of all clients. */
	readonly rate: number;
	setup?(target: T): Promise<void>;
	actor(target: T, options: ActorOptions): Actor;
	/** What the first client (or every client) does last, once everything is healed. */
	readonly finish?: { readonly invocation: Invocation; readonly by: "first" | "all" };
	/** `finished`: the last operations were answered; otherwise nothing is said about what is missing at the end. */
	check(history: readonly Operation[], finished: boolean): Violation[];
}

/** An operation as checkers want it. */
export function timed(op: Operation): Timed {
	return { name: describeOperation(op), invoked: op.invoked, completed: op.completed };
}

export function pick<T>(random: Random, list: readonly T[]): T {
	return list[random.int(list.length)]!;
}
