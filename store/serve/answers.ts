/**
 * One connection's long answers: made and sent slice by slice, each in a turn of its own and no faster than the client takes
 * them, so that they delay neither the member nor the connection's other traffic. What the client abandons is not made.
 */
import type { Clock, Timer } from "../../kit/clock.ts";
import { type ResponseHeader, StoreError } from "../api.ts";
import type { Abandonable, RangePages } from "../member/long-ranges.ts";
import { Places } from "../member/places.ts";
import { pack, status } from "../native/protocol.ts";
import { arrayHead, packElements, packSlices } from "../native/slices.ts";
import { kvToWire } from "../native/wire.ts";

export interface AnswersOptions {
	/** Outgoing bytes that the client has not taken. */
	readonly backlog: () => number;
	/** Bytes that it has taken so far. */
	readonly taken: () => number;
	readonly send: (frame: Buffer) => void;
	/** Ends the connection. */
	readonly close: () => void;
	readonly clock: Clock;
	readonly turn: () => Promise<void>;
	/** Outgoing bytes above which the next slice waits until all are taken. */
	readonly waitAbove: number;
	/** A client that took nothing for this long while slices wait is ended, ms. */
	readonly slowAfterMs: number;
	/** Answers under way, at most. */
	readonly maxUnderWay: number;
}

/** Long answers of one connection sent at a time; the others wait with nothing of theirs in memory. */
const maxAtOnce = 4;

interface Caller extends Abandonable {
	abandoned: boolean;
}

export class Answers {
	readonly #options: AnswersOptions;
	readonly #places: Places;
	readonly #callers = new Map<number, Caller>();
	#waiting: (() => void)[] = [];
	#slowTimer: Timer | undefined;
	#closed = false;

	constructor(options: AnswersOptions) {
		this.#options = options;
		this.#places = new Places(maxAtOnce, options.maxUnderWay);
	}

	/** A request whose answer may be long has begun; `end` it with the object returned. */
	begin(id: number): Abandonable {
		const caller = { abandoned: this.#closed };
		this.#callers.set(id, caller);
		return caller;
	}

	end(id: number, caller: Abandonable): void {
		if (this.#callers.get(id) === caller) this.#callers.delete(id);
	}

	/** The next answer has to wait for others. */
	get busy(): boolean {
		return this.#places.taken;
	}

	/** Nobody waits for this answer any more. */
	abandon(id: number): void {
		const caller = this.#callers.get(id);
		if (caller === undefined) return;
		caller.abandoned = true;
		this.#wake();
	}

	close(): void {
		this.#closed = true;
		for (const caller of this.#callers.values()) caller.abandoned = true;
		this.#wake();
	}

	drained(): void {
		this.#wake();
	}

	#wake(): void {
		this.#slowTimer?.cancel();
		this.#slowTimer = undefined;
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const wake of waiting) wake();
	}

	/** Sends what `slices` gives, the packed answer without its id. Resolves also when it was abandoned; throws what `slices` throws. */
	async send(id: number, caller: Abandonable, slices: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
		const release = await this.#places.take();
		try {
			for await (const slice of slices) {
				await this.#room(caller);
				if (caller.abandoned) return;
				this.#options.send(pack([id, status.part, slice]));
			}
			this.#options.send(pack([id, status.complete]));
		} finally {
			release();
		}
	}

	/** For clients that know no parts: one frame, made in slices all the same. Throws `invalid_argument` above `limit` bytes. */
	async sendWhole(
		id: number,
		caller: Abandonable,
		slices: AsyncIterable<Buffer> | Iterable<Buffer>,
		limit: number,
	): Promise<void> {
		const release = await this.#places.take();
		try {
			const whole = [arrayHead(5), pack(id)];
			let bytes = 0;
			for await (const slice of slices) {
				await this.#room(caller);
				if (caller.abandoned) return;
				bytes += slice.length;
				if (bytes > limit) {
					const why = `the answer is above ${limit} bytes, the most for clients of protocol version 1; ask with a limit`;
					throw new StoreError("invalid_argument", why);
				}
				whole.push(slice);
			}
			// The answer's own head says four elements; with its id they are five.
			whole[2] = (whole[2] as Buffer).subarray(1);
			this.#options.send(Buffer.concat(whole));
		} finally {
			release();
		}
	}

	/** Resolves when the next slice may go, and after a turn at least. */
	async #room(caller: Abandonable): Promise<void> {
		const { backlog, taken, turn, waitAbove } = this.#options;
		await turn();
		while (!caller.abandoned && backlog() > waitAbove) {
			if (this.#waiting.length === 0) this.#watchProgress(taken());
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
	}

	#watchProgress(before: number): void {
		const { clock, slowAfterMs, taken, close } = this.#options;
		this.#slowTimer = clock.after(slowAfterMs, () => {
			if (taken() > before) this.#watchProgress(taken());
			else close();
		});
	}
}

/** The packed answer to a range, its id left out. */
export async function* rangeSlices(header: ResponseHeader, range: RangePages): AsyncGenerator<Buffer> {
	const head = [status.ok, header.revision, header.raftTerm];
	yield Buffer.concat([arrayHead(4), packElements(head), arrayHead(3), arrayHead(range.size)]);
	for await (const kvs of range.pages()) yield* packPairs(kvs.map(kvToWire));
	yield packElements([range.more, range.count]);
}

function* packPairs(pairs: readonly unknown[]): Generator<Buffer> {
	// A value may be longer than a page.
	let first = true;
	for (const slice of packSlices(pairs)) {
		const head = first ? arrayHead(pairs.length).length : 0;
		first = false;
		if (slice.length > head) yield slice.subarray(head);
	}
}
