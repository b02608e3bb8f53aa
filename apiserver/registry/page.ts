/** What a list answers with, before it has a representation. */
import type { Entry } from "../cache/entry.ts";

export interface Page {
	readonly revision: number;
	readonly entries: Iterable<Entry>;
	/** "" at the end. */
	readonly continueToken: string;
	readonly remainingItemCount: number | undefined;
}
