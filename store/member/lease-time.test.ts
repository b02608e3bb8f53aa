/** Leases over a change of leaders, with a member that holds nothing but its log when it begins to lead. */
import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { openMachine } from "../machine/machine.ts";
import type { Command } from "../machine/types.ts";
import type { Entry, HardState } from "../raft/types.ts";
import type { Log, LogRecord, RecoveredLog } from "../wal/types.ts";
import { Member } from "./member.ts";
import { initialConf } from "./recovery.ts";
import type { PeerTransport } from "./types.ts";

const conf = initialConf([1n]);
const silentTransport: PeerTransport = {
	start: () => {},
	send: () => {},
	forward: () => false,
	refuse: () => {},
	sendSnapshot: () => Promise.reject(new Error("nobody is there")),
	close: () => Promise.resolve(),
};

/** What is appended, as a later start finds it. */
class KeptLog implements Log {
	hardState: HardState = { term: 0, vote: 0n, commit: 0 };
	entries: Entry[] = [];

	async append(record: LogRecord): Promise<void> {
		this.hardState = record.hardState ?? this.hardState;
		this.entries.push(...record.entries);
	}

	async release(): Promise<void> {}

	async close(): Promise<void> {}

	/** The commit index is written lazily: a crash may lose it. */
	get recovered(): RecoveredLog {
		return {
			identity: { clusterId: 7n, memberId: 1n },
			hardState: { ...this.hardState, commit: 0 },
			snapshot: { index: 0, term: 0, conf },
			entries: [...this.entries],
		};
	}
}

async function start(clock: VirtualClock, log: KeptLog) {
	// The engine forgot everything: only the log is durable.
	const machine = await openMachine(new MemoryEngine());
	const member = await Member.open({
		config: {
			id: 1n,
			clusterId: 7n,
			name: "one",
			voters: conf.voters,
			heartbeatMs: 20,
			electionMs: 100,
			preVote: true,
			snapshotCount: 1000,
			catchUpEntries: 100,
		},
		clock,
		random: seededRandom(1),
		logger: silentLogger,
		log,
		recovered: log.recovered,
		machine,
		transport: silentTransport,
	});
	return { machine, member };
}

const grant = (id: bigint): Command => ({ kind: "lease_grant", id, ttl: 2 });

describe("store/member: leases of a new leader", () => {
	it("live for their TTL when granted with its first entries, however long there was no leader", async () => {
		const clock = new VirtualClock();
		const log = new KeptLog();
		const first = await start(clock, log);
		const granted = first.member.propose(grant(1n));
		await clock.runFor(300);
		await granted;
		await clock.runFor(500);
		first.member.crash();
		await clock.runFor(3500);

		const { member, machine } = await start(clock, log);
		assert.equal(machine.appliedIndex, 0);
		// Waits for the election, so that it is stamped in the very turn that makes the leader.
		const again = member.propose(grant(2n));
		await clock.runFor(300);
		await again;
		await clock.runFor(800);
		assert.deepEqual(machine.leases().sort(), [1n, 2n]);
		await clock.runFor(1500);
		assert.deepEqual(machine.leases(), []);
		await member.close();
	});
});
