/** Processes by id and start time, so that a reused id is never mistaken for ours. Linux; elsewhere only the id is compared. */
import { readFileSync } from "node:fs";

/** Start time in clock ticks since boot (/proc/PID/stat field 22), or "" where the system does not tell. Undefined: no such process. */
export function startTimeOf(pid: number): string | undefined {
	if (process.platform !== "linux") return isAlive(pid) ? "" : undefined;
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		// Its first thread may be dead while others still hold its files and sockets (field 20 counts threads).
		return fields[0] === "Z" && Number(fields[17]) <= 1 ? undefined : (fields[19] ?? "");
	} catch (error) {
		if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
		throw error;
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}

/** Whether the process that had this start time still runs. */
export const stillRuns = (pid: number, startTime: string): boolean => pid > 1 && startTimeOf(pid) === startTime;

/** Signals every process of the group; one that is gone already is no error. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
	if (leader <= 1) return;
	try {
		process.kill(-leader, signal);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}
