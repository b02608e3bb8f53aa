/** Small files that are replaced as a whole: one line of text, and its checksum in the next. */
import { join } from "node:path";
import { crc32c } from "../../kit/crc32c.ts";
import type { Disk } from "../../kit/disk.ts";

export class FileDamagedError extends Error {
	override name = "FileDamagedError";
}

function checksum(text: string): string {
	return crc32c(Buffer.from(text)).toString(16).padStart(8, "0");
}

/** Durable when it resolves. Under another name first: a crash leaves the old file or the new one, whole. */
export async function writeChecked(disk: Disk, directory: string, name: string, text: string): Promise<void> {
	const path = join(directory, name);
	const temporary = `${path}.tmp`;
	const file = await disk.open(temporary, { create: true });
	try {
		await file.truncate(0);
		await file.write(Buffer.from(`${text}\n${checksum(text)}\n`), 0);
		await file.sync();
	} finally {
		await file.close();
	}
	await disk.rename(temporary, path);
	await disk.syncDirectory(directory);
}

/** Undefined: there is none in the directory, which exists. Throws FileDamagedError. */
export async function readChecked(disk: Disk, directory: string, name: string): Promise<string | undefined> {
	if (!(await disk.list(directory)).includes(name)) return undefined;
	const path = join(directory, name);
	const file = await disk.open(path);
	let content: string;
	try {
		const bytes = Buffer.alloc(await file.size());
		content = bytes.toString("utf8", 0, await file.read(bytes, 0));
	} finally {
		await file.close();
	}
	const [text = "", sum = ""] = content.split("\n");
	if (sum !== checksum(text)) throw new FileDamagedError(`${path}: damaged: its checksum is wrong`);
	return text;
}
