/** The data-driven cases of etcd's raft (quorum arithmetic, configuration changes), kept outside of the repository. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { seededRandom } from "../../kit/random.ts";
import { skip } from "../../test/skip.ts";
import { applySimple, ConfChangeError, emptyConf, enterJoint, isJoint, leaveJoint } from "./confchange.ts";
import { jointCommitted, jointVote, majorityCommitted, majorityVote } from "./quorum.ts";
import { Tracker } from "./tracker.ts";
import type { ConfChange, ConfChangeType, ConfState, MemberId } from "./types.ts";

const folder = new URL("../../../shared/raft-testdata/", import.meta.url);

interface Case {
	readonly line: number;
	readonly command: string;
	readonly args: ReadonlyMap<string, readonly string[]>;
	readonly input: string;
	readonly expected: string;
}

/** Blocks of: comments, `command key=(a,b) key=value`, input lines, `----`, the expected output up to an empty line. */
function parse(text: string): Case[] {
	const lines = text.split("\n");
	const cases: Case[] = [];
	for (let at = 0; at < lines.length; at++) {
		if (lines[at] === "" || lines[at]!.startsWith("#")) continue;
		const line = at + 1;
		const [, command, rest] = /^(\S+)\s*(.*)$/.exec(lines[at]!)!;
		const args = new Map<string, string[]>();
		for (const [, key, list, single] of rest!.matchAll(/(\w+)=(?:\(([^)]*)\)|(\S+))/g))
			args.set(
				key!,
				(list ?? single!).split(",").map((part) => part.trim()),
			);
		const input: string[] = [];
		while (lines[++at] !== "----") input.push(lines[at]!);
		const expected: string[] = [];
		while (at + 1 < lines.length && lines[at + 1] !== "") expected.push(lines[++at]!);
		cases.push({ line, command: command!, args, input: input.join(" "), expected: expected.join("\n") });
	}
	return cases;
}

function eachFile(room: string, run: (name: string, cases: readonly Case[]) => void): void {
	const path = new URL(`${room}/`, folder);
	if (!existsSync(path)) {
		it(`${room}`, function () {
			skip(this, "the folder ../shared/raft-testdata is not there");
		});
		return;
	}
	for (const name of readdirSync(path)) run(name, parse(readFileSync(new URL(name, path), "utf8")));
}

const ids = (args: Case["args"], key: string): number[] =>
	(args.get(key) ?? []).filter((value) => value !== "zero" && value !== "").map(Number);

interface Quorum {
	readonly incoming: readonly number[];
	readonly outgoing: readonly number[];
	readonly joint: boolean;
	/** In the order in which values are given. */
	readonly all: readonly number[];
}

function quorumOf({ args }: Case): Quorum {
	const incoming = ids(args, "cfg");
	const outgoing = ids(args, "cfgj");
	return { incoming, outgoing, joint: args.has("cfgj"), all: [...new Set([...incoming, ...outgoing])] };
}

/** One line a voter: how many others it is ahead of, its index, its id. */
function describeIndexes(voters: readonly number[], acked: ReadonlyMap<number, number>): string {
	if (voters.length === 0) return "<empty majority quorum>";
	const width = voters.length;
	const rows = [...voters]
		.sort((a, b) => a - b)
		.map((id) => {
			const index = acked.get(id);
			const behind = voters.filter((other) => (acked.get(other) ?? 0) < (index ?? 0)).length;
			const bar = index === undefined ? `?${" ".repeat(width)}` : `${"x".repeat(behind)}>`.padEnd(width + 1);
			return `${bar} ${String(index ?? 0).padStart(5)}    (id=${id})\n`;
		});
	return `${" ".repeat(width)}    idx\n${rows.join("")}`;
}

function runCommitted(test: Case): string {
	const quorum = quorumOf(test);
	const acked = new Map<number, number>();
	const given = test.args.get("idx") ?? [];
	for (const [at, id] of quorum.all.entries()) if (given[at] !== "_") acked.set(id, Number(given[at]));
	const values = (voters: readonly number[]) => voters.map((id) => acked.get(id) ?? 0);
	const single = majorityCommitted(values(quorum.incoming));
	const result = jointCommitted(values(quorum.incoming), values(quorum.outgoing));
	assert.equal(jointCommitted(values(quorum.outgoing), values(quorum.incoming)), result, "halves may be swapped");
	if (!quorum.joint) assert.equal(result, single, "an empty half changes nothing");
	return `${describeIndexes(quorum.all, acked)}${result === Number.POSITIVE_INFINITY ? "∞" : result}`;
}

function runVote(test: Case): string {
	const quorum = quorumOf(test);
	const given = test.args.get("votes") ?? [];
	const votes = new Map(quorum.all.map((id, at) => [id, given[at]]));
	const tally = (voters: readonly number[]) => {
		const count = (answer: string) => voters.filter((id) => votes.get(id) === answer).length;
		return majorityVote(voters.length, count("y"), count("n"));
	};
	const result = jointVote(tally(quorum.incoming), tally(quorum.outgoing));
	assert.equal(jointVote(tally(quorum.outgoing), tally(quorum.incoming)), result, "halves may be swapped");
	return `Vote${result[0]!.toUpperCase()}${result.slice(1)}`;
}

const changeTypes: Readonly<Record<string, ConfChangeType>> = {
	v: "add_voter",
	l: "add_learner",
	r: "remove",
	u: "update",
};

function parseChanges(input: string): ConfChange[] {
	const words = input.split(/\s+/).filter((word) => word !== "");
	return words.map((word) => ({
		type: changeTypes[word[0]!]!,
		id: BigInt(word.slice(1)),
		context: Buffer.alloc(0),
	}));
}

function describeConf(conf: ConfState, tracker: Tracker): string {
	const list = (members: readonly MemberId[]) => `(${members.join(" ")})`;
	let line = `voters=${list(conf.voters)}`;
	if (isJoint(conf)) line += `&&${list(conf.votersOutgoing)}`;
	if (conf.learners.length > 0) line += ` learners=${list(conf.learners)}`;
	if (conf.learnersNext.length > 0) line += ` learners_next=${list(conf.learnersNext)}`;
	if (conf.autoLeave) line += " autoleave";
	const rows = tracker.all.map(({ id, state, match, next, learner }) => {
		const name = `State${state[0]!.toUpperCase()}${state.slice(1)}`;
		return `\n${id}: ${name} match=${match} next=${next}${learner ? " learner" : ""}`;
	});
	return line + rows.join("");
}

class ConfChangeRun {
	#conf = emptyConf;
	readonly #tracker = new Tracker({ maxInflightAppends: 10, maxInflightBytes: 1000 }, emptyConf, 0);
	#lastIndex = 0;

	run(test: Case): string {
		try {
			this.#conf = this.#change(test);
			this.#tracker.apply(this.#conf, this.#lastIndex);
			return describeConf(this.#conf, this.#tracker);
		} catch (error) {
			if (error instanceof ConfChangeError) return error.message;
			throw error;
		} finally {
			// Each command is an entry, so that `next` tells when a member came.
			this.#lastIndex++;
		}
	}

	#change({ command, args, input }: Case): ConfState {
		const changes = parseChanges(input);
		if (command === "simple") return applySimple(this.#conf, changes);
		if (command === "enter-joint") return enterJoint(this.#conf, args.get("autoleave")?.[0] === "true", changes);
		assert.equal(command, "leave-joint");
		return leaveJoint(this.#conf);
	}
}

describe("raft: quorum data", () => {
	eachFile("quorum", (name, cases) => {
		it(`${name}: ${cases.length} cases`, () => {
			for (const test of cases) {
				const output = test.command === "vote" ? runVote(test) : runCommitted(test);
				assert.equal(output, test.expected, `${name}:${test.line}`);
			}
		});
	});

	it("agrees with counting for every index", () => {
		const random = seededRandom(1);
		for (let round = 0; round < 500; round++) {
			const acked = Array.from({ length: 1 + random.int(9) }, () => random.int(6));
			let slow = 0;
			for (let index = 1; index <= 6; index++)
				if (acked.filter((value) => value >= index).length * 2 > acked.length) slow = index;
			assert.equal(majorityCommitted([...acked]), slow, `acked ${acked.join(" ")}`);
		}
	});
});

describe("raft: confchange data", () => {
	eachFile("confchange", (name, cases) => {
		it(`${name}: ${cases.length} cases`, () => {
			const run = new ConfChangeRun();
			for (const test of cases) assert.equal(run.run(test), test.expected, `${name}:${test.line}`);
		});
	});
});
