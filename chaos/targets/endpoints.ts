/** Clusters of others, by their addresses. Only keys under a prefix of this run are touched; faults are the user's hooks. */
import { spawn } from "node:child_process";
import { connectStore } from "../../store/client/client.ts";
import { cleanUpOnInterrupt } from "../places/cleanup.ts";
import { Tasks } from "../places/tasks.ts";
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
	/** How long a hook may take. Default a minute. */
	readonly hookMs?: number | undefined;
}

const defaultHookMs = 60_000;

export function endpointMembers(options: EndpointOptions): Members {
	const { endpoints, api, prefix, requestTimeoutMs, serializableReads } = options;
	const hooks = new Hooks(options);
	return {
		description: `${endpoints.length} endpoints (${api}); keys under ${prefix}`,
		names: endpoints,
		kill: (endpoint) => hooks.kill(endpoint),
		start: (endpoint) => hooks.start(endpoint),
		leader: async () => undefined,
		connect: (index) => {
			const near = rotated(endpoints, index);
			const target =
				api === "etcd"
					? new EtcdGateway({ endpoints: near, requestTimeoutMs, serializableReads })
					: storeTarget(connectStore({ endpoints: near, requestTimeoutMs }), { serializableReads });
			return prefixed(target, prefix);
		},
		close: () => hooks.close(),
	};
}

/** Somebody else's members, none of which is left dead: not by a run that fails, nor by one that is interrupted. */
class Hooks {
	readonly #options: EndpointOptions;
	/** Perhaps dead: a hook that failed may have killed all the same. */
	readonly #dead = new Set<string>();
	readonly #tasks = new Tasks();
	readonly #forget = cleanUpOnInterrupt(() => this.close());
	#closed: Promise<void> | undefined;

	constructor(options: EndpointOptions) {
		this.#options = options;
	}

	kill(endpoint: string): Promise<void> {
		return this.#tasks.do(() => {
			const { killHook } = this.#options;
			if (killHook !== undefined) this.#dead.add(endpoint);
			return this.#run("--kill-hook", killHook, endpoint);
		});
	}

	start(endpoint: string): Promise<void> {
		return this.#tasks.do(() => this.#start(endpoint));
	}

	async #start(endpoint: string): Promise<void> {
		await this.#run("--start-hook", this.#options.startHook, endpoint);
		this.#dead.delete(endpoint);
	}

	/** Starts what is dead; once. */
	close(): Promise<void> {
		this.#closed ??= this.#tasks
			.close()
			.then(async () => void (await Promise.all([...this.#dead].map((each) => this.#start(each)))))
			.finally(this.#forget);
		return this.#closed;
	}

	/** Rejects when the command fails or takes too long. */
	#run(flag: string, command: string | undefined, endpoint: string): Promise<void> {
		if (command === undefined) return Promise.reject(new Error(`no ${flag} was given`));
		const timeout = this.#options.hookMs ?? defaultHookMs;
		const env = { ...process.env, BARQUE_CHAOS_ENDPOINT: endpoint };
		const child = spawn("sh", ["-c", command], { env, stdio: ["ignore", "ignore", "inherit"], timeout });
		return new Promise((resolve, reject) => {
			child.once("error", reject);
			child.once("exit", (code, signal) => {
				if (code === 0) return resolve();
				const why = child.killed ? `took longer than ${timeout / 1000} s` : `ended with ${code ?? signal}`;
				reject(new Error(`${flag} for ${endpoint} ${why}`));
			});
		});
	}
}
