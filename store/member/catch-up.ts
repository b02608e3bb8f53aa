/** Decides how much of the log stays in memory behind a snapshot mark, by entries and by bytes. */
import type { Entry } from "../raft/types.ts";

const stepBytes = 1 << 20;

export class CatchUp {
	/** Index after which another `stepBytes` of entries were applied, oldest first. */
	#steps: number[] = [];
	#open = 0;
	/** Entry bytes applied since the last mark. */
	bytesSinceMark = 0;

	applied(entries: readonly Entry[]): void {
		for (const entry of entries) {
			this.#open += entry.data.length;
			this.bytesSinceMark += entry.data.length;
			if (this.#open < stepBytes) continue;
			this.#steps.push(entry.index);
			this.#open = 0;
		}
	}

	/** The index to compact to after a mark at `mark`. */
	compactTo(mark: number, maxEntries: number, maxBytes: number): number {
		this.bytesSinceMark = 0;
		const steps = Math.max(1, Math.floor(maxBytes / stepBytes));
		if (this.#steps.length > steps) this.#steps = this.#steps.slice(-steps);
		const byBytes = this.#steps.length === steps ? (this.#steps[0] ?? 0) : 0;
		return Math.min(mark, Math.max(mark - maxEntries, byBytes));
	}
}
