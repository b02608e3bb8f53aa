/** Clusters of others, by their addresses. Only keys under a prefix of this run are touched; faults are the user's hooks. */
import { spawn } from "node:child_process";
import { connectStore } from "../../store/client/client.ts";
import { EtcdGateway } from "./etcd-gateway.ts";
import { type Members, rotated } from "./members.ts";
import { prefixed } from "./prefixed.ts";
import { storeTarget } from "./store.ts";
import type { ClientOptions } from "./system.ts";

export interface EndpointOptions extends ClientOptions {
	readonly endpoints: readonly string[];
	readonly api: "native" | "etcd";
	/** Distinguishes this run's keys from all others. */
	readonly prefix: string;
	/** Shell commands, run with BARQUE_CHAOS_ENDPOINT set to the member's address. Absent: nothing can be done to it. */
	readonly killHook?: string | undefined;
	readonly startHook?: string | undefined;
}

const hookMs = 60_000;

export function endpointMembers(options: EndpointOptions): Members {
	const { endpoints, api, prefix, requestTimeoutMs, serializableReads } = options;
	return {
		description: `${endpoints.length} endpoints (${api}); keys under ${prefix}`,
		names: endpoints,
		kill: (endpoint) => runHook("--kill-hook", options.killHook, endpoint),
		start: (endpoint) => runHook("--start-hook", options.startHook, endpoint),
		leader: async () => undefined,
		connect: (index) => {
			const near = rotated(endpoints, index);
			const target =
				api === "etcd"
					? new EtcdGateway({ endpoints: near, requestTimeoutMs, serializableReads })
					: storeTarget(connectStore({ endpoints: near, requestTimeoutMs }), { serializableReads });
			return prefixed(target, prefix);
		},
		close: async () => {},
	};
}

/** Rejects when the command fails or takes longer than a minute. */
function runHook(flag: string, command: string | undefined, endpoint: string): Promise<void> {
	if (command === undefined) return Promise.reject(new Error(`no ${flag} was given`));
	const env = { ...process.env, BARQUE_CHAOS_ENDPOINT: endpoint };
	const child = spawn("sh", ["-c", command], { env, stdio: ["ignore", "ignore", "inherit"], timeout: hookMs });
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("exit", (code, signal) => {
			if (code === 0) resolve();
			else reject(new Error(`${flag} for ${endpoint} ended with ${code ?? signal}`));
		});
	});
}
