/** Marks on what a process leaves on the machine, so that a later run can tell whether its maker still lives. */
import { readFileSync, readlinkSync } from "node:fs";

/** Fits a label of a container or a file: machine's boot, process ids' namespace, process id and its start, by slashes. */
export function ownerMark(): string {
	return [...ownWorld(), process.pid, startOf(process.pid)].join("/");
}

/** False also where the maker cannot be seen from here: another machine, another namespace of process ids. */
export function isGone(mark: string): boolean {
	const [boot, namespace, pid, start] = mark.split("/");
	const [ownBoot, ownNamespace] = ownWorld();
	return boot === ownBoot && namespace === ownNamespace && startOf(Number(pid)) !== start;
}

function ownWorld(): [boot: string, namespace: string] {
	return [readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), readlinkSync("/proc/self/ns/pid")];
}

/** In ticks since boot: tells a process from a later one of the same id. undefined: no such process. */
function startOf(pid: number): string | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The program's name, in parentheses, may contain anything.
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
	} catch (error) {
		if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
		throw error;
	}
}
