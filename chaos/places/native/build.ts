/**
 * The few pieces that only C can do: a library put between a process and libc, and a queue of packets. Compiled by the
 * machine's own compiler at first use, and kept by the hash of source and flags.
 */
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../../cluster/package-root.ts";
import { MissingToolError } from "../place.ts";

const run = promisify(execFile);

export interface NativePart {
	/** File in this folder. */
	readonly source: string;
	readonly flags: readonly string[];
	/** Debian packages it needs, for the message when it cannot be compiled. */
	readonly packages: readonly string[];
}

/** Resolves to the compiled file's path. Throws MissingToolError when the machine cannot compile it. */
export async function buildNative(part: NativePart): Promise<string> {
	const source = path.join(packageRoot, "chaos", "places", "native", part.source);
	const hash = createHash("sha256").update(await readFile(source));
	const name = `${part.source.replace(/\.c$/, "")}-${hash.update(part.flags.join(" ")).digest("hex").slice(0, 16)}`;
	const folder = path.join(cacheHome(), "barque", "native");
	const target = path.join(folder, name);
	if (await exists(target)) return target;
	await mkdir(folder, { recursive: true, mode: 0o700 });
	// It may be compiled more than once at a time: each has its own file, and the last rename wins.
	const draft = `${target}.${randomUUID()}`;
	try {
		await run("cc", ["-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-o", draft, source, ...part.flags]);
	} catch (error) {
		const why = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
		throw new MissingToolError(
			`cannot compile chaos/places/native/${part.source}: install ${part.packages.join(" ")}; ${why}`,
		);
	}
	await rename(draft, target);
	return target;
}

/** As the XDG base directory specification has it: what is empty or not absolute does not count. */
function cacheHome(): string {
	const home = process.env["XDG_CACHE_HOME"] ?? "";
	return path.isAbsolute(home) ? home : path.join(homedir(), ".cache");
}

async function exists(file: string): Promise<boolean> {
	try {
		await access(file);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}
