/** What tests that harm the machine they run on need to know of it. */
import { readdirSync, readFileSync } from "node:fs";
import { skip } from "../../test/skip.ts";
import { MissingToolError } from "../places/place.ts";

/** Skips the test, or all tests of the suite whose `before` this is, where the machine cannot do what `start` wants. */
export async function orSkip<T>(context: Mocha.Context, start: () => Promise<T>): Promise<T> {
	try {
		return await start();
	} catch (error) {
		if (!(error instanceof MissingToolError)) throw error;
		return skip(context, error.message);
	}
}

/** What this process has started and not ended, by its command lines. */
export function children(): { readonly pid: number; readonly command: string }[] {
	return processes()
		.filter(({ parent }) => parent === process.pid)
		.map(({ pid }) => ({ pid, command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim() }));
}

/** Whatever runs on this machine with this text in its command line. */
export function namedBy(text: string): { readonly pid: number; readonly command: string }[] {
	return processes().flatMap(({ pid }) => {
		try {
			const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
			return command.includes(text) ? [{ pid, command }] : [];
		} catch (error) {
			if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
			throw error;
		}
	});
}

/** A process that has ended but was not reaped does not run. */
export function isRunning(pid: number): boolean {
	return !["Z", undefined].includes(stateOf(pid));
}

/** As in /proc/PID/stat: "T" is stopped. Undefined: it is gone. */
export function stateOf(pid: number): string | undefined {
	return processes().find((each) => each.pid === pid)?.state;
}

function processes(): { pid: number; state: string; parent: number }[] {
	return readdirSync("/proc").flatMap((name) => {
		if (!/^\d+$/.test(name)) return [];
		try {
			const stat = readFileSync(`/proc/${name}/stat`, "utf8");
			// The program's name, in parentheses, may contain anything.
			const [state = "", parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
			return [{ pid: Number(name), state, parent: Number(parent) }];
		} catch (error) {
			if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
			throw error;
		}
	});
}
