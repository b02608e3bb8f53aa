/** Registers, each a key of its own: read, write, compare-and-swap; every one must be linearizable by itself. */
import {
	linearizabilityViolations,
	type RegisterInput,
	type RegisterOperation,
	registerModel,
} from "../checkers/linearizability.ts";
import type { Operation } from "../history.ts";
import { found, type KvTarget, listPrefix } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, pick, timed, type Workload } from "./workload.ts";

const prefix = "r/";
const keys = ["r/0", "r/1", "r/2", "r/3", "r/4"];

/** Of an ok swap: whether it swapped, and otherwise what was there. */
interface CasResult {
	readonly done: boolean;
	readonly found: string | null;
}

/** Of `read-all`: what each holds that is there. */
type Registers = Readonly<Record<string, string>>;

class RegisterActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	readonly #known = new Map<string, string | null>();
	#values = 0;

	constructor(target: KvTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
	}

	next(): Invocation {
		const { random, name } = this.#options;
		const key = pick(random, keys);
		const dice = random.int(10);
		if (dice < 5) return { f: "read", key };
		const value = `${name}.${++this.#values}`;
		if (dice < 8) return { f: "write", key, value };
		return { f: "cas", key, value: [this.#known.get(key) ?? null, value] };
	}

	async perform({ f, key = "", value }: Invocation): Promise<unknown> {
		if (f === "read-all") {
			const { kvs } = await listPrefix(this.#target, prefix);
			return Object.fromEntries(kvs.map((kv) => [kv.key, kv.value])) satisfies Registers;
		}
		if (f === "read") {
			const { kvs } = await this.#target.range({ key });
			return this.#learn(key, kvs[0]?.value ?? null);
		}
		if (f === "write") {
			await this.#target.put(key, value as string);
			this.#learn(key, value as string);
			return undefined;
		}
		const [expected, next] = value as [string | null, string];
		const { succeeded, answers } = await this.#target.txn({
			compare: [
				expected === null
					? { key, target: "create", result: "equal", operand: 0 }
					: { key, target: "value", result: "equal", operand: expected },
			],
			success: [{ op: "put", key, value: next }],
			failure: [{ op: "range", key }],
		});
		const there = found(answers[0])?.value ?? null;
		this.#learn(key, succeeded ? next : there);
		return { done: succeeded, found: succeeded ? null : there } satisfies CasResult;
	}

	#learn(key: string, value: string | null): string | null {
		this.#known.set(key, value);
		return value;
	}
}

/** A read of all as one of each. */
function asReads(op: Operation): Operation[] {
	if (op.f !== "read-all") return [op];
	if (op.type !== "ok") return [];
	return keys.map((key) => ({ ...op, f: "read", key, result: (op.result as Registers)[key] ?? null }));
}

function toRegister(op: Operation): RegisterOperation[] {
	const make = (input: RegisterInput) => [{ ...timed(op), input }];
	if (op.type === "fail") return [];
	if (op.f === "read") return op.type === "ok" ? make({ kind: "read", value: op.result as string | null }) : [];
	if (op.f === "write") return make({ kind: "write", value: op.value as string });
	const [expected, value] = op.value as [string | null, string];
	const result = op.result as CasResult | undefined;
	if (result?.done === false) return make({ kind: "read", value: result.found });
	return make({ kind: "cas", expected, value, done: true });
}

export const register: Workload<KvTarget> = {
	name: "register",
	summary: "read, write and compare-and-swap single keys; each must be linearizable",
	rate: 200,
	actor: (target, options) => new RegisterActor(target, options),
	finish: { invocation: { f: "read-all" }, by: "all" },
	check: (operations) => {
		const history = operations.flatMap(asReads);
		return keys.flatMap((key) =>
			linearizabilityViolations(
				`register ${key}`,
				registerModel(),
				history.filter((op) => op.key === key).flatMap(toRegister),
			),
		);
	},
};
