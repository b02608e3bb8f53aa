/** Compares log and machine at start, and repairs what a crash between their writes left inconsistent. */
import type { ConfState, Recovered, SnapshotMeta } from "../raft/types.ts";
import { none } from "../raft/types.ts";
import type { LogRecord, RecoveredLog } from "../wal/types.ts";
import type { MemberOptions } from "./types.ts";

/** Log and machine contradict each other in a way no crash explains. */
export class RecoveryError extends Error {
	override name = "RecoveryError";
}

export interface Start {
	readonly recovered: Recovered;
	/** To append to the log before anything else. */
	readonly record?: LogRecord;
}

export function initialConf(voters: readonly bigint[]): ConfState {
	return { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

/**
 * The machine may be ahead of the log's mark (normal: entries are replayed only above its applied index). When the crash
 * came after a received snapshot was installed but before the log's mark of it was durable, the machine is ahead of the
 * whole log, or the log holds other entries there, which were never committed: those of a leader deposed since.
 */
export function reconcile(options: Pick<MemberOptions, "config" | "recovered" | "machine">): Start {
	const { config, machine } = options;
	const log = options.recovered;
	const snapshot = log.snapshot.index === 0 ? { ...log.snapshot, conf: initialConf(config.voters) } : log.snapshot;
	const applied = machine.appliedIndex;
	const last = log.entries.at(-1)?.index ?? snapshot.index;
	if (applied < snapshot.index) {
		throw new RecoveryError(
			`the state holds entries up to ${applied}, but the log was released up to ${snapshot.index}: data is missing from the data directory`,
		);
	}
	if (applied > last || isVoid(log, snapshot, applied, machine.appliedTerm)) {
		return installedButNotMarked(options, snapshot);
	}
	const commit = Math.max(log.hardState.commit, applied);
	if (commit > last) {
		throw new RecoveryError(
			`the log ends at ${last}, but its own state says ${commit} was committed: its end is missing`,
		);
	}
	return {
		recovered: { hardState: { ...log.hardState, commit }, snapshot, entries: log.entries, applied },
	};
}

function installedButNotMarked(options: Pick<MemberOptions, "recovered" | "machine">, snapshot: SnapshotMeta): Start {
	const { machine, recovered: log } = options;
	const conf = machine.conf.voters.length > 0 ? machine.conf : snapshot.conf;
	const meta = { index: machine.appliedIndex, term: machine.appliedTerm, conf };
	// Raising the term without a vote is always safe: no vote of ours can exist in a term that was never persisted.
	const hardState =
		log.hardState.term >= meta.term
			? { ...log.hardState, commit: meta.index }
			: { term: meta.term, vote: none, commit: meta.index };
	return {
		recovered: { hardState, snapshot: meta, entries: [], applied: meta.index },
		record: { hardState, snapshot: meta, entries: [], mustSync: true },
	};
}

/** Whether the log's entry at the applied index is another one than was applied. Throws when the log says it was committed. */
function isVoid(log: RecoveredLog, snapshot: SnapshotMeta, applied: number, appliedTerm: number): boolean {
	if (applied === 0) return false;
	const term = applied === snapshot.index ? snapshot.term : log.entries[applied - snapshot.index - 1]?.term;
	if (term === appliedTerm) return false;
	if (applied > snapshot.index && log.hardState.commit < applied) return true;
	throw new RecoveryError(
		`entry ${applied} has term ${term} in the log, but ${appliedTerm} in the state: they are of different histories`,
	);
}
