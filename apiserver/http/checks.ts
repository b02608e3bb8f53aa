/** What must hold for this replica to be alive, and to be sent requests. */
import type { Clock } from "../../kit/clock.ts";
import type { StoreClient } from "../../store/api.ts";
import type { Cacher } from "../cache/cacher.ts";
import { type HealthCheck, type HealthChecks, ping } from "./health.ts";

/** Where the replica is in its life. */
export interface Lifecycle {
	stopping: boolean;
	/** Start-up hooks by name: done or not. */
	readonly hooks: Map<string, boolean>;
}

export interface CheckSources {
	readonly store: StoreClient;
	readonly cacher: Cacher;
	readonly lifecycle: Lifecycle;
	readonly clock: Clock;
}

const storeTimeoutMs = 2000;
/** One request to the store answers all health checks within this time. */
const storeSharedMs = 500;
/** Hooks that must be done before requests are sent here; the others only repeat until they succeed. */
const required: ReadonlySet<string> = new Set(["start-system-namespaces-controller", "rbac/bootstrap-roles"]);

function storeCheck({ store, clock }: CheckSources, name: string): HealthCheck {
	let asked = Number.NEGATIVE_INFINITY;
	let answer: Promise<void> = Promise.resolve();
	const ask = () =>
		new Promise<void>((resolve, reject) => {
			const timer = clock.after(storeTimeoutMs, () => reject(new Error("the store did not answer in time")), {
				keepAlive: true,
			});
			store
				.currentRevision()
				.then(() => resolve(), reject)
				.finally(() => timer.cancel());
		});
	return {
		name,
		check() {
			const now = clock.monotonic();
			if (now - asked > storeSharedMs) {
				asked = now;
				answer = ask();
			}
			return answer;
		},
	};
}

export function healthChecks(sources: CheckSources): HealthChecks {
	const { cacher, lifecycle } = sources;
	const etcd = storeCheck(sources, "etcd");
	const hooks: HealthCheck[] = [...required].map((name) => ({
		name: `poststarthook/${name}`,
		check() {
			if (lifecycle.hooks.get(name) === false) throw new Error("not finished");
		},
	}));
	const caches: HealthCheck = {
		name: "informer-sync",
		check() {
			if (!cacher.ready) throw new Error("the watch cache is not filled");
		},
	};
	const shutdown: HealthCheck = {
		name: "shutdown",
		check() {
			if (lifecycle.stopping) throw new Error("process is shutting down");
		},
	};
	return {
		healthz: [ping, etcd, ...hooks],
		livez: [ping],
		readyz: [ping, etcd, { ...etcd, name: "etcd-readiness" }, caches, ...hooks, shutdown],
	};
}
