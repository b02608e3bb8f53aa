/** What a container leaves behind to say why it ended: its termination message, or the end of its output. */
import { constants } from "node:fs";
import { chmod, mkdir, open, rm, writeFile } from "node:fs/promises";
import path from "node:path";

/** Upstream's limits: a message of 4 KiB, of the output 2 KiB and 80 lines. */
const maxMessageBytes = 4096;
const maxLogBytes = 2048;
const maxLogLines = 80;

/** An empty file of the container's own, which whoever the container runs as may write. */
export async function prepareTerminationFile(file: string): Promise<void> {
	await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
	await rm(file, { recursive: true, force: true });
	await writeFile(file, "", { flag: "wx" });
	await chmod(file, 0o666);
}

/** The last `limit` bytes of a plain file; "" where there is none. Links are not followed, pipes not waited for. */
async function readEnd(file: string, limit: number): Promise<string> {
	try {
		const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const { size } = await handle.stat();
			const start = Math.max(0, size - limit);
			const { buffer, bytesRead } = await handle.read(Buffer.alloc(limit), 0, limit, start);
			return buffer.toString("utf8", 0, bytesRead);
		} finally {
			await handle.close();
		}
	} catch (error) {
		// No such file, or none to be read: nothing was said.
		if ((error as NodeJS.ErrnoException).code !== undefined) return "";
		throw error;
	}
}

export const readTerminationMessage = (file: string): Promise<string> => readEnd(file, maxMessageBytes);

export async function readLogTail(file: string): Promise<string> {
	const lines = (await readEnd(file, maxLogBytes)).split("\n");
	const ends = lines.at(-1) === "" ? 1 : 0;
	return lines.slice(-(maxLogLines + ends)).join("\n");
}
