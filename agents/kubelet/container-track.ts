/** What a pod's worker remembers of one container between its runs. */
import type { Container } from "../../apiserver/scheme/types.gen.ts";
import type { Prober } from "./probes.ts";
import type { Exited, RuntimeContainer } from "./runtime/types.ts";

export type ContainerRole = "init" | "sidecar" | "main";

export interface Waiting {
	readonly reason: string;
	readonly message: string;
}

const backoffBaseMs = 10_000;
const backoffMaxMs = 300_000;
/** After this long without a crash the back-off begins anew. */
const backoffResetMs = 2 * backoffMaxMs;

export class ContainerTrack {
	readonly spec: Container;
	readonly role: ContainerRole;
	/** Starts made so far; the API's restartCount is one less. */
	starts = 0;
	/** The container of the latest start. */
	currentId: string | undefined;
	/** How the start before the latest one ended. */
	last: { readonly id: string; readonly state: Exited } | undefined;
	/** Why it does not run, when it should. */
	waiting: Waiting | undefined;
	imageId = "";
	/** The startup probe passed (or there is none) since the latest start. */
	started = false;
	ready = false;
	probers: Prober[] = [];
	#backoffMs = 0;
	#backedOffAt = 0;
	/** Image pulls back off by themselves. */
	imageBackoffMs = 0;
	imageRetryAt = 0;

	constructor(spec: Container, role: ContainerRole) {
		this.spec = spec;
		this.role = role;
	}

	get name(): string {
		return this.spec.name ?? "";
	}

	get restartCount(): number {
		return Math.max(0, this.starts - 1);
	}

	stopProbers(): void {
		for (const prober of this.probers) prober.stop();
		this.probers = [];
	}

	/** How long the next start has to wait after a crash at `finishedAt`; the first restart does not wait. */
	crashDelayMs(finishedAt: number, now: number): number {
		if (now - finishedAt > backoffResetMs) this.#backoffMs = 0;
		return Math.max(0, finishedAt + this.#backoffMs - now);
	}

	get crashBackoffMs(): number {
		return this.#backoffMs;
	}

	/** A restart after a crash is made now: the next one waits longer. */
	noteRestart(now: number): void {
		const quiet = now - this.#backedOffAt > backoffResetMs;
		this.#backoffMs = quiet || this.#backoffMs === 0 ? backoffBaseMs : Math.min(backoffMaxMs, this.#backoffMs * 2);
		this.#backedOffAt = now;
	}

	/** Takes over what an earlier kubelet recorded. */
	adopt(containers: readonly RuntimeContainer[]): void {
		const inOrder = [...containers].sort((a, b) => a.attempt - b.attempt);
		for (const container of inOrder) {
			const { state } = container;
			if (container === inOrder.at(-1)) this.currentId = container.id;
			else if (state.phase === "exited") this.last = { id: container.id, state };
			this.starts = container.attempt + 1;
		}
	}
}
