import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { checkRegister, type RegisterInput, type RegisterOperation } from "./linearizability.ts";

function op(invoked: number, completed: number | undefined, input: RegisterInput): RegisterOperation {
	return { name: `${input.kind}@${invoked}`, input, invoked, completed };
}
const write = (value: string | null): RegisterInput => ({ kind: "write", value });
const read = (value: string | null): RegisterInput => ({ kind: "read", value });
const cas = (expected: string | null, value: string, done: boolean): RegisterInput => ({
	kind: "cas",
	expected,
	value,
	done,
});

/** Every order is tried: the definition. */
function slow(ops: readonly RegisterOperation[], state: string | null = null): boolean {
	const rest = ops.filter((each) => each.completed !== undefined);
	if (rest.length === 0) return true;
	const firstAnswer = Math.min(...rest.map((each) => each.completed!));
	return ops.some((each) => {
		if (each.invoked > firstAnswer) return false;
		const { input } = each;
		if (input.kind === "read" && input.value !== state) return false;
		if (input.kind === "cas" && (input.expected === state) !== input.done) return false;
		const after = input.kind === "read" || (input.kind === "cas" && !input.done) ? state : input.value;
		return slow(
			ops.filter((other) => other !== each),
			after,
		);
	});
}

function randomHistory(random: Random): RegisterOperation[] {
	const value = () => String(random.int(3));
	return Array.from({ length: 2 + random.int(6) }, () => {
		const invoked = random.int(20);
		const completed = random.int(5) === 0 ? undefined : invoked + 1 + random.int(8);
		const inputs = [write(value()), read(value()), read(null), write(null), cas(value(), value(), random.int(2) === 0)];
		return op(invoked, completed, inputs[random.int(inputs.length)]!);
	});
}

describe("chaos/checkers/linearizability", () => {
	it("takes an order that fits, and refuses a stale read, a lost write and a resurrected value", () => {
		assert.ok(checkRegister([op(0, 10, write("a")), op(2, 4, read("a")), op(5, 6, read("a"))]).ok);
		assert.ok(checkRegister([op(0, 10, write("a")), op(2, 4, read(null)), op(5, 6, read("a"))]).ok);
		assert.ok(!checkRegister([op(0, 10, write("a")), op(2, 4, read("a")), op(5, 6, read(null))]).ok);
		const lost = checkRegister([op(0, 1, write("a")), op(2, 3, write("b")), op(4, 5, read("a"))]);
		assert.deepEqual(lost, { ok: false, stuck: ["read@4 (register held b)"] });
		assert.ok(!checkRegister([op(0, 1, write("a")), op(2, 3, write(null)), op(4, 5, read("a"))]).ok);
	});

	it("lets an unanswered write happen late or never, but not twice", () => {
		const unanswered = op(0, undefined, write("x"));
		assert.ok(checkRegister([unanswered, op(5, 6, read(null)), op(7, 8, read(null))]).ok);
		assert.ok(checkRegister([unanswered, op(5, 6, read(null)), op(7, 8, read("x"))]).ok);
		const twice = [unanswered, op(1, 2, read("x")), op(3, 4, write("y")), op(5, 6, read("x"))];
		assert.ok(!checkRegister(twice).ok);
	});

	it("lets only one compare-and-swap win", () => {
		const first = op(0, 10, cas(null, "a", true));
		assert.ok(checkRegister([first, op(0, 10, cas(null, "b", false))]).ok);
		assert.ok(!checkRegister([first, op(0, 10, cas(null, "b", true))]).ok);
	});

	it("agrees with trying every order", () => {
		const verdicts = { true: 0, false: 0 };
		for (let seed = 1; seed <= 3000; seed++) {
			const history = randomHistory(seededRandom(seed));
			const expected = slow(history);
			assert.equal(checkRegister(history).ok, expected, `seed ${seed}: ${JSON.stringify(history)}`);
			verdicts[`${expected}`]++;
		}
		assert.ok(verdicts.true > 300 && verdicts.false > 300);
	});
});
