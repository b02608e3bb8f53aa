/**
 * Containers that only exist on paper: they run at once and for ever, or as the pod's annotations say
 * (`barque.io/hollow-run-seconds`, `barque.io/hollow-exit-code`). For clusters of many nodes on one machine.
 */
import type { Clock, Timer } from "../../../kit/clock.ts";
import type { ContainerLog, ContainerSpec, ExecResult, Exited, Runtime, RuntimeContainer } from "./types.ts";

interface Simulated {
	container: RuntimeContainer;
	timer: Timer | undefined;
}

export const runSecondsAnnotation = "barque.io/hollow-run-seconds";
export const exitCodeAnnotation = "barque.io/hollow-exit-code";

const termExit = 143;

export class HollowRuntime implements Runtime {
	readonly name = "hollow";
	readonly version = "hollow://1";
	readonly probes = false;
	/** Nothing really runs, so every security context can be accepted. */
	readonly abilities = { isolation: true, noNewPrivileges: true, uid: 1000, gid: 1000 };
	readonly #clock: Clock;
	readonly #containers = new Map<string, Simulated>();
	#listener: (id: string) => void = () => {};

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	onExit(listener: (id: string) => void): void {
		this.#listener = listener;
	}

	async recover(): Promise<readonly RuntimeContainer[]> {
		return [];
	}

	async ensureImage(image: string): Promise<{ readonly imageId: string }> {
		return { imageId: `hollow://${image}` };
	}

	async start(spec: ContainerSpec): Promise<RuntimeContainer> {
		const container: RuntimeContainer = {
			id: `hollow://${spec.podUid}/${spec.name}/${spec.attempt}`,
			podUid: spec.podUid,
			name: spec.name,
			attempt: spec.attempt,
			image: spec.image,
			state: { phase: "running", startedAt: this.#clock.now() },
		};
		const seconds = Number(spec.annotations[runSecondsAnnotation] ?? Number.NaN);
		const exitCode = Number(spec.annotations[exitCodeAnnotation] ?? 0) || 0;
		const timer = Number.isFinite(seconds)
			? this.#clock.after(seconds * 1000, () => this.#end(container.id, exitCode, 0))
			: undefined;
		this.#containers.set(container.id, { container, timer });
		return container;
	}

	#end(id: string, exitCode: number, signal: number): void {
		const simulated = this.#containers.get(id);
		if (simulated === undefined || simulated.container.state.phase === "exited") return;
		simulated.timer?.cancel();
		const state: Exited = {
			phase: "exited",
			startedAt: simulated.container.state.startedAt,
			finishedAt: this.#clock.now(),
			exitCode,
			signal,
			reason: exitCode === 0 ? "Completed" : "Error",
			message: "",
		};
		simulated.container = { ...simulated.container, state };
		this.#listener(id);
	}

	async stop(id: string): Promise<void> {
		this.#end(id, termExit, 15);
	}

	get(id: string): RuntimeContainer | undefined {
		return this.#containers.get(id)?.container;
	}

	async exec(): Promise<ExecResult> {
		return { exitCode: 0, output: "" };
	}

	log(): ContainerLog | undefined {
		return undefined;
	}

	async remove(id: string): Promise<void> {
		if (this.#containers.get(id)?.container.state.phase === "exited") this.#containers.delete(id);
	}

	async removePod(podUid: string): Promise<void> {
		for (const [id, simulated] of this.#containers) {
			if (simulated.container.podUid !== podUid) continue;
			simulated.timer?.cancel();
			this.#containers.delete(id);
		}
	}

	async close(): Promise<void> {
		for (const { timer } of this.#containers.values()) timer?.cancel();
		this.#containers.clear();
	}
}
