/** Members of our store as processes on this machine. */
import { connectStore } from "../../store/client/client.ts";
import { StoreProcesses } from "../kills/store-processes.ts";
import { type Members, rotated } from "./members.ts";
import { storeTarget } from "./store.ts";

const askMs = 1000;

export interface ClusterOptions {
	readonly size: number;
	readonly requestTimeoutMs: number;
	/** Wrong on purpose: reads may be stale. */
	readonly serializableReads: boolean;
}

/** Small limits, so that snapshots happen within a run. */
const storeFlags = ["--snapshot-count=500"];

export async function startStoreMembers(options: ClusterOptions): Promise<Members> {
	const processes = await StoreProcesses.create(options.size, storeFlags);
	try {
		await processes.startAll();
	} catch (error) {
		await processes.close();
		throw error;
	}
	const { names, clientUrls } = processes;
	return {
		description: `${options.size} members of barque store`,
		names,
		kill: (name) => processes.kill(name),
		start: async (name) => {
			const result = await processes.start(name);
			if (result !== "ready") throw new Error(`${name} ended with ${result}:\n${processes.output(name)}`);
		},
		pause: (name) => processes.pause(name),
		resume: (name) => processes.resume(name),
		leader: async () => {
			const leads = await Promise.all(clientUrls.map(isLeader));
			return names[leads.indexOf(true)];
		},
		connect: (index) => {
			const { requestTimeoutMs, serializableReads } = options;
			const client = connectStore({ endpoints: rotated(clientUrls, index), requestTimeoutMs });
			return storeTarget(client, { serializableReads });
		},
		close: () => processes.close(),
	};
}

async function isLeader(url: string): Promise<boolean> {
	try {
		const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(askMs) });
		return /^etcd_server_is_leader(\{.*\})? 1$/m.test(await answer.text());
	} catch {
		// Down or standing still: it does not lead, as far as anybody can tell.
		return false;
	}
}
