/** Where a received snapshot waits until it is whole. */
import type { SnapshotSpool } from "./types.ts";

/** For simulation and tests: chunks in memory. */
export async function memorySpool(): Promise<SnapshotSpool> {
	let chunks: Buffer[] = [];
	return {
		async write(chunk) {
			chunks.push(chunk);
		},
		async *read() {
			yield* chunks;
		},
		async discard() {
			chunks = [];
		},
	};
}
