/** Members that come back without what they acknowledged: real processes, as an operator would start them. */
import assert from "node:assert/strict";
import { cp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { eventually } from "../store/testing.ts";
import { StoreProcesses } from "./store-processes.ts";

const bytes = (text: string) => Buffer.from(text);
const puts = 21;

describe("cluster: a member that lost its data", function () {
	this.timeout(120_000);
	let members: StoreProcesses;
	afterEach(() => members.close());

	/** Three that ran together, one now down; the other two then acknowledged puts. In this order: leader, follower, absent. */
	async function acknowledged(): Promise<readonly [string, string, string]> {
		members = await StoreProcesses.create(3);
		await members.startAll();
		const leader = await eventually("a leader", () => members.leader());
		const [follower = "", absent = ""] = members.names.filter((name) => name !== leader);
		await members.kill(absent);
		await put(puts);
		return [leader, follower, absent];
	}

	async function put(count: number): Promise<void> {
		const client = members.connect();
		try {
			for (let i = 0; i < count; i++) await client.put({ key: bytes(`k${i}`), value: bytes(`${i}`) });
		} finally {
			await client.close();
		}
	}

	async function keys(): Promise<number> {
		const client = members.connect();
		try {
			return (await client.range({ key: bytes("k"), rangeEnd: bytes("l") })).count;
		} finally {
			await client.close();
		}
	}

	it("does not vote again: what two acknowledged is there when the one that has it is back", async () => {
		const [leader, follower, absent] = await acknowledged();
		await Promise.all([members.kill(leader), members.kill(follower)]);
		await members.wipe(follower);
		assert.equal(await members.start(absent), "ready");
		assert.equal(await members.start(follower), 1);
		assert.match(
			members.output(follower),
			/Error: member m\d .* does not listen to this member: member m\d .* was known by data directory/,
		);
		assert.doesNotMatch(members.output(follower), /wipe|delete|remove|empty it/i);
		assert.equal(await members.start(leader), "ready");
		assert.equal(await keys(), puts);
	});

	it("nor when it is the first to start: it waits, and is refused by the first that knows it", async () => {
		const [leader, follower, absent] = await acknowledged();
		await Promise.all([members.kill(leader), members.kill(follower)]);
		await members.wipe(follower);
		const end = members.start(follower);
		assert.equal(await members.start(absent), "ready");
		assert.equal(await end, 1);
		assert.equal(await members.start(leader), "ready");
		assert.equal(await keys(), puts);
	});

	it("two of three that lost theirs do not draw the third into their new history", async () => {
		const [leader, follower, absent] = await acknowledged();
		await members.killAll();
		await Promise.all([members.wipe(follower), members.wipe(absent)]);
		// As far as these two can see, the cluster is new.
		assert.deepEqual(await Promise.all([members.start(follower), members.start(absent)]), ["ready", "ready"]);
		await put(3);
		assert.equal(await members.start(leader), "ready");
		const ended = () =>
			[follower, absent].every((name) => /its disk was emptied or replaced/.test(members.output(name)));
		await eventually("the end of those who forgot", ended);
		await Promise.all([members.kill(follower), members.kill(absent)]);
		assert.equal(await members.leader(), undefined);
	});

	it("is not started again by `up`: with --initial-cluster-state=existing an empty directory is refused at once", async () => {
		const [, follower] = await acknowledged();
		await members.kill(follower);
		await members.wipe(follower);
		assert.equal(await members.start(follower, ["--initial-cluster-state=existing"]), 2);
		assert.match(members.output(follower), /holds no member/);
	});

	it("is told from one that is new and late, which joins", async () => {
		members = await StoreProcesses.create(3);
		const [first = "", second = "", late = ""] = members.names;
		assert.deepEqual(await Promise.all([members.start(first), members.start(second)]), ["ready", "ready"]);
		await put(puts);
		assert.equal(await members.start(late), "ready");
		await members.kill(second);
		assert.equal(await keys(), puts);
	});

	it("is told from one that is new, late, and cannot reach all others: that waits for them", async () => {
		members = await StoreProcesses.create(3);
		const [first = "", second = "", late = ""] = members.names;
		assert.deepEqual(await Promise.all([members.start(first), members.start(second)]), ["ready", "ready"]);
		await put(puts);
		await members.kill(first);
		const joined = members.start(late);
		await eventually("an answer", () => /connected to member/.test(members.output(late)));
		assert.doesNotMatch(members.output(late), /ready/);
		assert.equal(await members.start(first), "ready");
		assert.equal(await joined, "ready");
		assert.equal(await keys(), puts);
	});

	it("and one that waits for others ends when it is asked to", async () => {
		members = await StoreProcesses.create(3);
		const end = members.start("m1");
		await eventually("it to look for the others", () => /no connection to member/.test(members.output("m1")));
		members.terminate("m1");
		assert.equal(await end, 0);
		assert.match(members.output("m1"), /stopped before it began/);
	});

	it("with an older copy of its directory is refused by those who met a later start", async () => {
		const [, follower] = await acknowledged();
		await members.kill(follower);
		const copy = `${members.dataDir(follower)}-copy`;
		await cp(members.dataDir(follower), copy, { recursive: true });
		assert.equal(await members.start(follower), "ready");
		await put(1);
		await members.kill(follower);
		await members.wipe(follower);
		await rename(copy, members.dataDir(follower));
		await members.start(follower);
		await eventually("its end", () => /comes with an older copy of it/.test(members.output(follower)));
	});

	it("with parts of its directory missing or of another time says which, and does not start", async () => {
		const [, follower] = await acknowledged();
		const part = (name: string) => path.join(members.dataDir(follower), "member", name);
		const without = async (name: string, code: number, text: RegExp) => {
			await rename(part(name), part(`${name}-kept`));
			assert.equal(await members.start(follower), code);
			assert.match(members.output(follower), text);
			await rm(part(name), { recursive: true, force: true });
			await rename(part(`${name}-kept`), part(name));
		};
		await members.kill(follower);
		await without("wal", 2, /holds a state but no log/);
		await cp(part("wal"), part("wal-old"), { recursive: true });
		await members.start(follower);
		await put(puts);
		await members.kill(follower);
		// Its commit index of the last start is in the log by now, and not in the copy.
		await members.start(follower);
		await members.kill(follower);
		await rename(part("wal"), part("wal-new"));
		await rename(part("wal-old"), part("wal"));
		assert.equal(await members.start(follower), 1);
		assert.match(members.output(follower), /the log is older than the rest of this data directory/);
		await rm(part("wal"), { recursive: true });
		await rename(part("wal-new"), part("wal"));
		assert.equal(await members.start(follower), "ready");
		assert.equal(await keys(), puts);
	});
});
