/** Histories in which all clients lose their answers at once, again and again, are decided all the same. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { applyRequest, checkStore, emptyModel, type ModelOperation, type ModelRequest } from "./model.ts";

const keys = ["k/0", "k/1", "k/2", "k/3", "k/4", "k/5"];

function draw(random: Random, value: string): ModelRequest {
	const key = keys[random.int(keys.length)]!;
	const dice = random.int(100);
	if (dice < 45) return { op: "range", key: dice < 25 ? key : "k/", ...(dice < 25 ? {} : { end: "k0" }) };
	if (dice < 70) return { op: "put", key, value };
	if (dice < 80) return { op: "delete", key };
	return {
		op: "txn",
		compare: [{ key, target: "version", result: "greater", operand: random.int(3) }],
		success: [
			{ op: "put", key, value },
			{ op: "range", key: "k/", end: "k0" },
		],
		failure: [{ op: "delete", key: keys[random.int(keys.length)]! }],
	};
}

/** `rounds` crashes, each of which leaves 8 clients without an answer; some of their requests were applied before it, in any order. */
function crashes(random: Random, rounds: number): ModelOperation[] {
	const operations: ModelOperation[] = [];
	let state = emptyModel;
	let at = 0;
	let values = 0;
	const add = (request: ModelRequest, isAnswered: boolean, invoked = at++) => {
		const result = applyRequest(state, request);
		state = result.state;
		const name = `${operations.length} ${JSON.stringify(request)}`;
		const completed = isAnswered ? at++ : undefined;
		operations.push({ name, invoked, completed, input: { request, answer: isAnswered ? result.answer : undefined } });
	};
	for (let round = 0; round < rounds; round++) {
		for (let i = 0; i < 60; i++) add(draw(random, `v${++values}`), true);
		const began = at++;
		for (let client = 0; client < 8; client++) {
			const request = draw(random, `v${++values}`);
			if (request.op === "range") continue;
			if (random.int(2) === 0) add(request, false, began);
			else operations.push({ name: `${client} lost`, invoked: began, completed: undefined, input: { request } });
		}
	}
	for (let i = 0; i < 60; i++) add(draw(random, `v${++values}`), true);
	return operations;
}

function answered({ answer }: ModelOperation["input"]) {
	return answer === undefined || "refused" in answer ? undefined : answer.answers;
}

describe("chaos/checkers/model: many requests without answers", () => {
	it("are put where answers show that they took effect", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? 1 + Math.floor(Math.random() * 1e6));
		console.log(`      seed ${seed}; replay with BARQUE_SEED=${seed}`);
		for (let i = 0; i < 20; i++) {
			const random = seededRandom(seed + i);
			assert.deepEqual(checkStore(crashes(random, 5)), [], `seed ${seed + i}`);
		}
	});

	it("do not hide a value that was never written", () => {
		for (let i = 0; i < 10; i++) {
			const history = crashes(seededRandom(i), 2);
			const shown = ({ input }: ModelOperation) => {
				const [first] = answered(input) ?? [];
				return first?.op === "range" && first.kvs.length > 0 ? first : undefined;
			};
			const at = history.findLastIndex((op) => shown(op) !== undefined);
			const { input, ...rest } = history[at]!;
			const { kvs, count } = shown(history[at]!)!;
			const answers = [{ op: "range", kvs: [{ ...kvs[0]!, value: "never" }, ...kvs.slice(1)], count }] as const;
			const broken = { ...input, answer: { ...input.answer!, answers } };
			const kinds = checkStore([...history.slice(0, at), { ...rest, input: broken }]).map(({ kind }) => kind);
			assert.deepEqual(kinds, ["nonlinearizable"], `seed ${i}`);
		}
	});
});
