/**
 * Before a member with an empty data directory begins its log it asks the others, since an empty directory looks the
 * same whether it is new or lost what it held. Each member that is asked stores the asking directory's number durably
 * before it answers (`incarnations.ts`). A member that knows this one by another directory refuses it for good.
 *
 * Of n members, a quorum being q, it may begin when
 *
 * - n - q + 1 others that have begun do not know it. If it ever began, it did so with the answers of q - 1 others, and
 *   any n - q + 1 of the n - 1 others hold one of those. So it is new, and only starts late. Or when
 * - q - 1 others answer and none of them was ever part of an election: the cluster is new, as far as it can be reached.
 *   This is etcd's rule, made to wait for a quorum. It is wrong only where a member was wiped while all that it can reach
 *   never took part in anything; started with `--initial-cluster-state=existing` it refuses even then.
 *
 * Once it has begun it greets all others anew, over new links. So every member that counts its votes and
 * acknowledgements knows that it has begun.
 *
 * Otherwise it waits. No member leaves term 0 before a quorum has begun, so nobody waits forever while all are up. A
 * member that starts late waits for n - q + 1 that have begun.
 */
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { MemberId } from "../raft/types.ts";
import type { Incarnations, Standing } from "./incarnations.ts";
import type { PeerTransport } from "./types.ts";

const complainEveryMs = 10_000;

export interface Greeter extends Pick<PeerTransport, "start"> {
	/** Tells all others our standing anew; what they answer comes to the gate (`incarnations.ts`). */
	greet(): void;
}

export interface BootstrapOptions {
	readonly clock: Clock;
	readonly logger: Logger;
	/** All members but this one. */
	readonly others: readonly MemberId[];
	readonly nameOf: (id: MemberId) => string;
	readonly incarnations: Incarnations;
	readonly transport: Greeter;
	/** How often the others are asked again, ms. */
	readonly askEveryMs: number;
	/** Ends the waiting; the promise rejects with its reason. */
	readonly signal?: AbortSignal | undefined;
}

/** Whether a member of `size` may begin a log by what others answered. */
export function mayBegin(size: number, answers: readonly Standing[]): boolean {
	const quorum = Math.floor(size / 2) + 1;
	if (answers.filter(({ begun }) => begun).length >= size - quorum + 1) return true;
	return answers.length >= quorum - 1 && answers.every(({ term }) => term === 0);
}

/** Resolves when this member may begin its log. Rejects with DataLossError when another knows it by other data. */
export async function askToBegin(options: BootstrapOptions): Promise<void> {
	const { clock, others, incarnations, transport, askEveryMs, signal } = options;
	const size = others.length + 1;
	const answers = new Map<MemberId, Standing>();
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	const onAbort = () => reject(signal?.reason);
	let complained = clock.monotonic();
	incarnations.onExpelled = reject;
	incarnations.onAnswer = (from, standing) => {
		answers.set(from, standing);
		if (mayBegin(size, [...answers.values()])) resolve();
	};
	const timer = clock.every(askEveryMs, () => {
		transport.greet();
		if (clock.monotonic() - complained < complainEveryMs) return;
		complained = clock.monotonic();
		complain(options, answers);
	});
	signal?.addEventListener("abort", onAbort);
	if (signal?.aborted === true) onAbort();
	transport.start({
		// This member cannot take part yet. Dropping messages is safe: senders repeat them.
		onMessages: () => {},
		onForward: () => {},
		onRefused: () => {},
		onUnreachable: () => {},
		onSnapshot: () => Promise.reject(new Error("the member has not begun yet")),
	});
	if (mayBegin(size, [])) resolve();
	else transport.greet();
	try {
		await promise;
	} finally {
		timer.cancel();
		signal?.removeEventListener("abort", onAbort);
		incarnations.onExpelled = () => {};
		incarnations.onAnswer = () => {};
	}
}

function complain({ logger, others, nameOf }: BootstrapOptions, answers: ReadonlyMap<MemberId, Standing>): void {
	const say = (id: MemberId) => {
		const answer = answers.get(id);
		if (answer === undefined) return `${nameOf(id)}: no answer`;
		return `${nameOf(id)}: ${answer.begun ? `has a log, term ${answer.term}` : "has not begun either"}`;
	};
	logger.warn(
		"waiting to begin: the data directory is empty, and too few members answer to tell whether this one is new or lost its data",
		{ others: others.map(say).join("; ") },
	);
}
