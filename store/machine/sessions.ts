/**
 * Request ids of clients, so that a retried write applies once. Replicated state, outside the key space and its hash.
 *
 * A client opens a session and numbers its requests from 1. The answer of every request that changed something is kept
 * until the client acknowledges it; a repeated sequence gets it again. Of what changed nothing (failed compares that wrote
 * nothing, errors) only the sequence is kept, and a repeated one is refused with `not_applied`: the client may send the
 * request under a new number, and a copy that was late on its way can no longer take effect after an answer said that it
 * had none.
 *
 * Bounded: an answer of more than `maxAnswerBytes` is remembered only as applied; beyond `maxAnswers` or
 * `maxSessionBytes` a session forgets its oldest; beyond `maxSessions` or `maxBytes` the longest unused session goes.
 * These limits stand in the entry that opens a session: no process's own settings decide what all must do alike.
 * A request at or below what was forgotten, or of a session that is gone, is refused: its outcome is unknown, and it is
 * never applied a second time. All decisions follow from the log, so every member takes the same.
 */
import { StoreError } from "../api.ts";
import { decodeAnswer, encodeAnswer } from "./answers.ts";
import { FormatError, Reader, Writer } from "./bytes.ts";
import {
	defaultSessionLimits,
	readSessionLimits,
	type SessionLimits,
	sessionLimitsSize,
	writeSessionLimits,
} from "./session-limits.ts";
import type { CommandResult } from "./types.ts";

const sessionFormat = 1;
/** With limits other than the default after the floor. */
const limitedFormat = 2;
/** In place of a kept answer's length. */
const tooLarge = 0xffffffff;
const noEffect = 0xfffffffe;
/** Accounted for each session and for each answer beside its bytes. */
const sessionOverhead = 128;
const answerOverhead = 64;

/** Active time without use after which a session ends, ms. Part of the replicated behaviour: fixed. */
export const sessionTtlMs = 10 * 60_000;

interface Answer {
	readonly revision: number;
	/** `too_large`: applied, but too large to keep. `no_effect`: run, and it changed nothing. */
	readonly body: Buffer | "too_large" | "no_effect";
}

interface Session {
	readonly id: bigint;
	readonly limits: SessionLimits;
	/** Log index of the last use: a strict order of use. */
	lastIndex: number;
	/** Active time of the last use, ms. */
	lastUsed: number;
	/** Sequences up to here are acknowledged or forgotten. */
	floor: number;
	/** By sequence, in the order applied. */
	readonly answers: Map<number, Answer>;
	bytes: number;
}

/** What the table says about a request, before it is run. */
export type Lookup =
	| { readonly run: true }
	| { readonly run: false; readonly revision: number | undefined; readonly outcome: CommandResult | StoreError };

const bodyBytes = ({ body }: Answer) => (typeof body === "string" ? 0 : body.length);
const answerBytes = (answer: Answer) => answerOverhead + bodyBytes(answer);

function unknown(why: string): Lookup {
	const outcome = new StoreError("session_expired", `etcdserver: ${why}: the outcome of the request is unknown`);
	return { run: false, revision: undefined, outcome };
}

export class Sessions {
	/** Longest unused first. */
	readonly #sessions = new Map<bigint, Session>();
	#bytes = 0;
	#dirty = new Set<bigint>();

	get size(): number {
		return this.#sessions.size;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Opening one that is open counts as use. */
	open(id: bigint, index: number, now: number, limits: SessionLimits = defaultSessionLimits): void {
		const known = this.#sessions.get(id);
		if (known !== undefined) {
			this.#touch(known, index, now);
			return;
		}
		const session: Session = {
			id,
			limits,
			lastIndex: index,
			lastUsed: now,
			floor: 0,
			answers: new Map(),
			bytes: sessionOverhead,
		};
		this.#sessions.set(id, session);
		this.#bytes += session.bytes;
		this.#dirty.add(id);
		this.#evict(session);
	}

	close(id: bigint): void {
		const session = this.#sessions.get(id);
		if (session !== undefined) this.#drop(session);
	}

	#drop(session: Session): void {
		this.#sessions.delete(session.id);
		this.#bytes -= session.bytes;
		this.#dirty.add(session.id);
	}

	#touch(session: Session, index: number, now: number): void {
		session.lastIndex = index;
		session.lastUsed = now;
		this.#sessions.delete(session.id);
		this.#sessions.set(session.id, session);
		this.#dirty.add(session.id);
	}

	/** Ends sessions unused for too long. */
	expire(now: number): void {
		for (const session of this.#sessions.values()) {
			if (now - session.lastUsed <= sessionTtlMs) return;
			this.#drop(session);
		}
	}

	/** Others go until this one's limits are kept. */
	#evict(kept: Session): void {
		const { maxSessions, maxBytes } = kept.limits;
		for (const session of this.#sessions.values()) {
			if (this.#sessions.size <= maxSessions && this.#bytes <= maxBytes) return;
			if (session !== kept) this.#drop(session);
		}
	}

	/** Uses the session for a request: run it, or answer with what is recorded. */
	begin(id: bigint, sequence: number, acknowledged: number, index: number, now: number): Lookup {
		const session = this.#sessions.get(id);
		if (session === undefined) return unknown("session expired");
		this.#touch(session, index, now);
		this.#acknowledge(session, acknowledged);
		if (sequence === 0) return { run: true };
		if (sequence <= session.floor) return unknown("request id was given up");
		const answer = session.answers.get(sequence);
		if (answer === undefined) return { run: true };
		const { revision, body } = answer;
		if (body === "no_effect") {
			const message = "etcdserver: a copy of the request was answered and changed nothing; this one was not run";
			return { run: false, revision, outcome: new StoreError("not_applied", message) };
		}
		if (body !== "too_large") return { run: false, revision, outcome: decodeAnswer(body) };
		const message = `etcdserver: the request was applied at revision ${revision}, but its answer was too large to keep`;
		return { run: false, revision, outcome: new StoreError("outcome_unknown", message) };
	}

	#acknowledge(session: Session, acknowledged: number): void {
		if (acknowledged <= session.floor) return;
		session.floor = acknowledged;
		for (const [sequence, answer] of session.answers) {
			// In order, but for requests that overtook each other: those wait for the next round.
			if (sequence > acknowledged) return;
			this.#forget(session, sequence, answer);
		}
	}

	#forget(session: Session, sequence: number, answer: Answer): void {
		session.answers.delete(sequence);
		session.bytes -= answerBytes(answer);
		this.#bytes -= answerBytes(answer);
	}

	/** Records the answer of a request that was run; `result` undefined: it changed nothing. */
	record(id: bigint, sequence: number, revision: number, result: CommandResult | undefined): void {
		const session = this.#sessions.get(id);
		if (session === undefined || sequence === 0) return;
		const body = result === undefined ? "no_effect" : (encodeAnswer(result) ?? "too_large");
		const answer: Answer = { revision, body };
		session.answers.set(sequence, answer);
		session.bytes += answerBytes(answer);
		this.#bytes += answerBytes(answer);
		const { maxAnswers, maxSessionBytes, maxBytes } = session.limits;
		while (session.answers.size > maxAnswers || session.bytes > maxSessionBytes) {
			const [oldest, forgotten] = session.answers.entries().next().value!;
			session.floor = Math.max(session.floor, oldest);
			this.#forget(session, oldest, forgotten);
		}
		if (this.#bytes > maxBytes) this.#evict(session);
	}

	/** Ids whose stored form changed since the last call; one that is gone is to be removed. */
	takeDirty(): ReadonlySet<bigint> {
		const dirty = this.#dirty;
		if (dirty.size > 0) this.#dirty = new Set();
		return dirty;
	}

	ids(): IterableIterator<bigint> {
		return this.#sessions.keys();
	}

	/** The stored form; undefined when the session is gone. */
	encode(id: bigint): Buffer | undefined {
		const session = this.#sessions.get(id);
		if (session === undefined) return undefined;
		const isLimited = !sameLimits(session.limits, defaultSessionLimits);
		let size = 1 + 4 * 8 + 4 + (isLimited ? sessionLimitsSize : 0);
		for (const answer of session.answers.values()) size += 20 + bodyBytes(answer);
		const w = new Writer(size);
		w.u8(isLimited ? limitedFormat : sessionFormat);
		w.u64(id);
		w.u53(session.lastIndex);
		w.i53(session.lastUsed);
		w.u53(session.floor);
		if (isLimited) writeSessionLimits(w, session.limits);
		w.u32(session.answers.size);
		for (const [sequence, { revision, body }] of session.answers) {
			w.u53(sequence);
			w.u53(revision);
			if (typeof body === "string") w.u32(body === "too_large" ? tooLarge : noEffect);
			else w.bytes(body);
		}
		return w.done();
	}

	/** Takes in stored sessions, in any order. */
	restore(stored: readonly Buffer[]): void {
		const sessions = stored.map(decodeSession).sort((a, b) => a.lastIndex - b.lastIndex);
		for (const session of sessions) {
			this.#sessions.set(session.id, session);
			this.#bytes += session.bytes;
		}
	}
}

function sameLimits(a: SessionLimits, b: SessionLimits): boolean {
	return (
		a.maxSessions === b.maxSessions &&
		a.maxBytes === b.maxBytes &&
		a.maxAnswers === b.maxAnswers &&
		a.maxSessionBytes === b.maxSessionBytes
	);
}

function decodeSession(data: Buffer): Session {
	const r = new Reader(data);
	const format = r.u8();
	if (format !== sessionFormat && format !== limitedFormat) throw new FormatError(`unknown session format ${format}`);
	const id = r.u64();
	const lastIndex = r.u53();
	const lastUsed = r.i53();
	const floor = r.u53();
	const limits = format === limitedFormat ? readSessionLimits(r) : defaultSessionLimits;
	const answers = new Map<number, Answer>();
	let bytes = sessionOverhead;
	for (let left = r.u32(); left > 0; left--) {
		const sequence = r.u53();
		const revision = r.u53();
		const length = r.u32();
		const answer: Answer = { revision, body: readBody(r, length) };
		answers.set(sequence, answer);
		bytes += answerBytes(answer);
	}
	r.end();
	return { id, limits, lastIndex, lastUsed, floor, answers, bytes };
}

function readBody(r: Reader, length: number): Answer["body"] {
	if (length === tooLarge) return "too_large";
	return length === noEffect ? "no_effect" : Buffer.from(r.raw(length));
}
