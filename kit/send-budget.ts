/**
 * Outgoing bytes that clients have not taken, of all connections of one process together. Each connection has bounds of
 * its own, but many slow clients, each within them, would take the process's memory all the same. Beyond the budget the
 * slowest are ended, at once and with what they had waiting: their clients connect again and go on where they were.
 */
import { totalmem } from "node:os";
import type { Logger } from "./log.ts";

const least = 64 << 20;
const most = 1 << 30;

/** An eighth of the memory that this process may have, in bytes; never below 64 MiB or above 1 GiB. */
export function defaultSendBudget(limit: number = process.constrainedMemory()): number {
	const memory = limit > 0 && limit < totalmem() ? limit : totalmem();
	return Math.max(least, Math.min(Math.floor(memory / 8), most));
}

/** How often it is logged that consumers are ended, ms. */
const sayEveryMs = 10_000;

export interface SendBudgetOptions {
	/** Bytes. */
	readonly most: number;
	readonly logger: Logger;
	/** In the log: what is ended. */
	readonly name: string;
	/** ms that never go back. */
	readonly now?: (() => number) | undefined;
}

export interface Consumer {
	/** Bytes that wait for it now. */
	readonly buffered: () => number;
	/** Frees what waits for it at once. Called in a later microtask than the write that passed the budget. */
	readonly end: () => void;
}

/** One consumer's place in the account. */
export interface SendAccount {
	/** After `added` bytes were written, `buffered` wait. */
	wrote(added: number, buffered: number): void;
	/** It is gone. */
	leave(): void;
}

interface Entry extends SendAccount {
	readonly consumer: Consumer;
	/** Bytes waiting as of the last report; never less than what waits now. */
	bytes: number;
	/** Bytes written so far. */
	written: number;
	/** Bytes that it had taken when last looked at. */
	taken: number;
	/** Orders consumers by when they were last seen to have taken something. */
	tookAt: number;
	/** It has left, or is ended. */
	gone: boolean;
}

export class SendBudget {
	readonly #options: SendBudgetOptions;
	/** Those for whom something waited when they were last looked at. */
	readonly #waiting = new Set<Entry>();
	/** Sum of their `bytes`. */
	#total = 0;
	#turn = 0;
	#said = Number.NEGATIVE_INFINITY;
	/** The next sum at which all are looked at again. */
	#lookAbove: number;
	/** More than half of the budget was in use at the last check. */
	#scarce = false;
	/** Consumers ended since start because the budget was passed. */
	ended = 0;

	constructor(options: SendBudgetOptions) {
		this.#options = options;
		this.#lookAbove = options.most / 2;
	}

	/** Bytes. */
	get most(): number {
		return this.#options.most;
	}

	/** Bytes that wait now. Looks at each that had something waiting. */
	get bytes(): number {
		this.#refresh();
		return this.#total;
	}

	/**
	 * Bytes above which a consumer that can wait is given no more: `usual`, or an equal share where the budget runs out, so
	 * that those who only catch up slow down and are not ended.
	 */
	pauseAbove(usual: number): number {
		if (!this.#scarce || this.#total <= this.#options.most / 2) return usual;
		return Math.min(usual, this.#options.most / 4 / this.#waiting.size);
	}

	enter(consumer: Consumer): SendAccount {
		const entry: Entry = {
			consumer,
			bytes: 0,
			written: 0,
			taken: 0,
			tookAt: ++this.#turn,
			gone: false,
			wrote: (added, buffered) => this.#wrote(entry, added, buffered),
			leave: () => {
				entry.gone = true;
				this.#set(entry, 0);
			},
		};
		return entry;
	}

	#set(entry: Entry, bytes: number): void {
		this.#total += bytes - entry.bytes;
		entry.bytes = bytes;
		if (bytes === 0) this.#waiting.delete(entry);
		else this.#waiting.add(entry);
	}

	#wrote(entry: Entry, added: number, buffered: number): void {
		if (entry.gone) return;
		entry.written += added;
		this.#see(entry, buffered);
		if (this.#total > this.#lookAbove) this.#look();
	}

	#see(entry: Entry, buffered: number): void {
		const taken = entry.written - buffered;
		if (taken > entry.taken) {
			entry.taken = taken;
			entry.tookAt = ++this.#turn;
		}
		this.#set(entry, buffered);
	}

	#refresh(): void {
		for (const entry of this.#waiting) this.#see(entry, entry.consumer.buffered());
		this.#scarce = this.#total > this.#options.most / 2;
	}

	/** Looks at all again, and ends some where that is not enough. */
	#look(): void {
		this.#refresh();
		const { most: budget } = this.#options;
		if (this.#total > (budget * 7) / 8) this.#endSlowest((budget * 3) / 4);
		// An eighth at least until the next look, so that its work is spread over as many bytes.
		this.#lookAbove = Math.max(budget / 2, this.#total + budget / 8);
	}

	#endSlowest(target: number): void {
		const { most: budget, logger, name, now = () => performance.now() } = this.#options;
		const before = { bytes: this.#total, consumers: this.#waiting.size };
		const ended: Entry[] = [];
		while (this.#total > target && this.#waiting.size > 0) this.#endSome(target, ended);
		this.ended += ended.length;
		for (const { consumer } of ended) queueMicrotask(consumer.end);
		if (now() - this.#said < sayEveryMs) return;
		this.#said = now();
		logger.warn(`too many bytes wait for slow ${name}: the slowest are ended`, {
			...before,
			budget,
			ended: ended.length,
			"ended-since-start": this.ended,
		});
	}

	/** Of those with at least half an equal share, the ones that have taken nothing for longest. */
	#endSome(target: number, ended: Entry[]): void {
		const share = this.#total / this.#waiting.size / 2;
		const large = [...this.#waiting].filter((entry) => entry.bytes >= share).sort((a, b) => a.tookAt - b.tookAt);
		for (const entry of large) {
			if (this.#total <= target) return;
			entry.leave();
			ended.push(entry);
		}
	}
}
