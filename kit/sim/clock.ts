/**
 * Time that moves only when told to: a queue of events, run one at a time in (time, order of scheduling). After each
 * event the microtask queue runs dry, so production code built on promises reaches its next wait before time goes on.
 */
import type { Clock, Timer } from "../clock.ts";

/** Events run in one turn of the event loop. */
const eventsPerTurn = 128;

interface Event {
	readonly at: number;
	readonly order: number;
	readonly owner: ClockView;
	callback: (() => void) | undefined;
}

function before(a: Event, b: Event): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A binary heap; cancelled events stay until they reach the top. */
class EventQueue {
	readonly #heap: Event[] = [];

	push(event: Event): void {
		const heap = this.#heap;
		let i = heap.length;
		heap.push(event);
		while (i > 0) {
			const parent = (i - 1) >> 1;
			if (!before(event, heap[parent]!)) break;
			heap[i] = heap[parent]!;
			i = parent;
		}
		heap[i] = event;
	}

	/** The earliest event not cancelled. */
	peek(): Event | undefined {
		while (this.#heap.length > 0 && this.#heap[0]!.callback === undefined) this.#removeTop();
		return this.#heap[0];
	}

	pop(): Event | undefined {
		const top = this.peek();
		if (top !== undefined) this.#removeTop();
		return top;
	}

	#removeTop(): void {
		const heap = this.#heap;
		const last = heap.pop()!;
		if (heap.length === 0) return;
		let i = 0;
		for (;;) {
			let child = 2 * i + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
			if (!before(heap[child]!, last)) break;
			heap[i] = heap[child]!;
			i = child;
		}
		heap[i] = last;
	}
}

/** A timer whose clock has not quite come to its time, by less than this, fires: sums of fractions are not exact. ms. */
const roundingMs = 1e-6;

/** One process's clock: its wall time may be off, it may run too fast or too slow, and its timers die with it. */
export class ClockView implements Clock {
	readonly #clock: VirtualClock;
	/** Added to the wall time that the process would have, ms. */
	wallOffset: number;
	#rate: number;
	/** Virtual time at which the rate was set, and what this clock showed then. */
	#since: { readonly time: number; readonly shown: number };
	#stopped = false;
	/** While paused: what came due, in order. */
	#held: (() => void)[] | undefined;

	constructor(clock: VirtualClock, wallOffset: number, rate = 1) {
		this.#clock = clock;
		this.wallOffset = wallOffset;
		this.#rate = checkedRate(rate);
		this.#since = { time: clock.time, shown: clock.time };
	}

	get stopped(): boolean {
		return this.#stopped;
	}

	now(): number {
		return Math.floor(this.#clock.epoch + this.monotonic() + this.wallOffset);
	}

	monotonic(): number {
		const { time, shown } = this.#since;
		return this.#rate === 1 && time === shown ? this.#clock.time : shown + (this.#clock.time - time) * this.#rate;
	}

	/** Ms of this clock in one of virtual time. */
	get rate(): number {
		return this.#rate;
	}

	/**
	 * From now on the clock runs at this rate. A timer set before fires as early as either rate has it, but never before
	 * this clock has come to its time; so one set by a slower rate may come late.
	 */
	set rate(rate: number) {
		const shown = this.monotonic();
		this.#rate = checkedRate(rate);
		this.#since = { time: this.#clock.time, shown };
	}

	after(ms: number, callback: () => void): Timer {
		return this.#clock.schedule(this, ms, callback);
	}

	/** Virtual ms until this clock has come `ms` further. */
	span(ms: number): number {
		return this.#rate === 1 ? ms : ms / this.#rate;
	}

	every(ms: number, callback: () => void): Timer {
		let timer: Timer;
		const arm = () => {
			timer = this.after(ms, () => {
				arm();
				callback();
			});
		};
		arm();
		return { cancel: () => timer.cancel() };
	}

	/** The process died: none of its timers fires any more. */
	stop(): void {
		this.#stopped = true;
		this.#held = undefined;
	}

	get paused(): boolean {
		return this.#held !== undefined;
	}

	/** As SIGSTOP does: time goes on, but whatever comes due waits for `resume`. */
	pause(): void {
		if (!this.#stopped) this.#held ??= [];
	}

	/** What came due meanwhile runs now, in its order, each at an event of its own. */
	resume(): void {
		const held = this.#held ?? [];
		this.#held = undefined;
		for (const callback of held) this.#clock.schedule(this, 0, callback);
	}

	/** Runs the callback now, or after the pause. */
	run(callback: () => void): void {
		if (this.#held !== undefined) this.#held.push(callback);
		else if (!this.#stopped) callback();
	}
}

function checkedRate(rate: number): number {
	if (rate > 0 && rate < Number.POSITIVE_INFINITY) return rate;
	throw new RangeError(`rate of a clock: must be a number above 0, got ${rate}`);
}

export interface VirtualClockOptions {
	/** Wall time at the start, ms since the epoch. */
	readonly epoch?: number;
	/** Turns of the event loop given to production code after each event: 1 suffices for promises, more for `setImmediate`. */
	readonly turns?: number;
}

export class VirtualClock implements Clock {
	readonly epoch: number;
	readonly #turns: number;
	readonly #queue = new EventQueue();
	readonly #view: ClockView;
	#time = 0;
	#order = 0;
	#fired = 0;

	constructor(options: VirtualClockOptions = {}) {
		this.epoch = options.epoch ?? Date.UTC(2026, 0, 1);
		this.#turns = options.turns ?? 1;
		this.#view = new ClockView(this, 0);
	}

	/** ms since the start. */
	get time(): number {
		return this.#time;
	}

	/** Events run so far. */
	get fired(): number {
		return this.#fired;
	}

	now(): number {
		return this.#view.now();
	}

	monotonic(): number {
		return this.#time;
	}

	after(ms: number, callback: () => void): Timer {
		return this.#view.after(ms, callback);
	}

	every(ms: number, callback: () => void): Timer {
		return this.#view.every(ms, callback);
	}

	/** A clock for one process of the simulation. */
	view(wallOffset = 0, rate = 1): ClockView {
		return new ClockView(this, wallOffset, rate);
	}

	/** `ms` is counted by the owner's clock. */
	schedule(owner: ClockView, ms: number, callback: () => void): Timer {
		if (!(ms >= 0)) throw new RangeError(`delay: must be at least 0 ms, got ${ms}`);
		const due = owner.monotonic() + ms;
		const arrive = () => {
			const left = due - owner.monotonic();
			// The clock may have been slowed down meanwhile.
			if (left > roundingMs) event = this.#put(owner, left, arrive);
			else callback();
		};
		let event = this.#put(owner, ms, arrive);
		return {
			cancel: () => {
				event.callback = undefined;
			},
		};
	}

	#put(owner: ClockView, ms: number, callback: () => void): Event {
		const event: Event = { at: this.#time + owner.span(ms), order: this.#order++, owner, callback };
		this.#queue.push(event);
		return event;
	}

	/** Runs the next event and whatever follows from it without time passing. False: nothing is scheduled. */
	async step(): Promise<boolean> {
		const event = this.#queue.pop();
		if (event === undefined) return false;
		await this.#fire(event);
		return true;
	}

	/** Runs every event up to `time` (ms since the start) and leaves the clock there. */
	async runUntil(time: number): Promise<void> {
		await this.settle();
		await this.#pump(time, () => false);
		this.#time = Math.max(this.#time, time);
	}

	runFor(ms: number): Promise<void> {
		return this.runUntil(this.#time + ms);
	}

	/** Runs events until `condition` holds; false if it does not within `ms`. */
	async runUntilTrue(condition: () => boolean, ms: number): Promise<boolean> {
		await this.settle();
		return this.#pump(this.#time + ms, condition);
	}

	/**
	 * Runs events up to `deadline`, one in each macrotask, since the microtask queue runs dry between two. Many macrotasks
	 * are laid ready at once: the event loop's own turn costs more than most events.
	 */
	#pump(deadline: number, condition: () => boolean): Promise<boolean> {
		return new Promise((resolve, reject) => {
			let over = false;
			const end = (result: boolean) => {
				over = true;
				resolve(result);
			};
			const one = () => {
				if (over) return;
				try {
					if (condition()) return end(true);
					const next = this.#queue.peek();
					if (next === undefined || next.at > deadline) return end(false);
					this.#queue.pop();
					this.#run(next);
				} catch (error) {
					over = true;
					reject(error as Error);
				}
			};
			const lay = () => {
				for (let i = 0; i < eventsPerTurn && !over; i++) {
					setImmediate(one);
				}
				setImmediate(() => {
					if (!over) lay();
				});
			};
			if (this.#turns > 1) this.#slowly(deadline, condition).then(resolve, reject);
			else lay();
		});
	}

	/** Production code that uses `setImmediate` itself needs turns of the loop between two events. */
	async #slowly(deadline: number, condition: () => boolean): Promise<boolean> {
		while (!condition()) {
			const next = this.#queue.peek();
			if (next === undefined || next.at > deadline) return false;
			this.#queue.pop();
			this.#run(next);
			await this.settle();
		}
		return true;
	}

	/** Lets pending promises run until none is left that does not wait for time. */
	async settle(): Promise<void> {
		// A macrotask starts only when the microtask queue is empty.
		for (let i = 0; i < this.#turns; i++) await new Promise((resolve) => setImmediate(resolve));
	}

	async #fire(event: Event): Promise<void> {
		this.#run(event);
		await this.settle();
	}

	#run(event: Event): void {
		this.#time = event.at;
		const { callback, owner } = event;
		if (owner.stopped || callback === undefined) return;
		if (owner.paused) {
			// Still to be cancelled by its timer.
			owner.run(() => this.#call(event));
			return;
		}
		this.#call(event);
	}

	#call(event: Event): void {
		const callback = event.callback;
		event.callback = undefined;
		if (callback === undefined || event.owner.stopped) return;
		this.#fired++;
		callback();
	}
}
