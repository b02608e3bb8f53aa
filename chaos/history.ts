/**
 * One format of histories for all testers: events in one order, a JSON line each, as Jepsen writes them. An operation is
 * the invocation of a process and its completion: `ok` (done), `fail` (certainly not done), `info` (nobody knows).
 */
export type Completion = "ok" | "fail" | "info";

export interface HistoryEvent {
	/** Place in the one order of all events, from 0. */
	readonly index: number;
	/** Ms since the run began. */
	readonly time: number;
	/** "nemesis" for faults, whose events are all of type info. */
	readonly process: string;
	readonly type: "invoke" | Completion;
	readonly f: string;
	readonly key?: string | undefined;
	/** Of an invocation: the argument; of a completion: the result. JSON. */
	readonly value?: unknown;
	readonly error?: string | undefined;
}

export interface Operation {
	/** Index of its invocation. */
	readonly id: number;
	readonly process: string;
	readonly f: string;
	readonly key: string | undefined;
	readonly value: unknown;
	/** Places in the one order. `completed` is absent unless `type` is ok or fail. */
	readonly invoked: number;
	readonly completed: number | undefined;
	readonly invokedMs: number;
	/** When the answer came, also for info; absent: none came. */
	readonly completedMs: number | undefined;
	readonly type: Completion;
	/** Of an ok. */
	readonly result: unknown;
	readonly error: string | undefined;
}

export const nemesisProcess = "nemesis";

export class HistoryError extends Error {
	override name = "HistoryError";
}

/** Pairs invocations with completions; one without is `info`. Throws HistoryError where a process does two things at once. */
export function pairOperations(events: readonly HistoryEvent[]): Operation[] {
	const open = new Map<string, HistoryEvent>();
	const operations: Operation[] = [];
	for (const event of events) {
		if (event.process === nemesisProcess) continue;
		const call = open.get(event.process);
		if (event.type === "invoke") {
			if (call !== undefined) throw new HistoryError(`event ${event.index}: ${event.process} has not ended ${call.f}`);
			open.set(event.process, event);
			continue;
		}
		if (call === undefined) throw new HistoryError(`event ${event.index}: ${event.process} completes nothing`);
		open.delete(event.process);
		operations.push(operation(call, event));
	}
	for (const call of open.values()) operations.push(operation(call, undefined));
	return operations.sort((a, b) => a.id - b.id);
}

function operation(call: HistoryEvent, end: HistoryEvent | undefined): Operation {
	const type = end === undefined || end.type === "invoke" ? "info" : end.type;
	return {
		id: call.index,
		process: call.process,
		f: call.f,
		key: call.key,
		value: call.value,
		invoked: call.index,
		completed: type === "info" ? undefined : end?.index,
		invokedMs: call.time,
		completedMs: end?.time,
		type,
		result: type === "ok" ? end?.value : undefined,
		error: end?.error,
	};
}

/** For witnesses: who, what, and what came of it. */
export function describeOperation(op: Operation): string {
	const text = (value: unknown) => (value === undefined ? "" : ` ${JSON.stringify(value)}`);
	const outcome =
		op.type === "ok" ? `ok${text(op.result)}` : `${op.type}${op.error === undefined ? "" : ` ${op.error}`}`;
	return `${op.process} ${op.f}${op.key === undefined ? "" : ` ${op.key}`}${text(op.value)} -> ${outcome}`;
}

/** Collects events in the order they happen. */
export class HistoryRecorder {
	readonly events: HistoryEvent[] = [];
	readonly #now: () => number;

	/** `now`: ms since the run began. */
	constructor(now: () => number) {
		this.#now = now;
	}

	record(event: Omit<HistoryEvent, "index" | "time">): HistoryEvent {
		const recorded = { index: this.events.length, time: Math.round(this.#now() * 1000) / 1000, ...event };
		this.events.push(recorded);
		return recorded;
	}

	get operations(): Operation[] {
		return pairOperations(this.events);
	}
}

/** A JSON line for each event. */
export function formatHistory(events: readonly HistoryEvent[]): string {
	return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

const types = new Set(["invoke", "ok", "fail", "info"]);

/** Throws HistoryError naming the line that is not an event. */
export function parseHistory(text: string): HistoryEvent[] {
	return text.split("\n").flatMap((line, i): HistoryEvent[] => {
		if (line.trim() === "") return [];
		const refuse = (why: string): never => {
			throw new HistoryError(`line ${i + 1}: ${why}`);
		};
		let event: Partial<HistoryEvent> = {};
		try {
			event = JSON.parse(line) as Partial<HistoryEvent>;
		} catch (error) {
			refuse((error as Error).message);
		}
		if (typeof event.index !== "number" || typeof event.time !== "number") refuse("index and time must be numbers");
		if (typeof event.process !== "string" || typeof event.f !== "string") refuse("process and f must be texts");
		if (!types.has(String(event.type))) refuse(`type ${JSON.stringify(event.type)} is not invoke, ok, fail or info`);
		return [event as HistoryEvent];
	});
}
