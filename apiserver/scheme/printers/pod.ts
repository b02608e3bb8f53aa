/** Pods in tables: a status that sums up phase, containers and deletion. */
import { ageOf } from "../../machinery/duration.ts";
import { isFinalPhase } from "../../machinery/pods.ts";
import type { Container, ContainerState, ContainerStatus, Pod } from "../types.gen.ts";
import { ageColumn, type Cell, nameColumn, orNone, type Printer, type RowCondition, text, wide } from "./columns.ts";

const conditionTrue = (pod: Pod, type: string): boolean =>
	(pod.status?.conditions ?? []).some((c) => c.type === type && c.status === "True");

const isRestartable = (container: Container | undefined): boolean => container?.restartPolicy === "Always";

const ended = (terminated: NonNullable<ContainerState["terminated"]>): string =>
	terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`);

/** Restarts and when the last of them was. */
class Restarts {
	count = 0;
	last = "";

	add(status: ContainerStatus): void {
		this.count += status.restartCount ?? 0;
		const finished = status.lastState?.terminated?.finishedAt;
		if (finished !== undefined && finished > this.last) this.last = finished;
	}

	plus(other: Restarts): Restarts {
		const sum = new Restarts();
		sum.count = this.count + other.count;
		sum.last = [this.last, other.last].sort()[1] ?? "";
		return sum;
	}

	show(now: number): string {
		return this.count > 0 && this.last !== "" ? `${this.count} (${ageOf(this.last, now)} ago)` : String(this.count);
	}
}

interface Progress {
	reason: string | undefined;
	ready: number;
	/** Of init containers, and of those among them that keep running. */
	restarts: Restarts;
	sidecarRestarts: Restarts;
}

/** Goes through init containers up to the first that still has to finish; `reason` says what it is at. */
function initProgress(pod: Pod): Progress {
	const containers = pod.spec?.initContainers ?? [];
	const byName = new Map(containers.map((c) => [c.name, c]));
	const progress: Progress = { reason: undefined, ready: 0, restarts: new Restarts(), sidecarRestarts: new Restarts() };
	for (const [i, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
		const sidecar = isRestartable(byName.get(status.name));
		progress.restarts.add(status);
		if (sidecar) progress.sidecarRestarts.add(status);
		const { terminated, waiting } = status.state ?? {};
		if (terminated !== undefined && (terminated.exitCode ?? 0) === 0) continue;
		if (sidecar && status.started) {
			if (status.ready) progress.ready++;
			continue;
		}
		if (terminated !== undefined) progress.reason = `Init:${ended(terminated)}`;
		else if (waiting?.reason && waiting.reason !== "PodInitializing") progress.reason = `Init:${waiting.reason}`;
		else progress.reason = `Init:${i}/${containers.length}`;
		break;
	}
	return progress;
}

function mainProgress(pod: Pod): { reason: string | undefined; ready: number; running: boolean; restarts: Restarts } {
	const restarts = new Restarts();
	let reason: string | undefined;
	let ready = 0;
	let running = false;
	// Backwards, so that the first container's word counts.
	for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
		restarts.add(status);
		const state = status.state ?? {};
		if (state.waiting?.reason) reason = state.waiting.reason;
		else if (state.terminated !== undefined) reason = ended(state.terminated);
		else if (status.ready && state.running !== undefined) {
			running = true;
			ready++;
		}
	}
	return { reason, ready, running, restarts };
}

export interface PodSummary {
	readonly ready: string;
	readonly status: string;
	readonly restarts: string;
}

/** READY, STATUS and RESTARTS of `kubectl get pods`. */
export function summarizePod(pod: Pod, now: number): PodSummary {
	const total = (pod.spec?.containers?.length ?? 0) + (pod.spec?.initContainers ?? []).filter(isRestartable).length;
	let reason = pod.status?.reason || pod.status?.phase || "";
	const scheduled = (pod.status?.conditions ?? []).find((c) => c.type === "PodScheduled");
	if (scheduled?.reason === "SchedulingGated") reason = "SchedulingGated";
	const init = initProgress(pod);
	let restarts = init.restarts;
	let ready = init.ready;
	if (init.reason !== undefined) reason = init.reason;
	if (init.reason === undefined || conditionTrue(pod, "Initialized")) {
		const main = mainProgress(pod);
		restarts = init.sidecarRestarts.plus(main.restarts);
		ready += main.ready;
		if (main.reason !== undefined) reason = main.reason;
		if (reason === "Completed" && main.running) reason = conditionTrue(pod, "Ready") ? "Running" : "NotReady";
	}
	if (pod.metadata?.deletionTimestamp !== undefined) {
		const phase = pod.status?.phase;
		if (pod.status?.reason === "NodeLost") reason = "Unknown";
		else if (!isFinalPhase(phase)) reason = "Terminating";
	}
	return { ready: `${ready}/${total}`, status: reason, restarts: restarts.show(now) };
}

function readinessGates(pod: Pod): string {
	const gates = pod.spec?.readinessGates ?? [];
	if (gates.length === 0) return orNone(undefined);
	return `${gates.filter((gate) => conditionTrue(pod, gate.conditionType ?? "")).length}/${gates.length}`;
}

export const podPrinter: Printer = {
	columns: [
		nameColumn,
		text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
		text("Status", "The aggregate status of the containers in this pod."),
		text("Restarts", "How often containers of this pod were restarted, and when last."),
		ageColumn,
		wide(text("IP", "The pod's address.")),
		wide(text("Node", "The node the pod runs on.")),
		wide(text("Nominated Node", "The node on which room is being made for the pod.")),
		wide(text("Readiness Gates", "Conditions beside its containers' that the pod's readiness needs.")),
	],
	cells(pod: Pod, now: number): Cell[] {
		const { ready, status, restarts } = summarizePod(pod, now);
		return [
			pod.metadata?.name ?? "",
			ready,
			status,
			restarts,
			ageOf(pod.metadata?.creationTimestamp, now),
			orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
			orNone(pod.spec?.nodeName),
			orNone(pod.status?.nominatedNodeName),
			readinessGates(pod),
		];
	},
	conditions(pod: Pod): readonly RowCondition[] {
		switch (pod.status?.phase) {
			case "Succeeded":
				return [
					{ type: "Completed", status: "True", reason: "Succeeded", message: "The pod has completed successfully." },
				];
			case "Failed":
				return [{ type: "Completed", status: "True", reason: "Failed", message: "The pod failed." }];
			default:
				return [];
		}
	},
};
