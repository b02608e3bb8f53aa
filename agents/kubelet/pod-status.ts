/** A pod's status computed from its containers; pure. Reasons and conditions as upstream's kubelet gives them. */
import { findCondition, formatTime } from "../../apiserver/machinery/meta.ts";
import { isFinalPhase } from "../../apiserver/machinery/pods.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type {
	ContainerState,
	ContainerStatus,
	Pod,
	PodCondition,
	PodStatus,
} from "../../apiserver/scheme/types.gen.ts";
import type { ContainerTrack } from "./container-track.ts";
import type { Exited, Running, RuntimeContainer } from "./runtime/types.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

export interface StatusInput {
	readonly pod: KubeObject<Pod>;
	readonly tracks: readonly ContainerTrack[];
	readonly stateOf: (track: ContainerTrack) => RuntimeContainer | undefined;
	readonly podIp: string | undefined;
	readonly hostIp: string;
	/** When this kubelet first saw the pod, ms. */
	readonly startTime: number;
	/** Set where the kubelet itself ended the pod: DeadlineExceeded, Evicted ... */
	readonly failure: { readonly reason: string; readonly message: string } | undefined;
	readonly now: number;
}

function terminated(id: string, state: Exited): ContainerState {
	return {
		terminated: {
			exitCode: state.exitCode,
			...(state.signal === 0 ? {} : { signal: state.signal }),
			reason: state.reason,
			...(state.message === "" ? {} : { message: state.message }),
			startedAt: formatTime(state.startedAt),
			finishedAt: formatTime(state.finishedAt),
			containerID: id,
		},
	};
}

const running = (state: Running): ContainerState => ({ running: { startedAt: formatTime(state.startedAt) } });

function containerStatus(
	track: ContainerTrack,
	container: RuntimeContainer | undefined,
	fallback: string,
): ContainerStatus {
	let state: ContainerState;
	let lastState: ContainerState = track.last === undefined ? {} : terminated(track.last.id, track.last.state);
	if (container?.state.phase === "running") state = running(container.state);
	else if (track.waiting !== undefined || container === undefined) {
		const waiting = track.waiting ?? { reason: fallback, message: "" };
		state = { waiting: { reason: waiting.reason, ...(waiting.message === "" ? {} : { message: waiting.message }) } };
		if (container?.state.phase === "exited") lastState = terminated(container.id, container.state);
	} else state = container.state.phase === "exited" ? terminated(container.id, container.state) : {};
	const isRunning = state.running !== undefined;
	const completed = track.role === "init" && container?.state.phase === "exited" && container.state.exitCode === 0;
	return {
		name: track.name,
		state,
		lastState,
		ready: track.role === "init" ? completed : isRunning && track.ready,
		restartCount: track.restartCount,
		image: track.spec.image ?? "",
		imageID: track.imageId,
		...(container === undefined ? {} : { containerID: container.id }),
		started: track.role === "init" ? isRunning : isRunning && track.started,
	};
}

/** The pod's phase from how its containers stand (kubelet_pods.go getPhase). */
export function phaseOf(input: Pick<StatusInput, "pod" | "tracks" | "stateOf" | "failure">): Phase {
	if (input.failure !== undefined) return "Failed";
	const policy = input.pod.spec?.restartPolicy ?? "Always";
	let waiting = 0;
	let live = 0;
	let succeeded = 0;
	let failed = 0;
	for (const track of input.tracks) {
		const state = input.stateOf(track)?.state;
		if (track.role === "init") {
			if (state?.phase !== "exited") return "Pending";
			if (state.exitCode !== 0) return policy === "Never" ? "Failed" : "Pending";
			continue;
		}
		if (track.role === "sidecar") continue;
		if (state?.phase === "running") live++;
		else if (state?.phase === "exited") {
			const restarts = policy === "Always" || (policy === "OnFailure" && state.exitCode !== 0);
			if (restarts) live++;
			else if (state.exitCode === 0) succeeded++;
			else failed++;
		} else waiting++;
	}
	if (waiting > 0) return "Pending";
	if (live > 0) return "Running";
	if (failed > 0) return "Failed";
	return succeeded > 0 ? "Succeeded" : "Running";
}

/** The phase of a pod whose containers were all ended: failed where any did not end with 0. */
export function endPhase(input: Pick<StatusInput, "tracks" | "stateOf" | "failure">): Phase {
	if (input.failure !== undefined) return "Failed";
	const states = input.tracks.filter((track) => track.role === "main").map((track) => input.stateOf(track)?.state);
	const clean = states.every((state) => state?.phase === "exited" && state.exitCode === 0);
	return clean && states.length > 0 ? "Succeeded" : "Failed";
}

function condition(
	input: StatusInput,
	type: string,
	status: boolean,
	reason: string,
	message: string,
	own: readonly PodCondition[],
): PodCondition {
	const before = findCondition(own, type);
	const text = status ? "True" : "False";
	return {
		type,
		status: text,
		observedGeneration: input.pod.metadata.generation,
		lastProbeTime: null as never,
		lastTransitionTime:
			before?.status === text ? (before.lastTransitionTime ?? formatTime(input.now)) : formatTime(input.now),
		...(reason === "" || status ? {} : { reason }),
		...(message === "" || status ? {} : { message }),
	};
}

/** The conditions that the kubelet owns; others keep theirs. */
export const kubeletConditions: readonly string[] = [
	"PodReadyToStartContainers",
	"Initialized",
	"Ready",
	"ContainersReady",
	"PodScheduled",
];

function conditions(input: StatusInput, phase: Phase, statuses: readonly ContainerStatus[]): PodCondition[] {
	const before = input.pod.status?.conditions ?? [];
	const initialized = input.tracks
		.filter((track) => track.role !== "main")
		.every((track) => {
			const state = input.stateOf(track)?.state;
			if (track.role === "sidecar") return track.started || phase === "Succeeded";
			return state?.phase === "exited" && state.exitCode === 0;
		});
	const unfinished = input.tracks.filter(
		(track) => track.role === "init" && input.stateOf(track)?.state.phase !== "exited",
	);
	const unready = input.tracks
		.filter((track) => track.role !== "init")
		.filter((track) => statuses.find((status) => status.name === track.name)?.ready !== true)
		.map((track) => track.name);
	const done = isFinalPhase(phase);
	const reason = done ? (phase === "Succeeded" ? "PodCompleted" : "PodFailed") : "ContainersNotReady";
	const message = done ? "" : `containers with unready status: [${unready.join(" ")}]`;
	const containersReady = !done && unready.length === 0;
	const gates = (input.pod.spec?.readinessGates ?? []).map((gate) => gate.conditionType ?? "");
	const openGates = gates.filter((gate) => findCondition(before, gate)?.status !== "True");
	const ready = containersReady && openGates.length === 0;
	const make = (type: string, status: boolean, why = "", text = "") =>
		condition(input, type, status, why, text, before);
	const initReason = unfinished.length > 0 ? "ContainersNotInitialized" : "";
	const initMessage = `containers with incomplete status: [${unfinished.map((track) => track.name).join(" ")}]`;
	return [
		make("PodReadyToStartContainers", input.podIp !== undefined && !done),
		make("Initialized", initialized || phase === "Succeeded", initReason || "ContainersNotInitialized", initMessage),
		containersReady && !ready
			? make(
					"Ready",
					false,
					"ReadinessGatesNotReady",
					`corresponding condition of pod readiness gate ${openGates.map((g) => JSON.stringify(g)).join(", ")} does not exist.`,
				)
			: make("Ready", ready, reason, message),
		make("ContainersReady", containersReady, reason, message),
		make("PodScheduled", true),
		...before.filter((other) => !kubeletConditions.includes(other.type ?? "")),
	];
}

/** The whole status as the kubelet writes it. `final`: every container has been ended for good. */
export function computeStatus(input: StatusInput, final = false): PodStatus & { phase: Phase } {
	const phase = final ? endPhase(input) : phaseOf(input);
	const hasInit = input.tracks.some((track) => track.role !== "main");
	const initDone = initContainersDone(input);
	const statuses = input.tracks.map((track) => {
		const fallback = track.role === "main" && hasInit && !initDone ? "PodInitializing" : "ContainerCreating";
		return containerStatus(track, input.stateOf(track), fallback);
	});
	const of = (roles: readonly string[]) =>
		statuses.filter((status) => roles.includes(input.tracks.find((track) => track.name === status.name)?.role ?? ""));
	const initStatuses = of(["init", "sidecar"]);
	return {
		phase,
		observedGeneration: input.pod.metadata.generation,
		conditions: conditions(input, phase, statuses),
		...(input.failure === undefined ? {} : { reason: input.failure.reason, message: input.failure.message }),
		hostIP: input.hostIp,
		hostIPs: [{ ip: input.hostIp }],
		...(input.podIp === undefined ? {} : { podIP: input.podIp, podIPs: [{ ip: input.podIp }] }),
		startTime: formatTime(input.startTime),
		...(initStatuses.length > 0 ? { initContainerStatuses: initStatuses } : {}),
		containerStatuses: of(["main"]),
	};
}

function initContainersDone(input: StatusInput): boolean {
	return input.tracks
		.filter((track) => track.role === "init")
		.every((track) => {
			const state = input.stateOf(track)?.state;
			return state?.phase === "exited" && state.exitCode === 0;
		});
}
