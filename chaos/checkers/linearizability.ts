/**
 * Is a history of one register linearizable? Wing and Gong's search with Lowe's memory of configurations seen ("Testing
 * for linearizability", 2017). Exponential at worst, quick for the few concurrent operations of our workloads.
 */
export type RegisterInput =
	| { readonly kind: "write"; readonly value: string | null }
	| { readonly kind: "read"; readonly value: string | null }
	/** `done`: the register held `expected` and now holds `value`; otherwise it held something else. */
	| { readonly kind: "cas"; readonly expected: string | null; readonly value: string | null; readonly done: boolean };

export interface RegisterOperation {
	/** For reports. */
	readonly name: string;
	readonly input: RegisterInput;
	readonly invoked: number;
	/** Absent: no answer; it may have taken effect at any time after `invoked`, or never. */
	readonly completed: number | undefined;
}

export type Verdict =
	| { readonly ok: true }
	/** `stuck`: the operations that could not be placed after the longest order found. */
	| { readonly ok: false; readonly stuck: readonly string[] };

/** The state after the operation, or undefined where it cannot happen. */
function apply(state: string | null, input: RegisterInput): { readonly state: string | null } | undefined {
	switch (input.kind) {
		case "write":
			return { state: input.value };
		case "read":
			return input.value === state ? { state } : undefined;
		case "cas":
			if (input.done) return input.expected === state ? { state: input.value } : undefined;
			return input.expected === state ? undefined : { state };
	}
}

interface Step {
	readonly operation: number;
	readonly state: string | null;
	/** Where to go on in the candidates when this step is taken back. */
	readonly tried: number;
}

/** `initial`: what the register held before all of them; null: absent. */
export function checkRegister(operations: readonly RegisterOperation[], initial: string | null = null): Verdict {
	const ops = operations.toSorted((a, b) => a.invoked - b.invoked);
	const placed = new Uint8Array(ops.length);
	const required = ops.filter((op) => op.completed !== undefined).length;
	const seen = new Set<string>();
	const steps: Step[] = [];
	let state = initial;
	let requiredPlaced = 0;
	let best = -1;
	let stuck: string[] = [];
	let from = 0;
	for (;;) {
		if (requiredPlaced === required) return { ok: true };
		const next = findNext(ops, placed, state, from, seen);
		if (next !== undefined) {
			steps.push({ operation: next.operation, state, tried: next.operation + 1 });
			placed[next.operation] = 1;
			if (ops[next.operation]!.completed !== undefined) requiredPlaced++;
			state = next.state;
			from = 0;
			continue;
		}
		if (requiredPlaced > best) {
			best = requiredPlaced;
			stuck = candidates(ops, placed).map((i) => `${ops[i]!.name} (register held ${state})`);
		}
		const last = steps.pop();
		if (last === undefined) return { ok: false, stuck };
		placed[last.operation] = 0;
		if (ops[last.operation]!.completed !== undefined) requiredPlaced--;
		state = last.state;
		from = last.tried;
	}
}

/** Operations that began before every unplaced one was answered. */
function candidates(ops: readonly RegisterOperation[], placed: Uint8Array): number[] {
	let firstAnswer = Number.POSITIVE_INFINITY;
	for (let i = 0; i < ops.length; i++) {
		const completed = ops[i]!.completed;
		if (placed[i] === 0 && completed !== undefined && completed < firstAnswer) firstAnswer = completed;
	}
	const found: number[] = [];
	for (let i = 0; i < ops.length && ops[i]!.invoked <= firstAnswer; i++) if (placed[i] === 0) found.push(i);
	return found;
}

function findNext(
	ops: readonly RegisterOperation[],
	placed: Uint8Array,
	state: string | null,
	from: number,
	seen: Set<string>,
): { readonly operation: number; readonly state: string | null } | undefined {
	for (const operation of candidates(ops, placed)) {
		if (operation < from) continue;
		const after = apply(state, ops[operation]!.input);
		if (after === undefined) continue;
		placed[operation] = 1;
		const configuration = `${Buffer.from(placed.buffer).toString("latin1")}${after.state}`;
		placed[operation] = 0;
		if (seen.has(configuration)) continue;
		seen.add(configuration);
		return { operation, state: after.state };
	}
	return undefined;
}
