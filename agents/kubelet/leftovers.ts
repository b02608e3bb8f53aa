/** Ends the processes that a killed kubelet's pods left running under its root directory. */

import { signalGroup, stillRuns } from "../../kit/process-table.ts";
import { loadRecords } from "./runtime/records.ts";

/** SIGKILL to every container's process group recorded under `rootDir`. Call only while no kubelet runs on it. */
export async function killLeftovers(rootDir: string): Promise<number> {
	let ended = 0;
	for (const record of await loadRecords(rootDir)) {
		if (record.state.phase !== "running" || !stillRuns(record.pid, record.startTime)) continue;
		signalGroup(record.pid, "SIGKILL");
		ended++;
	}
	return ended;
}
