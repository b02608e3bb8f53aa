/** Where a received snapshot waits on disk until it is whole. */
import { createReadStream } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import type { SnapshotSpool } from "./member/types.ts";

/** A file that is removed after use; chunk boundaries are kept (u32 big-endian length before each). A leftover of a crash is overwritten. */
export async function fileSpool(path: string): Promise<SnapshotSpool> {
	let file: FileHandle | undefined = await open(path, "w", 0o600);
	return {
		async write(chunk) {
			if (file === undefined) throw new Error("spool is closed");
			const length = Buffer.allocUnsafe(4);
			length.writeUInt32BE(chunk.length);
			await file.writev([length, chunk]);
		},
		async *read() {
			await file?.close();
			file = undefined;
			yield* frames(createReadStream(path, { highWaterMark: 1 << 20 }));
		},
		async discard() {
			await file?.close();
			file = undefined;
			await unlink(path).catch((error: NodeJS.ErrnoException) => {
				if (error.code !== "ENOENT") throw error;
			});
		},
	};
}

async function* frames(stream: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
	let rest: Buffer = Buffer.alloc(0);
	for await (const piece of stream) {
		rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
		while (rest.length >= 4) {
			const length = rest.readUInt32BE();
			if (rest.length < 4 + length) break;
			yield rest.subarray(4, 4 + length);
			rest = rest.subarray(4 + length);
		}
	}
	if (rest.length > 0) throw new Error(`spooled snapshot ends in the middle of a chunk (${rest.length} bytes left)`);
}
