import assert from "node:assert/strict";
import type { StateMachine } from "../machine/types.ts";
import type { Entry } from "../raft/types.ts";
import type { RecoveredLog } from "../wal/types.ts";
import { initialConf, RecoveryError, reconcile } from "./recovery.ts";
import type { MemberConfig } from "./types.ts";

const conf = initialConf([1n, 2n, 3n]);
const none = initialConf([]);

function entries(from: number, to: number, term: number): Entry[] {
	const list: Entry[] = [];
	for (let index = from; index <= to; index++) list.push({ index, term, kind: "normal", data: Buffer.alloc(0) });
	return list;
}

function start(log: Partial<RecoveredLog>, applied: number, appliedTerm: number) {
	const recovered = {
		identity: { clusterId: 1n, memberId: 1n },
		hardState: { term: 2, vote: 1n, commit: 0 },
		snapshot: { index: 0, term: 0, conf: none },
		entries: [],
		...log,
	} as RecoveredLog;
	const machine = { appliedIndex: applied, appliedTerm, conf: none } as unknown as StateMachine;
	return reconcile({ config: { voters: conf.voters } as MemberConfig, recovered, machine });
}

describe("store/member/recovery", () => {
	it("begins an empty log with the initial configuration", () => {
		const { recovered, record } = start({ hardState: { term: 0, vote: 0n, commit: 0 } }, 0, 0);
		assert.deepEqual(recovered.snapshot.conf, conf);
		assert.equal(record, undefined);
	});

	it("replays only what the state does not hold, and trusts it about what was committed", () => {
		const { recovered } = start({ entries: entries(1, 10, 2) }, 7, 2);
		assert.equal(recovered.applied, 7);
		assert.equal(recovered.hardState.commit, 7);
		assert.equal(recovered.entries.length, 10);
	});

	it("completes the installation of a snapshot that the log does not know yet", () => {
		const { recovered, record } = start(
			{ entries: entries(1, 5, 1), hardState: { term: 2, vote: 1n, commit: 5 } },
			100,
			4,
		);
		assert.deepEqual(recovered.snapshot, { index: 100, term: 4, conf });
		assert.deepEqual(recovered.entries, []);
		assert.deepEqual(recovered.hardState, { term: 4, vote: 0n, commit: 100 });
		assert.deepEqual(record?.snapshot, recovered.snapshot);
	});

	it("does so, too, when the log goes on with what a deposed leader never got committed", () => {
		const { recovered, record } = start(
			{ entries: entries(1, 120, 2), hardState: { term: 3, vote: 1n, commit: 5 } },
			100,
			4,
		);
		assert.deepEqual(recovered.snapshot, { index: 100, term: 4, conf });
		assert.deepEqual(recovered.entries, []);
		assert.deepEqual(recovered.hardState, { term: 4, vote: 0n, commit: 100 });
		assert.deepEqual(record?.snapshot, recovered.snapshot);
	});

	it("refuses contradictions that no crash explains", () => {
		const snapshot = { index: 50, term: 1, conf };
		assert.throws(() => start({ snapshot }, 40, 1), RecoveryError);
		const committed = { term: 2, vote: 1n, commit: 7 };
		assert.throws(() => start({ entries: entries(1, 10, 2), hardState: committed }, 7, 1), /different histories/);
		assert.throws(() => start({ snapshot, entries: entries(51, 60, 2) }, 50, 2), /different histories/);
		assert.throws(
			() => start({ entries: entries(1, 10, 2), hardState: { term: 2, vote: 0n, commit: 11 } }, 7, 2),
			/its end is missing/,
		);
	});
});
