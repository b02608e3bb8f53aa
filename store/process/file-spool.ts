/** Where a received snapshot waits on disk until it is whole. */
import { createReadStream } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import type { SnapshotSpool } from "../member/types.ts";

/**
 * The stream's own bytes (`machine/snapshot.ts`: versioned, checksummed, with an end) in a file that is removed after use.
 * It is not synced: after a crash the leader sends another one, and a leftover is overwritten.
 */
export async function fileSpool(path: string): Promise<SnapshotSpool> {
	const file: FileHandle = await open(path, "w", 0o600);
	let closing: Promise<void> | undefined;
	const close = () => {
		closing ??= file.close();
		return closing;
	};
	return {
		async write(chunk) {
			for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
		},
		async *read() {
			await close();
			yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
		},
		async discard() {
			await close();
			await unlink(path).catch((error: NodeJS.ErrnoException) => {
				if (error.code !== "ENOENT") throw error;
			});
		},
	};
}
