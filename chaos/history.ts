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
	const text = (value: unknown) => (value === undefined ? "" : ` ${describeValue(value)}`);
	const done = isSteps(op.value) && isSteps(op.result);
	const outcome =
		op.type === "ok" ? `ok${done ? "" : text(op.result)}` : `${op.type}${op.error === undefined ? "" : ` ${op.error}`}`;
	const asked = text(done ? op.result : op.value);
	return `${op.process} ${op.f}${op.key === undefined ? "" : ` ${op.key}`}${asked} -> ${outcome}`;
}

/** Of a transaction: with what it read, once that is known. */
interface Step {
	readonly f: string;
	readonly key: string;
	readonly value?: unknown;
	readonly list?: unknown;
}

function isSteps(value: unknown): value is readonly Step[] {
	const isStep = (each: unknown) => typeof each === "object" && each !== null && "f" in each && "key" in each;
	return Array.isArray(value) && value.length > 0 && value.every(isStep);
}

/** JSON, but for transactions, `append x 1, read y [2 3]`, and for long lists, of which a history has many. */
function describeValue(value: unknown): string {
	if (!isSteps(value)) {
		return Array.isArray(value) && value.length > maxElements ? describeElements(value) : JSON.stringify(value);
	}
	const steps = value.map(({ f, key, value: single, list }) => {
		const rest = Array.isArray(list) ? [describeElements(list)] : single === undefined ? [] : [describeElement(single)];
		return [f, key, ...rest].join(" ");
	});
	return steps.join(", ");
}

/** Of a list that only grows the end tells most. */
const maxElements = 8;

function describeElements(list: readonly unknown[]): string {
	const left = Math.max(0, list.length - maxElements);
	return `[${[...(left === 0 ? [] : [`(${left} more)`]), ...list.slice(left).map(describeElement)].join(" ")}]`;
}

function describeElement(value: unknown): string {
	return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a fault hits, from the JSON that was noted with it; links `a>b` are told once for both ways. */
export function describeHit(value: unknown): string {
	if (value === undefined || value === null) return "";
	if (Array.isArray(value)) return describeList(value);
	if (typeof value !== "object") return String(value);
	const entries = Object.entries(value).filter(([, each]) => each !== undefined);
	return entries.map(([name, each]) => `${name} ${describeHit(each)}`).join(", ");
}

function describeList(list: readonly unknown[]): string {
	if (list.some((each) => typeof each === "object")) return list.map(describeHit).join("; ");
	const texts = list.map(String);
	const isBack = (text: string) => texts.includes(text.split(">").reverse().join(">"));
	return texts
		.flatMap((text) => {
			const [from = "", to] = text.split(">");
			if (to === undefined) return [text];
			if (!isBack(text)) return [`${from} → ${to}`];
			return from < to ? [`${from} ↔ ${to}`] : [];
		})
		.join(texts.some((text) => text.includes(">")) ? ", " : " ");
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
