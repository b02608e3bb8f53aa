/** `barque scheduler`: flags have kube-scheduler's names. */
import { Counter, Gauge } from "prom-client";
import { leaderElectionFlags } from "../../apiserver/client/leader-election.ts";
import { systemClock } from "../../kit/clock.ts";
import { parseCommand } from "../../kit/flags.ts";
import { systemRandom } from "../../kit/random.ts";
import { commonFlags, runElectedAgent } from "../shell/agent.ts";
import { servingFlags } from "../shell/health.ts";
import { Scheduler } from "./scheduler.ts";

export async function runScheduler(argv: readonly string[]): Promise<number> {
	const flags = parseCommand(
		{
			name: "barque scheduler",
			summary: "Assigns pods to nodes; of several replicas the elected leader works.",
			flags: {
				...commonFlags,
				"scheduler-name": {
					type: "string",
					default: "default-scheduler",
					help: "Pods whose spec.schedulerName is this are ours.",
				},
				...servingFlags(10_259),
				...leaderElectionFlags("kube-scheduler"),
			} as const,
			examples: ["barque scheduler --kubeconfig scheduler.kubeconfig --leader-elect-lease-duration=5s"],
		},
		argv,
	);
	if ("exit" in flags) return flags.exit;
	const { values } = flags;
	return runElectedAgent(values, {
		component: "kube-scheduler",
		async start({ client, informers, recorder, logger, registry }, signal) {
			const scheduler = new Scheduler({
				client,
				informers,
				recorder,
				logger,
				clock: systemClock,
				random: systemRandom,
				schedulerName: values["scheduler-name"],
			});
			new Gauge({
				name: "scheduler_pending_pods",
				help: "Pods waiting for a node.",
				registers: [registry],
				collect() {
					this.set(scheduler.metrics.pending);
				},
			});
			new Counter({
				name: "scheduler_schedule_attempts_total",
				help: "Attempts to schedule pods, by result.",
				labelNames: ["result"],
				registers: [registry],
				collect() {
					this.reset();
					this.inc({ result: "scheduled" }, scheduler.metrics.scheduled);
					this.inc({ result: "unschedulable" }, scheduler.metrics.unschedulable);
					this.inc({ result: "error" }, scheduler.metrics.errors);
				},
			});
			signal.addEventListener("abort", () => scheduler.stop(), { once: true });
			informers.start();
			await informers.whenSynced();
			if (!signal.aborted) scheduler.start();
			return () => scheduler.settled();
		},
	});
}
