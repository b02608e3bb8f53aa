/** What the process runtime writes down about each container, so that a later kubelet finds it again and `down` can end it. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Exited, Privileges, Running } from "./types.ts";

export interface ContainerRecord {
	readonly formatVersion: 1;
	readonly id: string;
	readonly podUid: string;
	readonly name: string;
	readonly attempt: number;
	readonly image: string;
	readonly pid: number;
	readonly startTime: string;
	readonly env: Readonly<Record<string, string>>;
	readonly workingDir: string;
	/** File with the termination message; absent in records written by older versions. */
	readonly terminationFile?: string;
	readonly terminationFromLogs?: boolean;
	/** What a program run beside it has to enter and give up; absent: it has no namespace. */
	readonly isolated?: Privileges;
	readonly state: Running | Exited;
}

export const podsDirectory = (rootDir: string) => path.join(rootDir, "pods");
export const podDirectory = (rootDir: string, podUid: string) => path.join(podsDirectory(rootDir), podUid);
export const containerDirectory = (rootDir: string, podUid: string, name: string) =>
	path.join(podDirectory(rootDir, podUid), "containers", name);

const recordFile = (rootDir: string, record: Pick<ContainerRecord, "podUid" | "name" | "attempt">) =>
	path.join(containerDirectory(rootDir, record.podUid, record.name), `${record.attempt}.json`);

/** Environments may hold secrets: mode 0600. */
export async function saveRecord(rootDir: string, record: ContainerRecord): Promise<void> {
	const file = recordFile(rootDir, record);
	await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
	await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
	await rename(`${file}.new`, file);
}

export const removeRecord = (rootDir: string, record: ContainerRecord): Promise<void> =>
	rm(recordFile(rootDir, record), { force: true });

async function namesIn(directory: string): Promise<string[]> {
	try {
		return await readdir(directory);
	} catch (error) {
		if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
		throw error;
	}
}

/** Every record under the root directory; one that a crash left half-written is passed over (its rename never happened). */
export async function loadRecords(rootDir: string): Promise<ContainerRecord[]> {
	const records: ContainerRecord[] = [];
	for (const podUid of await namesIn(podsDirectory(rootDir))) {
		const containers = path.join(podDirectory(rootDir, podUid), "containers");
		for (const name of await namesIn(containers)) {
			for (const file of await namesIn(path.join(containers, name))) {
				if (!/^\d+\.json$/.test(file)) continue;
				const record = JSON.parse(await readFile(path.join(containers, name, file), "utf8")) as ContainerRecord;
				if (record.formatVersion === 1) records.push(record);
			}
		}
	}
	return records;
}
