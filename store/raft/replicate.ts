/** The leader's sending side: which appends, heartbeats and snapshots its followers' progress asks for. */
import { entryBytes, noEntries, type RaftLog } from "./log.ts";
import { makeMessage } from "./message.ts";
import type { Progress, Tracker } from "./tracker.ts";
import type { Entry, MemberId, Message, SnapshotMeta } from "./types.ts";

export class Replicator {
	readonly #id: MemberId;
	readonly #log: RaftLog;
	readonly #tracker: Tracker;
	readonly #maxBytesPerAppend: number;
	/** The last slice made: followers that keep up ask for the same one. */
	#sliceFirst = 0;
	#sliceEntries: readonly Entry[] = noEntries;
	#sliceBytes = 0;

	constructor(id: MemberId, log: RaftLog, tracker: Tracker, maxBytesPerAppend: number) {
		this.#id = id;
		this.#log = log;
		this.#tracker = tracker;
		this.#maxBytesPerAppend = maxBytesPerAppend;
	}

	/** Everything that may be sent now, one message a follower unless `maxBytesPerAppend` splits it. */
	appends(term: number, snapshot: SnapshotMeta, out: Message[]): void {
		for (const progress of this.#tracker.all) {
			if (progress.id === this.#id) continue;
			if (progress.state === "replicate") this.#replicate(progress, term, snapshot, out);
			else if (progress.state === "probe" && !progress.probeSent) {
				progress.probeSent = true;
				this.#append(progress, term, snapshot, out);
			}
			progress.kick = false;
		}
		this.#sliceFirst = 0;
		this.#sliceEntries = noEntries;
	}

	/** `round`: the newest ReadIndex round, which the answers confirm. */
	heartbeats(term: number, round: number, out: Message[]): void {
		const context = BigInt(round);
		for (const progress of this.#tracker.all) {
			if (progress.id === this.#id) continue;
			// Never beyond what is known to match: the follower's log may differ after it.
			const commit = Math.min(progress.match, this.#log.committed);
			out.push(makeMessage("heartbeat", this.#id, progress.id, term, { index: progress.match, commit, context }));
		}
	}

	#replicate(progress: Progress, term: number, snapshot: SnapshotMeta, out: Message[]): void {
		const log = this.#log;
		let sent = false;
		while (progress.state === "replicate" && progress.next <= log.lastIndex && !progress.inflights.full) {
			this.#append(progress, term, snapshot, out);
			sent = true;
		}
		if (sent || progress.state !== "replicate") return;
		const commitNews = progress.sentCommit < log.committed && progress.next > log.lastIndex;
		if (progress.kick || commitNews) this.#append(progress, term, snapshot, out);
	}

	/** One append, or a snapshot where the log no longer reaches back. */
	#append(progress: Progress, term: number, snapshot: SnapshotMeta, out: Message[]): void {
		const log = this.#log;
		const index = progress.next - 1;
		const logTerm = log.termAt(index);
		if (logTerm === undefined) {
			this.#snapshot(progress, term, snapshot, out);
			return;
		}
		const full = progress.state === "replicate" && progress.inflights.full;
		const entries = full || progress.next > log.lastIndex ? noEntries : this.#slice(progress.next);
		const commit = log.committed;
		out.push(makeMessage("append", this.#id, progress.id, term, { logTerm, index, entries, commit }));
		if (entries.length > 0 && progress.state === "replicate") {
			progress.next += entries.length;
			progress.inflights.add(progress.next - 1, this.#sliceBytes);
		}
		progress.sentCommit = Math.max(progress.sentCommit, Math.min(commit, index + entries.length));
	}

	#snapshot(progress: Progress, term: number, snapshot: SnapshotMeta, out: Message[]): void {
		// To a silent member it would be work for nothing; it is sent once the member answers a heartbeat.
		if (!progress.recentActive) {
			progress.becomeProbe();
			progress.probeSent = true;
			return;
		}
		progress.becomeSnapshot(snapshot.index);
		out.push(makeMessage("snapshot", this.#id, progress.id, term, { snapshot }));
	}

	#slice(first: number): readonly Entry[] {
		if (this.#sliceFirst === first) return this.#sliceEntries;
		this.#sliceEntries = this.#log.slice(first, this.#log.lastIndex, this.#maxBytesPerAppend);
		this.#sliceFirst = first;
		this.#sliceBytes = 0;
		for (const entry of this.#sliceEntries) this.#sliceBytes += entryBytes(entry);
		return this.#sliceEntries;
	}
}
