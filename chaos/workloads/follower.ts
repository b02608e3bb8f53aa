/** A client's list-and-watch of one resource, with everything it saw kept. */
import type { ResourceClient, ResourceOf } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Change, Stretch } from "../checkers/world.ts";
import { type ApiTarget, asTargetError } from "./api.ts";
import { TargetError } from "./target.ts";

const resumeMs = 100;
const pollMs = 50;

export interface FollowOptions<T extends object, S> {
	readonly target: ApiTarget;
	readonly resource: ResourceOf<T>;
	readonly namespace: string;
	readonly selection: { readonly labelSelector?: string };
	/** What is kept of an object; undefined: nothing, it is not ours. */
	readonly project: (object: KubeObject<T>) => S | undefined;
	/** Which apiserver comes first. */
	readonly index: number;
	readonly clock: Clock;
}

interface Growing<S> {
	readonly revision: number;
	readonly listed: Readonly<Record<string, S>>;
	readonly changes: Change<S>[];
	coveredTo: number;
}

export const revisionOf = (meta: { readonly resourceVersion?: string | undefined }) =>
	Number(meta.resourceVersion ?? 0);

/** Lists once and watches on, through another apiserver after each lost connection; lists again only where it must. */
export class Follower<T extends object, S> {
	readonly #options: FollowOptions<T, S>;
	readonly #stretches: Growing<S>[] = [];
	readonly #stop = new AbortController();
	/** Resource versions of what is there now, by name. */
	#present = new Map<string, number>();

	constructor(options: FollowOptions<T, S>) {
		this.#options = options;
		void this.#run();
	}

	stop(): void {
		this.#stop.abort();
	}

	/** What it follows. */
	get scope() {
		const { resource, namespace, selection } = this.#options;
		return { resource: resource as ResourceOf<object>, namespace, selection };
	}

	get stretches(): Stretch<S>[] {
		return this.#stretches.map((each) => ({ ...each, changes: [...each.changes] }));
	}

	/** Resolves once it has seen everything that a list shows now; rejects with TargetError after `patienceMs`. */
	async catchUp(
		list: { readonly revision: number; readonly present: ReadonlyMap<string, number> },
		patienceMs: number,
	) {
		const { clock, resource } = this.#options;
		const deadline = clock.monotonic() + patienceMs;
		for (;;) {
			const last = this.#stretches.at(-1);
			if (last !== undefined && (last.coveredTo >= list.revision || sameEntries(this.#present, list.present))) {
				last.coveredTo = Math.max(last.coveredTo, list.revision);
				return;
			}
			if (clock.monotonic() > deadline) {
				throw new TargetError("no", `the watch of ${resource.resource} is behind ${list.revision}`);
			}
			await sleep(clock, pollMs);
		}
	}

	async #run(): Promise<void> {
		const { target, resource, index, clock } = this.#options;
		let mustList = true;
		for (let attempt = index; !this.#stop.signal.aborted; attempt++) {
			const client = target.apis[attempt % target.apis.length]!.resource(resource);
			try {
				if (mustList) await this.#list(client);
				mustList = !(await this.#watch(client, this.#stretches.at(-1)!));
			} catch (error) {
				if (this.#stop.signal.aborted) return;
				const isExpired = error instanceof ApiError && error.code === 410;
				mustList = isExpired || this.#stretches.length === 0;
				asTargetError(error);
			}
			await sleep(clock, resumeMs);
		}
	}

	async #list(client: ResourceClient<T>): Promise<void> {
		const { namespace, selection, project } = this.#options;
		const list = await client.list(namespace, selection);
		const listed: Record<string, S> = {};
		this.#present = new Map();
		for (const item of list.items) {
			const seen = project(item);
			if (seen === undefined) continue;
			listed[item.metadata.name ?? ""] = seen;
			this.#present.set(item.metadata.name ?? "", revisionOf(item.metadata));
		}
		const revision = revisionOf(list.metadata);
		this.#stretches.push({ revision, listed, changes: [], coveredTo: revision });
	}

	/** Whether it can be resumed: false when the server has forgotten what came since. */
	async #watch(client: ResourceClient<T>, stretch: Growing<S>): Promise<boolean> {
		const { namespace, selection, project } = this.#options;
		const options = { ...selection, resourceVersion: String(stretch.coveredTo), allowWatchBookmarks: true };
		for await (const { type, object } of client.watch(namespace, options, this.#stop.signal)) {
			if (type === "ERROR") return false;
			const revision = revisionOf(object.metadata);
			if (type !== "BOOKMARK") {
				const name = object.metadata.name ?? "";
				const seen = project(object);
				if (seen !== undefined) {
					stretch.changes.push({ revision, name, object: type === "DELETED" ? null : seen });
					if (type === "DELETED") this.#present.delete(name);
					else this.#present.set(name, revision);
				}
			}
			stretch.coveredTo = Math.max(stretch.coveredTo, revision);
		}
		return true;
	}
}

function sameEntries(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
	return a.size === b.size && [...a].every(([name, revision]) => b.get(name) === revision);
}
