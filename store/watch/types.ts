import type { WatchHandle } from "../api.ts";

/** A watch on this member's machine. Batches are shared between watchers and never change. */
export interface WatchCursor extends WatchHandle {
	/** Back-pressure: no batches until `resume`; nothing is kept for the watch but its cursor, and it catches up from history. */
	pause(): void;
	resume(): void;
}
