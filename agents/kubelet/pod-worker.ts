/**
 * One worker a pod: brings the containers in line with the pod's spec, one pass at a time, whenever something changes:
 * the object, a container's end, a probe's result, a back-off that is over.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { EventRecorder } from "../../apiserver/client/events.ts";
import { keyOf } from "../../apiserver/client/resources.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { isFinalPhase } from "../../apiserver/machinery/pods.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { LifecycleHandler, Pod, PodStatus, Service } from "../../apiserver/scheme/types.gen.ts";
import type { Clock, Timer } from "../../kit/clock.ts";
import { sleep } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { ContainerTrack } from "./container-track.ts";
import { ConfigError, containerEnvironment, expand, type ReferenceLookup } from "./env.ts";
import { computeStatus } from "./pod-status.ts";
import { type ProbeKind, Prober, type ProbeTarget, probeOnce } from "./probes.ts";
import { ImageError, type Runtime, StartError } from "./runtime/types.ts";
import { privilegesOf, volumeOwnerOf } from "./security.ts";
import { MountError, mountsOf, mountVolumes } from "./volumes.ts";

const imageBackoffBaseMs = 10_000;
const imageBackoffMaxMs = 300_000;
const mountRetryMs = 1_000;
/** Volumes from ConfigMaps, Secrets and tokens are written again this often. */
const refreshMs = 60_000;
const defaultGraceSeconds = 30;

/** What the worker needs of the kubelet around it. */
export interface PodHost {
	readonly runtime: Runtime;
	readonly recorder: EventRecorder;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly hostIp: string;
	/** What the node has, by resource. */
	readonly allocatable: Readonly<Record<string, string>>;
	/** KUBERNETES_SERVICE_HOST and its like: how this node's containers reach the API. */
	readonly apiEnvironment: Readonly<Record<string, string>>;
	podDirectory(uid: string): string;
	/** The pod's address, the same for the same uid until released. */
	acquireIp(pod: KubeObject<Pod>): string;
	releaseIp(uid: string): void;
	references(namespace: string): ReferenceLookup;
	token(pod: KubeObject<Pod>, audience: string | undefined, expirationSeconds: number): Promise<string>;
	services(namespace: string): readonly KubeObject<Service>[];
	/** Writes the status where it differs from what was written before. */
	writeStatus(pod: KubeObject<Pod>, status: PodStatus): Promise<void>;
	/** Removes the object once its containers have ended. */
	deletePod(pod: KubeObject<Pod>): Promise<void>;
}

export class PodWorker {
	readonly uid: string;
	readonly #host: PodHost;
	readonly #tracks: ContainerTrack[];
	readonly #startTime: number;
	#pod: KubeObject<Pod>;
	#podIp: string | undefined;
	#volumes: ReadonlyMap<string, string> | undefined;
	#mountedAt = 0;
	#failure: { readonly reason: string; readonly message: string } | undefined;
	/** The object is gone from the API: end everything and report nothing. */
	#orphaned = false;
	#terminating: { readonly deadline: number } | undefined;
	#finished = false;
	#running = false;
	#dirty = false;
	#timer: Timer | undefined;
	#timerAt = Number.POSITIVE_INFINITY;
	readonly #done = Promise.withResolvers<void>();

	constructor(host: PodHost, pod: KubeObject<Pod>) {
		this.#host = host;
		this.#pod = pod;
		this.uid = pod.metadata.uid ?? "";
		this.#startTime = pod.status?.startTime === undefined ? host.clock.now() : Date.parse(pod.status.startTime);
		const spec = pod.spec ?? {};
		this.#tracks = [
			...(spec.initContainers ?? []).map(
				(c) => new ContainerTrack(c, c.restartPolicy === "Always" ? "sidecar" : "init"),
			),
			...(spec.containers ?? []).map((c) => new ContainerTrack(c, "main")),
		];
	}

	/** Resolves when the pod's containers and files are gone. */
	get done(): Promise<void> {
		return this.#done.promise;
	}

	get pod(): KubeObject<Pod> {
		return this.#pod;
	}

	/** The id of a container's latest start, or of the one before (`previous`). */
	containerId(name: string, previous: boolean): string | undefined {
		const track = this.#tracks.find((candidate) => candidate.name === name);
		return previous ? track?.last?.id : track?.currentId;
	}

	/** Containers that an earlier kubelet recorded for this pod. */
	adopt(containers: ReadonlyArray<NonNullable<ReturnType<Runtime["get"]>>>): void {
		for (const track of this.#tracks) {
			track.adopt(containers.filter((container) => container.name === track.name));
			const current = this.#current(track);
			if (current?.state.phase === "running") {
				track.imageId = `${this.#host.runtime.name}://${current.image}`;
				this.#startProbers(track);
			}
		}
	}

	update(pod: KubeObject<Pod>): void {
		const before = this.#terminating === undefined ? undefined : this.#graceMs();
		this.#pod = pod;
		// A second deletion with less grace must not wait for the first one's.
		if (before !== undefined && this.#graceMs() < before) this.#hurry(this.#graceMs());
		this.kick();
	}

	/** The object has gone from the API without us (forced deletion). */
	orphan(): void {
		this.#orphaned = true;
		this.#hurry(0);
		this.kick();
	}

	#hurry(graceMs: number): void {
		if (this.#terminating !== undefined) {
			this.#terminating = { deadline: Math.min(this.#terminating.deadline, this.#host.clock.monotonic() + graceMs) };
		}
		for (const track of this.#tracks) {
			if (track.currentId !== undefined) void this.#host.runtime.stop(track.currentId, graceMs);
		}
	}

	kick(): void {
		this.#dirty = true;
		if (this.#running) return;
		this.#running = true;
		void this.#loop();
	}

	/** The kubelet ends: no more passes; containers stay as they are. */
	detach(): void {
		this.#finished = true;
		this.#timer?.cancel();
		for (const track of this.#tracks) track.stopProbers();
	}

	async #loop(): Promise<void> {
		while (this.#dirty && !this.#finished) {
			this.#dirty = false;
			try {
				await this.#sync();
			} catch (error) {
				this.#host.logger.warn("pod pass failed", { pod: keyOf(this.#pod), error });
				this.#wakeAfter(mountRetryMs);
			}
		}
		this.#running = false;
	}

	#wakeAfter(ms: number): void {
		const at = this.#host.clock.monotonic() + ms;
		if (this.#finished || at >= this.#timerAt) return;
		this.#timer?.cancel();
		this.#timerAt = at;
		this.#timer = this.#host.clock.after(ms, () => {
			this.#timerAt = Number.POSITIVE_INFINITY;
			this.kick();
		});
	}

	#current(track: ContainerTrack) {
		return track.currentId === undefined ? undefined : this.#host.runtime.get(track.currentId);
	}

	async #sync(): Promise<void> {
		if (this.#orphaned || this.#pod.metadata.deletionTimestamp !== undefined) return this.#terminate();
		this.#checkDeadline();
		if (this.#failure === undefined && !this.#isOver()) {
			if (await this.#prepare()) await this.#startContainers();
		}
		if (this.#failure !== undefined || this.#isOver()) await this.#stopAll(this.#graceMs());
		await this.#report(false);
	}

	/** The API already knows the pod as ended: nothing of it runs again, also after a restart of the kubelet. */
	#isOver(): boolean {
		const written = this.#pod.status?.phase;
		if (isFinalPhase(written)) return true;
		const phase = computeStatus(this.#statusInput()).phase;
		return isFinalPhase(phase);
	}

	#checkDeadline(): void {
		const seconds = this.#pod.spec?.activeDeadlineSeconds;
		if (seconds === undefined || this.#failure !== undefined) return;
		const left = this.#startTime + seconds * 1000 - this.#host.clock.now();
		if (left > 0) {
			this.#wakeAfter(left);
			return;
		}
		const message = "Pod was active on the node longer than the specified deadline";
		this.#failure = { reason: "DeadlineExceeded", message };
		this.#host.recorder.event(this.#pod, "Normal", "DeadlineExceeded", message);
	}

	/** Address and volumes; false where the pod has to wait. */
	async #prepare(): Promise<boolean> {
		const { runtime, clock, recorder } = this.#host;
		this.#podIp ??= this.#host.acquireIp(this.#pod);
		if (this.#volumes !== undefined && clock.monotonic() - this.#mountedAt < refreshMs) {
			return true;
		}
		if (!runtime.probes) {
			this.#volumes = new Map((this.#pod.spec?.volumes ?? []).map((volume) => [volume.name ?? "", "/"]));
			this.#mountedAt = Number.POSITIVE_INFINITY;
			return true;
		}
		const directory = path.join(this.#host.podDirectory(this.uid), "volumes");
		await mkdir(directory, { recursive: true, mode: 0o750 });
		try {
			this.#volumes = await mountVolumes(
				{
					pod: this.#pod,
					directory,
					references: this.#host.references(this.#pod.metadata.namespace ?? ""),
					token: (audience, seconds) => this.#host.token(this.#pod, audience, seconds),
					podIp: this.#podIp,
					hostIp: this.#host.hostIp,
					allocatable: this.#host.allocatable,
					owner: runtime.abilities.isolation ? volumeOwnerOf(this.#pod) : undefined,
				},
				String(Math.round(clock.now())),
			);
			this.#mountedAt = clock.monotonic();
			if ((this.#pod.spec?.volumes ?? []).length > 0) this.#wakeAfter(refreshMs);
			return true;
		} catch (error) {
			const refreshing = this.#volumes !== undefined;
			if (!(error instanceof MountError || error instanceof ApiError)) throw error;
			if (!refreshing)
				recorder.event(this.#pod, "Warning", "FailedMount", `MountVolume.SetUp failed: ${error.message}`);
			this.#wakeAfter(mountRetryMs);
			return refreshing;
		}
	}

	async #startContainers(): Promise<void> {
		for (const track of this.#tracks) {
			if (track.role === "main") continue;
			await this.#startIfWanted(track);
			const state = this.#current(track)?.state;
			if (track.role === "sidecar" ? !track.started : !(state?.phase === "exited" && state.exitCode === 0)) return;
		}
		for (const track of this.#tracks) {
			if (track.role === "main") await this.#startIfWanted(track);
		}
	}

	#restarts(track: ContainerTrack, exitCode: number): boolean {
		const policy = this.#pod.spec?.restartPolicy ?? "Always";
		if (track.role === "sidecar") return true;
		if (track.role === "init") return exitCode !== 0 && policy !== "Never";
		return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
	}

	async #startIfWanted(track: ContainerTrack): Promise<void> {
		const { clock, recorder } = this.#host;
		const current = this.#current(track);
		if (current?.state.phase === "running") return;
		if (current?.state.phase === "exited") {
			if (!this.#restarts(track, current.state.exitCode)) return;
			const delay = track.crashDelayMs(current.state.finishedAt, clock.now());
			if (delay > 0) {
				const pod = `${this.#pod.metadata.name}_${this.#pod.metadata.namespace}(${this.uid})`;
				const message = `back-off ${formatBackoff(track.crashBackoffMs)} restarting failed container=${track.name} pod=${pod}`;
				if (track.waiting?.reason !== "CrashLoopBackOff") {
					recorder.event(
						this.#pod,
						"Warning",
						"BackOff",
						`Back-off restarting failed container ${track.name} in pod ${pod}`,
					);
				}
				track.waiting = { reason: "CrashLoopBackOff", message };
				this.#wakeAfter(delay);
				return;
			}
			track.noteRestart(clock.now());
		}
		await this.#start(track);
	}

	async #start(track: ContainerTrack): Promise<void> {
		const { recorder, runtime } = this.#host;
		if (!(await this.#haveImage(track))) return;
		const previous = this.#current(track);
		const spec = await this.#specOf(track);
		if (spec === undefined) return;
		try {
			const container = await runtime.start(spec);
			if (track.last !== undefined) await runtime.remove(track.last.id);
			if (previous?.state.phase === "exited") track.last = { id: previous.id, state: previous.state };
			track.currentId = container.id;
			track.starts++;
			track.waiting = undefined;
			recorder.event(this.#pod, "Normal", "Created", `Created container: ${track.name}`);
			recorder.event(this.#pod, "Normal", "Started", `Started container ${track.name}`);
			this.#startProbers(track);
			const hook = track.spec.lifecycle?.postStart;
			if (hook !== undefined) void this.#postStart(track, container.id, hook);
		} catch (error) {
			if (!(error instanceof StartError)) throw error;
			recorder.event(this.#pod, "Warning", "Failed", `Error: ${error.message}`);
			track.noteRestart(this.#host.clock.now());
			track.waiting = { reason: "RunContainerError", message: error.message };
			this.#wakeAfter(track.crashBackoffMs);
		}
	}

	async #haveImage(track: ContainerTrack): Promise<boolean> {
		const { clock, recorder, runtime } = this.#host;
		const image = track.spec.image ?? "";
		const now = clock.monotonic();
		if (now < track.imageRetryAt) {
			this.#wakeAfter(track.imageRetryAt - now);
			return false;
		}
		try {
			const { imageId } = await runtime.ensureImage(image, track.spec.command ?? []);
			if (track.imageId === "") {
				recorder.event(this.#pod, "Normal", "Pulled", `Container image "${image}" already present on machine`);
			}
			track.imageId = imageId;
			return true;
		} catch (error) {
			if (!(error instanceof ImageError)) throw error;
			recorder.event(this.#pod, "Warning", "Failed", `Failed to pull image "${image}": ${error.message}`);
			recorder.event(this.#pod, "Warning", "Failed", `Error: ${error.reason}`);
			track.imageBackoffMs = Math.min(imageBackoffMaxMs, track.imageBackoffMs * 2 || imageBackoffBaseMs);
			track.imageRetryAt = now + track.imageBackoffMs;
			track.waiting = { reason: error.reason, message: error.message };
			this.#wakeAfter(track.imageBackoffMs);
			return false;
		}
	}

	async #specOf(track: ContainerTrack) {
		const { metadata, spec } = this.#pod;
		const podIp = this.#podIp ?? this.#host.hostIp;
		const wantsServices = spec?.enableServiceLinks !== false;
		try {
			const env = await containerEnvironment({
				pod: this.#pod,
				container: track.spec,
				references: this.#host.references(metadata.namespace ?? ""),
				podIp,
				hostIp: this.#host.hostIp,
				services: wantsServices ? this.#host.services(metadata.namespace ?? "") : [],
				allocatable: this.#host.allocatable,
				extra: this.#host.apiEnvironment,
			});
			return {
				podUid: this.uid,
				namespace: metadata.namespace ?? "",
				podName: metadata.name ?? "",
				name: track.name,
				attempt: track.starts,
				image: track.spec.image ?? "",
				command: (track.spec.command ?? []).map((word) => expand(word, env)),
				args: (track.spec.args ?? []).map((word) => expand(word, env)),
				env,
				workingDir: track.spec.workingDir || undefined,
				privileges: privilegesOf(this.#pod, track.spec, this.#host.runtime.abilities),
				mounts: await mountsOf(track.spec, spec?.volumes ?? [], this.#volumes ?? new Map(), env),
				podIp,
				ports: (track.spec.ports ?? []).map((port) => port.containerPort ?? 0),
				annotations: metadata.annotations ?? {},
				terminationMessagePath: track.spec.terminationMessagePath || "/dev/termination-log",
				terminationMessageFromLogs: track.spec.terminationMessagePolicy === "FallbackToLogsOnError",
			};
		} catch (error) {
			if (!(error instanceof ConfigError || error instanceof MountError || error instanceof ApiError)) throw error;
			this.#host.recorder.event(this.#pod, "Warning", "Failed", `Error: ${error.message}`);
			track.waiting = { reason: "CreateContainerConfigError", message: error.message };
			this.#wakeAfter(imageBackoffBaseMs);
			return undefined;
		}
	}

	#probeTarget(track: ContainerTrack): ProbeTarget {
		return {
			container: track.spec,
			podIp: this.#podIp ?? this.#host.hostIp,
			exec: (command, timeoutMs) => this.#host.runtime.exec(track.currentId ?? "", command, timeoutMs),
		};
	}

	#startProbers(track: ContainerTrack): void {
		track.stopProbers();
		const { startupProbe, readinessProbe } = track.spec;
		const simulated = !this.#host.runtime.probes;
		track.started = simulated || startupProbe === undefined;
		track.ready = track.started && (simulated || readinessProbe === undefined);
		if (simulated) return;
		if (startupProbe === undefined) this.#startSteadyProbers(track);
		else this.#probe(track, "startup");
	}

	#startSteadyProbers(track: ContainerTrack): void {
		if (track.spec.livenessProbe !== undefined) this.#probe(track, "liveness");
		if (track.spec.readinessProbe !== undefined) this.#probe(track, "readiness");
		else track.ready = true;
	}

	#probe(track: ContainerTrack, kind: ProbeKind): void {
		const probe = track.spec[`${kind}Probe`];
		const id = track.currentId;
		if (probe === undefined || id === undefined) return;
		const title = kind.charAt(0).toUpperCase() + kind.slice(1);
		track.probers.push(
			new Prober({
				kind,
				probe,
				target: this.#probeTarget(track),
				clock: this.#host.clock,
				onFailure: (message) =>
					this.#host.recorder.event(this.#pod, "Warning", "Unhealthy", `${title} probe failed: ${message}`),
				onResult: (ok) => {
					if (track.currentId === id) this.#onProbe(track, kind, ok);
				},
			}),
		);
	}

	#onProbe(track: ContainerTrack, kind: ProbeKind, ok: boolean): void {
		if (kind === "readiness") track.ready = ok;
		else if (kind === "startup" && ok) {
			track.started = true;
			this.#startSteadyProbers(track);
		} else if (!ok) {
			const message = `Container ${track.name} failed ${kind} probe, will be restarted`;
			this.#host.recorder.event(this.#pod, "Normal", "Killing", message);
			void this.#stopOne(track, this.#graceMs());
		}
		this.kick();
	}

	async #postStart(track: ContainerTrack, id: string, hook: LifecycleHandler): Promise<void> {
		const outcome = await this.#runHook(track, hook, this.#graceMs());
		if (outcome.ok || track.currentId !== id) return;
		this.#host.recorder.event(this.#pod, "Warning", "FailedPostStartHook", `PostStartHook failed: ${outcome.message}`);
		await this.#stopOne(track, this.#graceMs());
	}

	async #runHook(track: ContainerTrack, hook: LifecycleHandler, timeoutMs: number) {
		if (hook.sleep !== undefined) {
			await sleep(this.#host.clock, Math.min(timeoutMs, (hook.sleep.seconds ?? 0) * 1000));
			return { ok: true, message: "" };
		}
		const timeoutSeconds = Math.max(1, timeoutMs / 1000);
		return probeOnce(this.#probeTarget(track), {
			exec: hook.exec,
			httpGet: hook.httpGet,
			tcpSocket: hook.tcpSocket,
			timeoutSeconds,
		});
	}

	#graceMs(): number {
		const seconds = this.#pod.spec?.terminationGracePeriodSeconds ?? defaultGraceSeconds;
		return (this.#pod.metadata.deletionGracePeriodSeconds ?? seconds) * 1000;
	}

	async #stopOne(track: ContainerTrack, graceMs: number): Promise<void> {
		const { clock, recorder, runtime } = this.#host;
		const id = track.currentId;
		track.stopProbers();
		track.ready = false;
		if (id === undefined || runtime.get(id)?.state.phase !== "running") return;
		recorder.event(this.#pod, "Normal", "Killing", `Stopping container ${track.name}`);
		const deadline = clock.monotonic() + graceMs;
		const hook = track.spec.lifecycle?.preStop;
		if (hook !== undefined && graceMs > 0) {
			const outcome = await this.#runHook(track, hook, graceMs);
			if (!outcome.ok)
				recorder.event(this.#pod, "Warning", "FailedPreStopHook", `PreStopHook failed: ${outcome.message}`);
		}
		await runtime.stop(id, Math.max(0, deadline - clock.monotonic()));
	}

	/** Main containers first, then the sidecars in reverse order (KEP-753). */
	async #stopAll(graceMs: number): Promise<void> {
		const deadline = this.#host.clock.monotonic() + graceMs;
		await Promise.all(
			this.#tracks.filter((track) => track.role !== "sidecar").map((track) => this.#stopOne(track, graceMs)),
		);
		for (const track of this.#tracks.filter((candidate) => candidate.role === "sidecar").reverse()) {
			await this.#stopOne(track, Math.max(0, deadline - this.#host.clock.monotonic()));
		}
	}

	async #terminate(): Promise<void> {
		const graceMs = this.#orphaned ? 0 : this.#graceMs();
		this.#terminating ??= { deadline: this.#host.clock.monotonic() + graceMs };
		const left = Math.min(graceMs, Math.max(0, this.#terminating.deadline - this.#host.clock.monotonic()));
		await this.#stopAll(left);
		if (!this.#orphaned) {
			await this.#report(true);
			await this.#host.deletePod(this.#pod);
		}
		await this.#host.runtime.removePod(this.uid);
		this.#host.releaseIp(this.uid);
		this.#finished = true;
		this.#timer?.cancel();
		this.#done.resolve();
	}

	#statusInput() {
		return {
			pod: this.#pod,
			tracks: this.#tracks,
			stateOf: (track: ContainerTrack) => this.#current(track),
			podIp: this.#podIp,
			hostIp: this.#host.hostIp,
			startTime: this.#startTime,
			failure: this.#failure,
			now: this.#host.clock.now(),
		};
	}

	async #report(final: boolean): Promise<void> {
		const written = this.#pod.status?.phase;
		const status = computeStatus(this.#statusInput(), final);
		// A phase that was reported as an end never changes again.
		if (isFinalPhase(written)) status.phase = written;
		await this.#host.writeStatus(this.#pod, status);
	}
}

/** Go's form of a duration of whole seconds: `10s`, `1m20s`, `5m0s`. */
function formatBackoff(ms: number): string {
	const seconds = Math.round(ms / 1000);
	return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
