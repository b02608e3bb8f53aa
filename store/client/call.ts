/** One call of the client: until when it may go on, and what ends it before that. */
import type { Clock, Timer } from "../../kit/clock.ts";

/** Why a call is over. */
export type CallEnd = "timeout" | "aborted";

export class CallEndedError extends Error {
	override name = "CallEndedError";
	readonly why: CallEnd;
	readonly reason: unknown;

	/** `reason`: the signal's. */
	constructor(why: CallEnd, reason?: unknown) {
		super(why === "timeout" ? "the time for the request is over" : "the request was aborted");
		this.why = why;
		this.reason = reason;
	}
}

export class Call {
	/** On the monotonic clock. */
	readonly deadline: number;
	readonly #clock: Clock;
	readonly #signal: AbortSignal | undefined;
	readonly #timer: Timer;
	readonly #onAbort = () => this.#end(new CallEndedError("aborted", this.#signal?.reason));
	#ended: CallEndedError | undefined;
	/** Of the wait under way: there is one at a time. */
	#interrupt: ((error: CallEndedError) => void) | undefined;

	/** Throws the signal's reason when it is aborted already. Must be closed. */
	constructor(clock: Clock, timeoutMs: number, signal: AbortSignal | undefined) {
		signal?.throwIfAborted();
		this.#clock = clock;
		this.#signal = signal;
		this.deadline = clock.monotonic() + timeoutMs;
		this.#timer = clock.after(timeoutMs, () => this.#end(new CallEndedError("timeout")));
		signal?.addEventListener("abort", this.#onAbort, { once: true });
	}

	/** ms until the deadline; 0 when it is over. */
	get leftMs(): number {
		return this.#ended === undefined ? Math.max(0, this.deadline - this.#clock.monotonic()) : 0;
	}

	/** Settles as `work` does, or rejects with CallEndedError once the call is over, after `abandon`. */
	wait<T>(work: Promise<T>, abandon: () => void = () => undefined): Promise<T> {
		return new Promise((resolve, reject) => {
			const interrupt = (error: CallEndedError) => {
				this.#interrupt = undefined;
				abandon();
				reject(error);
			};
			if (this.#ended !== undefined) {
				// Nobody looks at what becomes of it.
				work.catch(() => undefined);
				interrupt(this.#ended);
				return;
			}
			this.#interrupt = interrupt;
			const settled = () => {
				if (this.#interrupt === interrupt) this.#interrupt = undefined;
			};
			work.then(
				(value) => {
					settled();
					resolve(value);
				},
				(error: unknown) => {
					settled();
					reject(error);
				},
			);
		});
	}

	close(): void {
		this.#timer.cancel();
		this.#signal?.removeEventListener("abort", this.#onAbort);
	}

	#end(error: CallEndedError): void {
		if (this.#ended !== undefined) return;
		this.#ended = error;
		this.#interrupt?.(error);
	}
}
