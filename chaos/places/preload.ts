/** Environments for members whose calls to libc are intercepted. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildNative } from "./native/build.ts";
import { type Command, MissingToolError } from "./place.ts";

export type Environment = Readonly<Record<string, string>>;

/** The later wins, except that libraries to preload add up. */
export function mergeEnv(...environments: readonly Environment[]): Record<string, string> {
	const libraries = environments.map((each) => each["LD_PRELOAD"] ?? "").filter((each) => each !== "");
	const merged = Object.assign({}, ...environments) as Record<string, string>;
	return libraries.length === 0 ? merged : { ...merged, LD_PRELOAD: libraries.join(":") };
}

/**
 * Compiles a file of `chaos/places/native` to be preloaded. Throws MissingToolError where that cannot be done, or where the loader
 * would ignore the result with no more than a word on standard error: then no fault would ever be struck.
 */
export async function buildPreload(source: string): Promise<string> {
	const library = await buildNative({ source, flags: ["-shared", "-fPIC", "-ldl"], packages: ["gcc", "libc6-dev"] });
	if (!/[\s:]/.test(library)) return library;
	throw new MissingToolError(
		`${library} cannot be preloaded, since a space or a colon ends a name in LD_PRELOAD: set XDG_CACHE_HOME to a folder without them`,
	);
}

/** The command with these variables set; libraries to preload replace those it would have had. */
export function withEnv(env: Environment, { program, args }: Command): Command {
	const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
	return { program: "env", args: [...settings, program, ...args] };
}

/** Where a member in a container sees what lies elsewhere on the machine. */
export interface SeenPaths {
	/** The compiled library. */
	readonly library: string;
	/** The folder of control files. */
	readonly directory: string;
}

export function temporaryFolder(purpose: string): Promise<string> {
	return mkdtemp(path.join(tmpdir(), `barque-${purpose}-`));
}

export function removeFolder(folder: string): Promise<void> {
	return rm(folder, { recursive: true, force: true });
}
