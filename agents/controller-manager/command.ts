/** `barque controller-manager`: flags have kube-controller-manager's names. */
import { readFileSync } from "node:fs";
import { createEventRecorder, type EventRecorder } from "../../apiserver/client/events.ts";
import { leaderElectionFlags } from "../../apiserver/client/leader-election.ts";
import { systemClock } from "../../kit/clock.ts";
import { type FlagSpecs, type FlagValues, parseCommand } from "../../kit/flags.ts";
import { systemRandom } from "../../kit/random.ts";
import { commonFlags, runElectedAgent } from "../shell/agent.ts";
import { servingFlags } from "../shell/health.ts";
import { controllerNames, createControllers, type ManagerOptions, selectControllers } from "./manager.ts";

const syncs = <const N extends number>(what: string, count: N) =>
	({
		type: "integer",
		default: count as number,
		min: 1,
		max: 1000,
		group: "Concurrency",
		help: `How many ${what} are synced at the same time.`,
	}) as const;

const rate = <const N extends number>(value: N, help: string) =>
	({ type: "number", default: value as number, min: 0, group: "Nodes", help }) as const;

const duration = <const N extends number>(ms: N, help: string) =>
	({ type: "duration", default: ms as number, group: "Nodes", help }) as const;

const flags = {
	...commonFlags,
	controllers: {
		type: "list",
		default: ["*"],
		help: `Controllers to run: "*" for all, NAME to run one, -NAME not to.\nKnown: ${controllerNames.join(", ")}.`,
	},
	"root-ca-file": {
		type: "string",
		help: "CA certificate (PEM) of the API server, published as ConfigMap kube-root-ca.crt in every namespace.",
	},
	"node-monitor-period": duration(5000, "How often nodes are looked at."),
	"node-monitor-grace-period": duration(40_000, "How long a node may be silent before it counts as unreachable."),
	"node-startup-grace-period": duration(60_000, "How long a new node may take to report at all."),
	"node-eviction-rate": rate(0.1, "Nodes a second whose pods are evicted when a zone is healthy."),
	"secondary-node-eviction-rate": rate(0.01, "The same in an unhealthy zone; none when the zone is small."),
	"unhealthy-zone-threshold": rate(0.55, "From which share of unready nodes (at least 3) a zone is unhealthy."),
	"large-cluster-size-threshold": {
		type: "integer",
		default: 50,
		min: 0,
		group: "Nodes",
		help: "Zones of up to this many nodes are small.",
	},
	"terminated-pod-gc-threshold": {
		type: "integer",
		default: 12_500,
		help: "Ended pods that may exist before the garbage collector deletes the oldest. 0 or less: no limit.",
	},
	"max-endpoints-per-slice": {
		type: "integer",
		default: 100,
		min: 1,
		max: 1000,
		help: "Endpoints in one EndpointSlice.",
	},
	"concurrent-deployment-syncs": syncs("deployments", 5),
	"concurrent-replicaset-syncs": syncs("replica sets", 5),
	"concurrent-job-syncs": syncs("jobs", 5),
	"concurrent-ttl-after-finished-syncs": syncs("ended jobs", 5),
	"concurrent-endpoint-syncs": syncs("services (endpoints)", 5),
	"concurrent-service-endpoint-syncs": syncs("services (endpoint slices)", 5),
	"concurrent-namespace-syncs": syncs("namespaces", 10),
	"concurrent-gc-syncs": syncs("objects that may be garbage", 20),
	...servingFlags(10_257),
	...leaderElectionFlags("kube-controller-manager"),
} as const satisfies FlagSpecs;

function managerOptions(values: FlagValues<typeof flags>): ManagerOptions {
	const rootCaFile = values["root-ca-file"];
	return {
		nodes: {
			monitorPeriodMs: values["node-monitor-period"],
			gracePeriodMs: values["node-monitor-grace-period"],
			startupGracePeriodMs: values["node-startup-grace-period"],
			evictionRate: values["node-eviction-rate"],
			secondaryEvictionRate: values["secondary-node-eviction-rate"],
			unhealthyZoneThreshold: values["unhealthy-zone-threshold"],
			largeClusterSize: values["large-cluster-size-threshold"],
		},
		terminatedPodThreshold: values["terminated-pod-gc-threshold"],
		rootCa: rootCaFile === undefined ? undefined : readFileSync(rootCaFile, "utf8"),
		maxEndpointsPerSlice: values["max-endpoints-per-slice"],
		workers: {
			"deployment-controller": values["concurrent-deployment-syncs"],
			"replicaset-controller": values["concurrent-replicaset-syncs"],
			"job-controller": values["concurrent-job-syncs"],
			"ttl-after-finished-controller": values["concurrent-ttl-after-finished-syncs"],
			"endpoints-controller": values["concurrent-endpoint-syncs"],
			"endpointslice-controller": values["concurrent-service-endpoint-syncs"],
			"namespace-controller": values["concurrent-namespace-syncs"],
			"garbage-collector-controller": values["concurrent-gc-syncs"],
		},
	};
}

/** Our queues' names where upstream's metrics have another. */
const upstreamQueues: Readonly<Record<string, string>> = {
	"clusterrole-aggregation": "ClusterRoleAggregator",
	endpoints: "endpoint",
	endpointslice: "endpoint_slice",
	"garbage-collector-attempt-to-delete": "garbage_collector_attempt_to_delete",
	"garbage-collector-attempt-to-orphan": "garbage_collector_attempt_to_orphan",
	"job-orphan-pods": "job_orphan_pod",
	"node-taints": "node_lifecycle_controller",
	"node-pods": "node_lifecycle_controller_pods",
	"root-ca-certificate-publisher": "root_ca_cert_publisher",
	"taint-eviction": "noexec_taint_pod",
	"ttl-after-finished": "ttl_jobs_to_delete",
};

/** Runs until SIGTERM (0) or until leadership is lost; 2 when the command line is wrong. */
export async function runControllerManager(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(
		{
			name: "barque controller-manager",
			summary: "The loops that make the cluster what its objects say; of several replicas the elected leader works.",
			flags,
			examples: [
				"barque controller-manager --kubeconfig controller-manager.kubeconfig --controllers=*,-garbage-collector-controller",
			],
		},
		argv,
	);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	let names: readonly string[];
	let options: ManagerOptions;
	try {
		names = selectControllers(values.controllers);
		options = managerOptions(values);
	} catch (error) {
		process.stderr.write(`Error: ${(error as Error).message}\n`);
		return 2;
	}
	return runElectedAgent(values, {
		component: "kube-controller-manager",
		async start({ client, informers, logger, watchQueue }, signal) {
			const world = { client, clock: systemClock, random: systemRandom, logger };
			const recorders: EventRecorder[] = [];
			const recorder = (component: string) => {
				const made = createEventRecorder({ ...world, component });
				recorders.push(made);
				return made;
			};
			const controllers = createControllers({ ...world, informers, recorder }, names, options);
			for (const queue of controllers.flatMap((controller) => controller.queues)) {
				watchQueue(upstreamQueues[queue.name] ?? queue.name, queue);
			}
			const stop = () => {
				for (const controller of controllers) controller.stop();
				for (const made of recorders) made.stop();
			};
			signal.addEventListener("abort", stop, { once: true });
			informers.start();
			await informers.whenSynced();
			if (!signal.aborted) {
				for (const controller of controllers) controller.start();
				logger.info("controllers started", { controllers: controllers.map(({ name }) => name) });
			}
			return async () => {
				const queues = controllers.flatMap((controller) => controller.queues);
				const others = controllers.map((controller) => controller.settled?.());
				await Promise.all([...queues.map((queue) => queue.settled()), ...others]);
			};
		},
	});
}
