/** A mix of all requests on a few keys of a fresh store, judged against the model of the whole store, revisions included. */
import { checkStore, type ModelAnswer, type ModelOperation, type ModelRequest } from "../checkers/model.ts";
import { describeAnswer, describeRequest } from "../checkers/model-text.ts";
import type { Operation } from "../history.ts";
import type { KvTarget } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, pick, timed, type Workload } from "./workload.ts";

const keys = ["kv/0", "kv/1", "kv/2", "kv/3", "kv/4", "kv/5"];
const end = "kv0";

class KvActor implements Actor {
	readonly #target: KvTarget;
	readonly #options: ActorOptions;
	#values = 0;

	constructor(target: KvTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
	}

	next(): Invocation {
		return { f: "request", value: this.#draw() };
	}

	#draw(): ModelRequest {
		const { random, name } = this.#options;
		const key = pick(random, keys);
		const dice = random.int(100);
		const value = `${name}.${++this.#values}`;
		if (dice < 25) return { op: "range", key };
		if (dice < 45) return { op: "range", key: "kv/", end, limit: random.int(4) };
		if (dice < 70) return { op: "put", key, value };
		if (dice < 80) return { op: "delete", key, ...(random.int(4) === 0 ? { end } : {}) };
		return {
			op: "txn",
			compare: [{ key, target: "version", result: pick(random, ["greater", "less", "equal"]), operand: random.int(3) }],
			success: [
				{ op: "put", key, value },
				{ op: "range", key: "kv/", end },
			],
			failure: [
				{ op: "delete", key: pick(random, keys) },
				{ op: "range", key },
			],
		};
	}

	async perform({ value }: Invocation): Promise<ModelAnswer> {
		const request = value as ModelRequest;
		switch (request.op) {
			case "range": {
				const { revision, kvs, count } = await this.#target.range(request);
				return { revision, succeeded: true, answers: [{ op: "range", kvs, count }] };
			}
			case "put": {
				const { revision } = await this.#target.put(request.key, request.value);
				return { revision, succeeded: true, answers: [{ op: "put" }] };
			}
			case "delete": {
				const { revision, deleted } = await this.#target.delete(request.key, request.end);
				return { revision, succeeded: true, answers: [{ op: "delete", deleted }] };
			}
			case "txn":
				return this.#target.txn(request);
			default:
				throw new Error(`the kv workload makes no ${request.op}`);
		}
	}
}

function toModel(op: Operation): ModelOperation[] {
	if (op.type === "fail") return [];
	const request = op.value as ModelRequest;
	const asked = `${op.process} ${describeRequest(request)}`;
	if (op.type === "info") {
		return request.op === "range"
			? []
			: [{ ...timed(op), name: `${asked} -> info ${op.error ?? ""}`, input: { request } }];
	}
	const answer = op.result as ModelAnswer;
	return [{ ...timed(op), name: `${asked} -> ${describeAnswer(answer)}`, input: { request, answer } }];
}

export const kv: Workload<KvTarget> = {
	name: "kv",
	summary: "all requests on a fresh store; its answers and revisions must be those of one sequential store",
	rate: 150,
	actor: (target, options) => new KvActor(target, options),
	finish: { invocation: { f: "request", value: { op: "range", key: "kv/", end } satisfies ModelRequest }, by: "all" },
	check: (history) => checkStore(history.flatMap(toModel)),
};
