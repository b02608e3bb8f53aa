/**
 * Is a history linearizable? Wing and Gong's search over a linked list of calls and returns, with Lowe's memory of
 * configurations seen ("Testing for linearizability", 2017). Exponential at worst, quick for the few concurrent
 * operations of our workloads; bounded by `maxConfigurations`.
 */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

export interface LinearOperation<I> extends Timed {
	readonly input: I;
}

/** A sequential object. States are immutable. */
export interface LinearModel<S, I> {
	readonly initial: S;
	/** The state after the operation, or undefined where it cannot happen. */
	step(state: S, input: I): S | undefined;
	/** Equal exactly for equal states. */
	key(state: S): string;
	show(state: S): string;
	/**
	 * Whether taking this operation out of any linearizable history leaves one: true for reads, and for a write that no
	 * other operation noticed. Shrinking takes out nothing else, so that a witness never blames a read for a write that
	 * was merely cut off.
	 */
	removable(input: I, others: readonly I[]): boolean;
	/** What is left of an operation when its answer is cut off; undefined: nothing (a read). */
	forget(input: I): I | undefined;
	/** A number that no operation makes smaller, such as a revision. */
	readonly level?: {
		of(state: S): number;
		/** At which the operation leaves the object; undefined: nobody knows. */
		after(input: I): number | undefined;
	};
}

export type LinearVerdict<I> =
	| { readonly verdict: "linearizable"; readonly order: ReadonlyArray<LinearOperation<I>> }
	/** The search was given up after `maxConfigurations`. */
	| { readonly verdict: "undecided" }
	| {
			readonly verdict: "violated";
			/** The operations that could not be placed after the longest order found. */
			readonly stuck: ReadonlyArray<LinearOperation<I>>;
			/** The state they met, shown. */
			readonly state: string;
	  };

export interface LinearOptions<S = unknown, I = unknown> {
	/** For shrinking: the model of a part of the history, where it is made from what the history's answers say. */
	readonly modelOf?: ((operations: ReadonlyArray<LinearOperation<I>>) => LinearModel<S, I>) | undefined;
	/** Default 1,000,000. */
	readonly maxConfigurations?: number | undefined;
}

const defaultConfigurations = 1_000_000;
/** Of all searches for a smaller witness together. */
const shrinkConfigurations = 2_000_000;

/** Calls and returns in time order; placing an operation takes both out of the list, taking it back restores them. */
class Entries {
	/** Operation of each entry; entry 0 is the head. */
	readonly operation: Int32Array;
	readonly isReturn: Uint8Array;
	readonly next: Int32Array;
	readonly #previous: Int32Array;
	/** Entry of each operation's return; 0: it has none. */
	readonly #returns: Int32Array;

	constructor(ops: readonly Timed[]) {
		const events: Array<{ readonly at: number; readonly operation: number; readonly isReturn: 0 | 1 }> = [];
		for (const [operation, { invoked, completed }] of ops.entries()) {
			events.push({ at: invoked, operation, isReturn: 0 });
			if (completed !== undefined) events.push({ at: completed, operation, isReturn: 1 });
		}
		// At the same instant calls come first: they are concurrent with what is answered then.
		events.sort((a, b) => a.at - b.at || a.isReturn - b.isReturn);
		const size = events.length + 1;
		this.operation = new Int32Array(size).fill(-1);
		this.isReturn = new Uint8Array(size);
		this.next = Int32Array.from({ length: size }, (_, i) => (i + 1) % size);
		this.#previous = Int32Array.from({ length: size }, (_, i) => (i + size - 1) % size);
		this.#returns = new Int32Array(ops.length);
		for (const [i, event] of events.entries()) {
			this.operation[i + 1] = event.operation;
			this.isReturn[i + 1] = event.isReturn;
			if (event.isReturn === 1) this.#returns[event.operation] = i + 1;
		}
	}

	#remove(entry: number): void {
		this.next[this.#previous[entry]!] = this.next[entry]!;
		this.#previous[this.next[entry]!] = this.#previous[entry]!;
	}

	#restore(entry: number): void {
		this.next[this.#previous[entry]!] = entry;
		this.#previous[this.next[entry]!] = entry;
	}

	lift(call: number): void {
		this.#remove(call);
		const back = this.#returns[this.operation[call]!]!;
		if (back !== 0) this.#remove(back);
	}

	unlift(call: number): void {
		const back = this.#returns[this.operation[call]!]!;
		if (back !== 0) this.#restore(back);
		this.#restore(call);
	}

	/** Operations that began before any of those left was answered. */
	candidates(): number[] {
		const found: number[] = [];
		for (let at = this.next[0]!; at !== 0 && this.isReturn[at] === 0; at = this.next[at]!) {
			found.push(this.operation[at]!);
		}
		return found;
	}
}

/** The smallest level of the operations not yet placed: an order that has passed it cannot be completed. */
class Floor {
	readonly #counts = new Map<number, number>();
	readonly #levels: readonly number[];
	/** All levels before this place in `#levels` have none left. */
	#at = 0;

	constructor(levels: readonly number[]) {
		for (const level of levels) this.#counts.set(level, (this.#counts.get(level) ?? 0) + 1);
		this.#levels = [...this.#counts.keys()].sort((a, b) => a - b);
	}

	place(level: number): void {
		this.#counts.set(level, this.#counts.get(level)! - 1);
	}

	takeBack(level: number): void {
		this.#counts.set(level, this.#counts.get(level)! + 1);
		while (this.#at > 0 && this.#levels[this.#at - 1]! >= level) this.#at--;
	}

	get level(): number {
		while (this.#at < this.#levels.length && this.#counts.get(this.#levels[this.#at]!) === 0) this.#at++;
		return this.#levels[this.#at] ?? Number.POSITIVE_INFINITY;
	}
}

/** Searches an order of all answered operations, and of any of the unanswered, that fits the model and real time. */
export function checkLinearizable<S, I>(
	model: LinearModel<S, I>,
	operations: ReadonlyArray<LinearOperation<I>>,
	options: LinearOptions<S, I> = {},
): LinearVerdict<I> & { readonly configurations: number } {
	const ops = withoutVain(model, operations).toSorted((a, b) => a.invoked - b.invoked);
	const maxConfigurations = options.maxConfigurations ?? defaultConfigurations;
	const entries = new Entries(ops);
	const placed = Buffer.alloc(Math.ceil(ops.length / 8));
	const seen = new Set<string>();
	const steps: Array<{ readonly entry: number; readonly state: S; readonly isLate: boolean }> = [];
	const levels = ops.map((op) => (op.completed === undefined ? undefined : model.level?.after(op.input)));
	const floor = new Floor(levels.filter((level) => level !== undefined));
	const unanswered = ops.some((op) => op.completed === undefined);
	let left = ops.filter((op) => op.completed !== undefined).length;
	let state = model.initial;
	let best = Number.POSITIVE_INFINITY;
	let stuck: number[] = [];
	let stuckState = state;
	let entry = entries.next[0]!;
	// Answered operations are tried first: what nobody answered fits almost anywhere, and is put where nothing else fits.
	let isLate = false;
	const flip = (operation: number) => {
		placed[operation >> 3] = placed[operation >> 3]! ^ (1 << (operation & 7));
	};
	while (left > 0) {
		if (entry !== 0 && entries.isReturn[entry] === 0) {
			const operation = entries.operation[entry]!;
			const { completed, input } = ops[operation]!;
			const level = levels[operation];
			const after = isLate === (completed === undefined) ? model.step(state, input) : undefined;
			if (level !== undefined) floor.place(level);
			const fits = after !== undefined && (model.level === undefined || model.level.of(after) <= floor.level);
			if (fits) {
				flip(operation);
				const configuration = `${placed.toString("latin1")}${model.key(after)}`;
				if (!seen.has(configuration)) {
					if (seen.size >= maxConfigurations) return { verdict: "undecided", configurations: seen.size };
					seen.add(configuration);
					steps.push({ entry, state, isLate });
					state = after;
					entries.lift(entry);
					if (completed !== undefined) left--;
					entry = entries.next[0]!;
					isLate = false;
					continue;
				}
				flip(operation);
			}
			if (level !== undefined) floor.takeBack(level);
			entry = entries.next[entry]!;
			continue;
		}
		if (!isLate && unanswered) {
			isLate = true;
			entry = entries.next[0]!;
			continue;
		}
		if (left < best) {
			best = left;
			stuck = entries.candidates();
			stuckState = state;
		}
		const last = steps.pop();
		if (last === undefined) {
			const witness = stuck.map((i) => ops[i]!);
			return { verdict: "violated", stuck: witness, state: model.show(stuckState), configurations: seen.size };
		}
		const operation = entries.operation[last.entry]!;
		flip(operation);
		entries.unlift(last.entry);
		if (ops[operation]!.completed !== undefined) left++;
		if (levels[operation] !== undefined) floor.takeBack(levels[operation]);
		isLate = last.isLate;
		state = last.state;
		entry = entries.next[last.entry]!;
	}
	const order = steps.map((step) => ops[entries.operation[step.entry]!]!);
	return { verdict: "linearizable", order, configurations: seen.size };
}

/** Without the unanswered operations that nobody noticed: with or without them the verdict is the same. */
function withoutVain<S, I>(model: LinearModel<S, I>, operations: ReadonlyArray<LinearOperation<I>>) {
	const kept = new Set(operations);
	for (const op of operations) {
		if (op.completed !== undefined) continue;
		kept.delete(op);
		const others = [...kept].map((other) => other.input);
		if (!model.removable(op.input, others)) kept.add(op);
	}
	return [...kept];
}

/** The smallest part of a history that is still not linearizable; every cut leaves a verdict that holds for the whole. */
export function shrinkHistory<S, I>(
	model: LinearModel<S, I>,
	operations: ReadonlyArray<LinearOperation<I>>,
	options: LinearOptions<S, I> = {},
): Array<LinearOperation<I>> {
	const { modelOf = () => model } = options;
	// A witness that is not the smallest, today, is better than the smallest, tomorrow.
	let budget = shrinkConfigurations;
	const fails = (ops: ReadonlyArray<LinearOperation<I>>) => {
		if (budget <= 0) return false;
		const maxConfigurations = Math.min(budget, options.maxConfigurations ?? defaultConfigurations);
		const { verdict, configurations } = checkLinearizable(modelOf(ops), ops, { maxConfigurations });
		budget -= configurations;
		return verdict === "violated";
	};
	let kept = shortestPrefix(model, operations, fails).toSorted((a, b) => a.invoked - b.invoked);
	for (let size = kept.length - 1; size > 1; size--) {
		const rest = withoutRemovable(model, kept, new Set(kept.slice(0, size)));
		if (rest.length === kept.length || !fails(rest)) continue;
		kept = rest;
		break;
	}
	for (let size = Math.max(1, kept.length >> 1); ; ) {
		const before = kept.length;
		for (let from = kept.length - size; from > -size; from -= size) {
			const cut = new Set(kept.slice(Math.max(0, from), from + size));
			const rest = withoutRemovable(model, kept, cut);
			if (rest.length < kept.length && fails(rest)) kept = rest;
		}
		if (size > 1) size >>= 1;
		else if (kept.length === before) return kept;
	}
}

function withoutRemovable<S, I>(
	model: LinearModel<S, I>,
	ops: ReadonlyArray<LinearOperation<I>>,
	cut: ReadonlySet<LinearOperation<I>>,
): Array<LinearOperation<I>> {
	const out = new Set(cut);
	// Together: a chain of writes that notice each other, and nobody else does, goes as one.
	for (let before = -1; before !== out.size; ) {
		before = out.size;
		const others = ops.filter((op) => !out.has(op)).map((op) => op.input);
		for (const op of out) if (!model.removable(op.input, others)) out.delete(op);
	}
	return ops.filter((op) => !out.has(op));
}

function shortestPrefix<S, I>(
	model: LinearModel<S, I>,
	operations: ReadonlyArray<LinearOperation<I>>,
	fails: (ops: ReadonlyArray<LinearOperation<I>>) => boolean,
): Array<LinearOperation<I>> {
	const ends = operations.flatMap((op) => op.completed ?? []).toSorted((a, b) => a - b);
	const prefix = (end: number): Array<LinearOperation<I>> =>
		operations.flatMap((op) => {
			if (op.invoked > end) return [];
			if (op.completed === undefined || op.completed <= end) return [op];
			const input = model.forget(op.input);
			return input === undefined ? [] : [{ ...op, input, completed: undefined }];
		});
	let low = 0;
	let high = ends.length - 1;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (fails(prefix(ends[middle]!))) high = middle;
		else low = middle + 1;
	}
	const shortest = prefix(ends[low] ?? 0);
	return fails(shortest) ? shortest : [...operations];
}

/** Checks and explains: nothing where the history is linearizable. `what` names the object in the message. */
export function linearizabilityViolations<S, I>(
	what: string,
	model: LinearModel<S, I>,
	operations: ReadonlyArray<LinearOperation<I>>,
	options: LinearOptions<S, I> = {},
): Violation[] {
	const verdict = checkLinearizable(model, operations, options);
	if (verdict.verdict === "linearizable") return [];
	if (verdict.verdict === "undecided") {
		const message = `${what}: gave up after ${options.maxConfigurations ?? defaultConfigurations} configurations of ${operations.length} operations`;
		return [{ kind: "undecided", message, witness: [] }];
	}
	const { modelOf = () => model } = options;
	const witness = shrinkHistory(model, operations, options);
	const last = checkLinearizable(modelOf(witness), witness, options);
	const shown = last.verdict === "violated" ? last : verdict;
	return [
		{
			kind: "nonlinearizable",
			message: `${what}: no order of these ${witness.length} operations (of ${operations.length}) fits`,
			witness: [
				...describeTimed(witness),
				`after the longest order it held ${shown.state}; stuck: ${shown.stuck.map((op) => op.name).join("; ")}`,
			],
		},
	];
}

// ---- the register ----

export type RegisterInput =
	| { readonly kind: "write"; readonly value: string | null }
	| { readonly kind: "read"; readonly value: string | null }
	/** `done`: the register held `expected` and now holds `value`; otherwise it held something else. */
	| { readonly kind: "cas"; readonly expected: string | null; readonly value: string | null; readonly done: boolean };

export type RegisterOperation = LinearOperation<RegisterInput>;

export type Verdict =
	| { readonly ok: true }
	/** `stuck`: the operations that could not be placed after the longest order found. */
	| { readonly ok: false; readonly stuck: readonly string[] };

function stepRegister(state: string | null, input: RegisterInput): string | null | undefined {
	switch (input.kind) {
		case "write":
			return input.value;
		case "read":
			return input.value === state ? state : undefined;
		case "cas":
			if (input.done) return input.expected === state ? input.value : undefined;
			return input.expected === state ? undefined : state;
	}
}

/** Whether the register's holding `value` matters to the operation. */
function notices(input: RegisterInput, value: string | null): boolean {
	if (input.kind === "read") return input.value === value;
	// A failed swap noticed that it was not `expected`, whatever else it was.
	return input.kind === "cas" && (!input.done || input.expected === value);
}

/** A register holding `initial` before all; null: absent. */
export function registerModel(initial: string | null = null): LinearModel<string | null, RegisterInput> {
	return {
		initial,
		step: stepRegister,
		key: (state) => (state === null ? "-" : `=${state}`),
		show: (state) => String(state),
		removable: (input, others) => {
			if (input.kind === "read" || (input.kind === "cas" && !input.done)) return true;
			// A swap also saw `expected`, but an order without it stays an order.
			return !others.some((other) => notices(other, input.value));
		},
		forget: (input) => (input.kind === "read" || (input.kind === "cas" && !input.done) ? undefined : input),
	};
}

/** `initial`: what the register held before all of them; null: absent. Throws when the search is too large. */
export function checkRegister(operations: readonly RegisterOperation[], initial: string | null = null): Verdict {
	const result = checkLinearizable(registerModel(initial), operations, { maxConfigurations: 10_000_000 });
	if (result.verdict === "linearizable") return { ok: true };
	if (result.verdict === "undecided")
		throw new Error(`the order of ${operations.length} operations is too hard to find`);
	return { ok: false, stuck: result.stuck.map(({ name }) => `${name} (register held ${result.state})`) };
}
