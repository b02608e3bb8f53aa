/** What every elected agent's command does around its own work: client, informers, events, election, health, signals. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createEventRecorder, type EventRecorder } from "../../apiserver/client/events.ts";
import { createInformerFactory, type DynamicInformerFactory } from "../../apiserver/client/informer.ts";
import {
	createLeaderElector,
	type LeaderElector,
	type leaderElectionFlags,
} from "../../apiserver/client/leader-election.ts";
import { queueMetrics, requestMetrics } from "../../apiserver/client/metrics.ts";
import { createApiClient } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import type { RunningWorkQueue } from "../../apiserver/client/workqueue.ts";
import { kubernetesVersion } from "../../apiserver/scheme/kubernetes-version.ts";
import type { ObjectReference } from "../../apiserver/scheme/types.gen.ts";
import { registerBuildInfo } from "../../kit/build-info.ts";
import { systemClock } from "../../kit/clock.ts";
import type { FlagSpecs, FlagValues } from "../../kit/flags.ts";
import { createLogger, type Level, type Logger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { lostLeadershipExit } from "./exit-codes.ts";
import { serveHealth, type servingFlags } from "./health.ts";

export const commonFlags = {
	kubeconfig: { type: "string", required: true, help: "Kubeconfig file: the apiserver and our credentials." },
	"log-level": {
		type: "string",
		choices: ["debug", "info", "warn", "error"],
		default: "info",
		help: "Least severity that is logged.",
	},
} as const satisfies FlagSpecs;

export type AgentFlagValues = FlagValues<typeof commonFlags> &
	FlagValues<ReturnType<typeof leaderElectionFlags>> &
	FlagValues<ReturnType<typeof servingFlags>>;

export interface AgentContext {
	readonly client: ApiClient;
	readonly informers: DynamicInformerFactory;
	readonly recorder: EventRecorder;
	readonly logger: Logger;
	/** For the agent's own metrics, served on /metrics. */
	readonly registry: Registry;
	/** Shows a work queue's metrics under this name. */
	readonly watchQueue: (name: string, queue: RunningWorkQueue) => void;
}

export interface ElectedAgent {
	/** `kube-scheduler`: user agent, event source, log field. */
	readonly component: string;
	/**
	 * Called when we lead (or at once without election); the signal aborts when we stop. Handlers are to be added before it
	 * resolves: to what waits, after the signal, until everything that was begun has ended.
	 */
	readonly start: (context: AgentContext, signal: AbortSignal) => Promise<() => Promise<void>>;
}

/** Runs until SIGTERM (0) or until leadership is lost (`lostLeadershipExit`). */
export async function runElectedAgent(values: AgentFlagValues, agent: ElectedAgent): Promise<number> {
	const logger = createLogger({ level: values["log-level"] as Level }).with({ component: agent.component });
	const { kubeconfig } = values;
	// A process that stood still for longer than its lease goes on where it was; what it writes then comes from another time.
	const mayWrite = () => elector?.expired !== true;
	// And what was sent before, and waits somewhere on the way, is refused where it arrives after another leads.
	const fence = () => elector?.fence;
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	registerBuildInfo(registry, kubernetesVersion);
	const observer = requestMetrics(registry);
	const watchQueue = queueMetrics(registry);
	const client = createApiClient({ kubeconfig, userAgent: agent.component, mayWrite, fence, observer });
	// As upstream: renewing must not wait behind other requests, nor longer than it is good for.
	const electionClient = createApiClient({
		kubeconfig,
		userAgent: `${agent.component}/leader-election`,
		timeoutMs: values["leader-elect-renew-deadline"],
		observer,
	});
	const world = { client, clock: systemClock, random: systemRandom, logger };
	// What happened may still be told when we lead no more.
	const recorder = createEventRecorder({ ...world, client: electionClient, component: agent.component });
	const onParked = (object: ObjectReference, why: string) => recorder.event(object, "Warning", "FailedDecode", why);
	const informers = createInformerFactory({ ...world, newest: true, onParked });
	const health = await serveHealth({
		address: values["bind-address"],
		port: values["secure-port"],
		certFile: values["tls-cert-file"],
		keyFile: values["tls-private-key-file"],
		health: () => undefined,
		metrics: () => registry.metrics(),
		logger,
	});
	const ended = Promise.withResolvers<number>();
	const stopping = new AbortController();
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ended.resolve(0));
	let settled = async () => {};
	const begin = (signal: AbortSignal) => {
		agent.start({ client, informers, recorder, logger, registry, watchQueue }, signal).then(
			(wait) => {
				settled = wait;
			},
			(error: unknown) => {
				logger.error("cannot start", { error });
				ended.resolve(1);
			},
		);
	};
	const elector: LeaderElector | undefined = values["leader-elect"]
		? createLeaderElector({
				...world,
				client: electionClient,
				recorder,
				namespace: values["leader-elect-resource-namespace"],
				name: values["leader-elect-resource-name"],
				identity: `${hostname()}_${randomUUID()}`,
				leaseDurationMs: values["leader-elect-lease-duration"],
				renewDeadlineMs: values["leader-elect-renew-deadline"],
				retryPeriodMs: values["leader-elect-retry-period"],
				onStarted: begin,
				settled: () => settled(),
				onLost: () => ended.resolve(lostLeadershipExit),
			})
		: undefined;
	if (elector === undefined) begin(stopping.signal);
	else void elector.run();
	const code = await ended.promise;
	stopping.abort(new Error("stopping"));
	// Another may lead soon: what is still under way must not go on, so its connections go first.
	if (code !== 0) await Promise.all([client.close(), electionClient.close()]);
	else await elector?.stop();
	informers.stop();
	if (code === 0) await recorder.flush();
	recorder.stop();
	await health.close();
	if (code === 0) await Promise.all([client.close(), electionClient.close()]);
	return code;
}
