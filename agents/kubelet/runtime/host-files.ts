/** This machine's file system, as the mount table asks of it. */
import { lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import type { HostFiles } from "./mount-table.ts";

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
	try {
		return await asked;
	} catch (error) {
		if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
		throw error;
	}
}

export const hostFiles: HostFiles = {
	lstat: (file) => orUndefined(lstat(file)),
	stat: (file) => orUndefined(stat(file)),
	readdir: (directory) => readdir(directory, { withFileTypes: true }),
	readlink: (file) => readlink(file),
	realpath: (file) => orUndefined(realpath(file)),
};
