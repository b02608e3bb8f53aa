/** Workloads over the Kubernetes API, one client an apiserver. */
import { configMaps } from "../../apiserver/client/resources.ts";
import type { ResourceClient } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { ConfigMap } from "../../apiserver/scheme/types.gen.ts";
import { sleep } from "../../kit/clock.ts";
import { checkCounter } from "../checkers/counter.ts";
import { describeTimed, type Violation } from "../checkers/violation.ts";
import {
	checkWatches,
	coveredTo,
	type WatchedBatch,
	type WatchedEvent,
	type WatchRecording,
} from "../checkers/watch.ts";
import type { Operation } from "../history.ts";
import { type ApiTarget, askApi, asTargetError } from "./api.ts";
import { controllerInvariants } from "./controllers.ts";
import { TargetError } from "./target.ts";
import { type Actor, type ActorOptions, type Invocation, pick, timed, type Workload } from "./workload.ts";

function ask<T>(target: ApiTarget, request: (maps: ResourceClient<ConfigMap>) => Promise<T>): Promise<T> {
	return askApi(target, (api) => request(api.resource<ConfigMap>(configMaps)));
}

/** A read before a write: when it fails, nothing was written. */
async function askFirst<T>(target: ApiTarget, request: (maps: ResourceClient<ConfigMap>) => Promise<T>): Promise<T> {
	try {
		return await ask(target, request);
	} catch (error) {
		if (error instanceof TargetError) throw new TargetError("no", error.message, error);
		throw error;
	}
}

// ---- create-if-absent ----

interface Created {
	readonly uid: string;
	readonly owner: string;
}

function toCreated(map: KubeObject<ConfigMap>): Created {
	return { uid: map.metadata.uid ?? "", owner: map.data?.["owner"] ?? "" };
}

/** Of `list`: uids by name. */
type Listed = Readonly<Record<string, string>>;

/** A list as one `get` of each name that anybody asked for. */
function asGets(op: Operation, names: readonly string[]): Operation[] {
	if (op.f !== "list") return [op];
	if (op.type !== "ok") return [];
	const listed = op.result as Listed;
	return names.map((key) => {
		const uid = listed[key];
		return { ...op, f: "get", key, result: uid === undefined ? null : { uid, owner: "" } };
	});
}

/** Many create the same names; nothing is ever deleted. */
function checkCreate(operations: readonly Operation[]): Violation[] {
	const found: Violation[] = [];
	const names = [...new Set(operations.flatMap((op) => op.key ?? []))];
	const history = operations.flatMap((op) => asGets(op, names));
	for (const key of names) {
		const answered = history.filter((op) => op.key === key && op.type === "ok" && op.result !== null);
		const created = answered.filter((op) => op.f === "create");
		if (created.length > 1) {
			const message = `${key} was created ${created.length} times`;
			found.push({ kind: "created-twice", message, witness: describeTimed(created.map(timed)) });
		}
		const uids = new Set(answered.map((op) => (op.result as Created).uid));
		if (uids.size > 1) {
			const message = `${key} was seen with ${uids.size} uids`;
			found.push({ kind: "two-objects", message, witness: describeTimed(answered.map(timed)) });
		}
		const [first] = answered;
		const ends = answered.flatMap((op) => op.completed ?? []);
		const missed = history.find(
			(op) =>
				op.key === key &&
				op.f === "get" &&
				op.type === "ok" &&
				op.result === null &&
				ends.some((end) => end < op.invoked),
		);
		if (first !== undefined && missed !== undefined) {
			const message = `${key} was there, and a later get did not find it`;
			found.push({ kind: "lost", message, witness: describeTimed([timed(first), timed(missed)]) });
		}
	}
	return found;
}

export const createOnce: Workload<ApiTarget> = {
	name: "k8s-create",
	summary: "many create objects of the same names through all apiservers; each is created once, and stays",
	rate: 100,
	actor: (target, { random, name }: ActorOptions) => {
		let drawn = 0;
		return {
			next: () => {
				const key = `chaos-create-${Math.floor(drawn++ / 6)}`;
				return random.int(2) === 0 ? { f: "get", key } : { f: "create", key };
			},
			perform: async ({ f, key = "" }): Promise<Created | Listed | null> => {
				const { namespace } = target;
				if (f === "list") {
					const { items } = await ask(target, (maps) => maps.list(namespace));
					return Object.fromEntries(items.map(({ metadata }) => [metadata.name ?? "", metadata.uid ?? ""]));
				}
				if (f === "create") {
					const map = { metadata: { name: key }, data: { owner: name } };
					return toCreated(await ask(target, (maps) => maps.create(namespace, map)));
				}
				try {
					return toCreated(await ask(target, (maps) => maps.get(namespace, key)));
				} catch (error) {
					const { cause } = error as TargetError;
					if (cause instanceof ApiError && cause.code === 404) return null;
					throw error;
				}
			},
		};
	},
	finish: { invocation: { f: "list" }, by: "all" },
	check: checkCreate,
};

// ---- update with resourceVersion ----

const counters = ["chaos-counter-0", "chaos-counter-1"];

interface Updated {
	/** The resource version that the update was made from, and the one it made. */
	readonly from: string;
	readonly to: string;
}

async function increment(target: ApiTarget, name: string, delta: number): Promise<Updated> {
	const { namespace } = target;
	const map = await askFirst(target, (maps) => maps.get(namespace, name));
	const count = String(Number(map.data?.["count"] ?? 0) + delta);
	const after = await ask(target, (maps) => maps.update({ ...map, data: { ...map.data, count } }));
	return { from: map.metadata.resourceVersion ?? "", to: after.metadata.resourceVersion ?? "" };
}

/** Two updates from one version: one of them is lost. */
function checkVersions(history: readonly Operation[]): Violation[] {
	const byVersion = new Map<string, Operation[]>();
	for (const op of history) {
		if (op.f !== "add" || op.type !== "ok") continue;
		const version = `${op.key}@${(op.result as Updated).from}`;
		byVersion.set(version, [...(byVersion.get(version) ?? []), op]);
	}
	return [...byVersion].flatMap(([version, ops]) => {
		if (ops.length < 2) return [];
		const message = `${version} was updated ${ops.length} times`;
		return [{ kind: "lost-update", message, witness: describeTimed(ops.map(timed)) }];
	});
}

export const updateVersions: Workload<ApiTarget> = {
	name: "k8s-update",
	summary: "counters in objects, updated with their resourceVersion through all apiservers; no update is lost",
	rate: 60,
	setup: async (target) => {
		for (const name of counters) {
			const map = { metadata: { name }, data: { count: "0" } };
			try {
				await ask(target, (maps) => maps.create(target.namespace, map));
			} catch (error) {
				// An earlier attempt whose answer was lost.
				const { cause } = error as TargetError;
				if (!(cause instanceof ApiError && cause.code === 409)) throw error;
			}
		}
	},
	actor: (target, { random }) => ({
		next: () => {
			const key = pick(random, counters);
			return random.int(3) === 0 ? { f: "read", key } : { f: "add", key, value: 1 + random.int(3) };
		},
		perform: async ({ f, key = "", value }) => {
			if (f === "add") return increment(target, key, value as number);
			if (f === "read-all") return Promise.all(counters.map((name) => readCount(target, name)));
			return readCount(target, key);
		},
	}),
	finish: { invocation: { f: "read-all" }, by: "all" },
	check: (history) => [
		...checkVersions(history),
		...counters.flatMap((key, i) => {
			const reads = history.flatMap((op) => {
				if (op.type !== "ok" || op.completed === undefined) return [];
				if (op.f === "read-all") return [{ ...timed(op), completed: op.completed, value: (op.result as number[])[i]! }];
				if (op.f !== "read" || op.key !== key) return [];
				return [{ ...timed(op), completed: op.completed, value: op.result as number }];
			});
			const adds = history.filter((op) => op.f === "add" && op.key === key);
			return checkCounter(
				adds.map((op) => ({ ...timed(op), delta: op.value as number, status: op.type })),
				reads,
			);
		}),
	],
};

async function readCount(target: ApiTarget, name: string): Promise<number> {
	const map = await ask(target, (maps) => maps.get(target.namespace, name));
	return Number(map.data?.["count"]);
}

// ---- list-watch ----

const watchedNames = Array.from({ length: 6 }, (_, i) => `chaos-watched-${i}`);
const label = { key: "barque-chaos", value: "watched" };
const selector = `${label.key}=${label.value}`;
const resumeMs = 100;
const patienceMs = 15_000;

/** From one list on, over as many watches as it takes, until a relist was needed. */
interface Stretch {
	readonly listed: Readonly<Record<string, number>>;
	readonly recording: WatchRecording;
}

interface Cached {
	readonly stretches: readonly Stretch[];
	readonly finalRevision: number;
	readonly final: Readonly<Record<string, number>>;
}

const revisionOf = (meta: { readonly resourceVersion?: string | undefined }) => Number(meta.resourceVersion ?? 0);

/** Lists once and watches on, through another apiserver after each lost connection, as an informer does. */
class ListWatcher {
	readonly stretches: Stretch[] = [];
	readonly #target: ApiTarget;
	readonly #options: ActorOptions;
	readonly #stop = new AbortController();

	constructor(target: ApiTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
		void this.#run();
	}

	stop(): void {
		this.#stop.abort();
	}

	async #run(): Promise<void> {
		const { apis } = this.#target;
		let mustList = true;
		for (let attempt = this.#options.index; !this.#stop.signal.aborted; attempt++) {
			const maps = apis[attempt % apis.length]!.resource<ConfigMap>(configMaps);
			try {
				if (mustList) await this.#list(maps);
				mustList = false;
				mustList = !(await this.#watch(maps, this.stretches.at(-1)!));
			} catch (error) {
				if (this.#stop.signal.aborted) return;
				// The watch is refused where the server has forgotten what came since.
				if (error instanceof ApiError && error.code === 410) mustList = true;
				asTargetError(error);
			}
			await sleep(this.#options.clock, resumeMs);
		}
	}

	async #list(maps: ResourceClient<ConfigMap>): Promise<void> {
		const list = await maps.list(this.#target.namespace, { labelSelector: selector });
		const name = `${this.#options.name}/${this.stretches.length}`;
		const startRevision = revisionOf(list.metadata) + 1;
		const recording = { name, key: "", end: "~", startRevision, prevKv: false, batches: [] as WatchedBatch[] };
		const listed = Object.fromEntries(list.items.map(({ metadata }) => [metadata.name ?? "", revisionOf(metadata)]));
		this.stretches.push({ listed, recording });
	}

	/** Whether it can be resumed: false when the server has forgotten what came since. */
	async #watch(maps: ResourceClient<ConfigMap>, { recording }: Stretch): Promise<boolean> {
		const resourceVersion = String(coveredTo(recording));
		const options = { labelSelector: selector, resourceVersion, allowWatchBookmarks: true };
		const batches = recording.batches as WatchedBatch[];
		for await (const { type, object } of maps.watch(this.#target.namespace, options, this.#stop.signal)) {
			if (type === "ERROR") return false;
			const modRevision = revisionOf(object.metadata);
			if (type === "BOOKMARK") batches.push({ events: [], revision: modRevision });
			else {
				const isDelete = type === "DELETED";
				const event: WatchedEvent = {
					type: isDelete ? "delete" : "put",
					key: object.metadata.name ?? "",
					value: isDelete ? "" : (object.data?.["value"] ?? ""),
					modRevision,
					createRevision: 0,
					version: 0,
				};
				batches.push({ events: [event], revision: modRevision });
			}
		}
		return true;
	}
}

class ListWatchActor implements Actor {
	readonly #target: ApiTarget;
	readonly #options: ActorOptions;
	readonly #watcher: ListWatcher;
	#values = 0;

	constructor(target: ApiTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
		this.#watcher = new ListWatcher(target, options);
	}

	next(): Invocation {
		const { random, name } = this.#options;
		const key = pick(random, watchedNames);
		return random.int(5) === 0 ? { f: "delete", key } : { f: "write", key, value: `${name}.${++this.#values}` };
	}

	async perform({ f, key = "", value }: Invocation): Promise<unknown> {
		if (f === "collect") return this.#collect();
		const { namespace } = this.#target;
		if (f === "delete") return ask(this.#target, (maps) => maps.delete(namespace, key));
		return void (await this.#write(key, value as string));
	}

	/** Creates or updates. */
	#write(name: string, value: string): Promise<KubeObject<ConfigMap>> {
		const { namespace } = this.#target;
		return ask(this.#target, async (maps) => {
			const labels = { [label.key]: label.value };
			try {
				return await maps.patch(namespace, name, "merge", { data: { value } });
			} catch (error) {
				if (!(error instanceof ApiError && error.code === 404)) throw error;
				return maps.create(namespace, { metadata: { name, labels }, data: { value } });
			}
		});
	}

	/** A list, and then a last write: a cache that has come to it has seen all that made the list. */
	async #collect(): Promise<Cached> {
		const { name, clock, index } = this.#options;
		const list = await ask(this.#target, (maps) => maps.list(this.#target.namespace, { labelSelector: selector }));
		const final = Object.fromEntries(list.items.map(({ metadata }) => [metadata.name ?? "", revisionOf(metadata)]));
		// A value of its own each time: a write that changes nothing has no revision of its own.
		const last = await this.#write(`chaos-watched-last-${index}`, `${name}.${++this.#values}`);
		const newest = revisionOf(last.metadata);
		const deadline = clock.monotonic() + patienceMs;
		const behind = () => {
			const last = this.#watcher.stretches.at(-1);
			return last === undefined || coveredTo(last.recording) < newest;
		};
		while (behind()) {
			if (clock.monotonic() > deadline) throw new TargetError("no", `the watch is behind ${newest}`);
			await sleep(clock, 50);
		}
		const stretches = this.#watcher.stretches.map(({ listed, recording }) => ({
			listed,
			recording: { ...recording, batches: [...recording.batches] },
		}));
		return { stretches, finalRevision: revisionOf(list.metadata), final };
	}

	close(): void {
		this.#watcher.stop();
	}
}

/** The cache of one client: what was listed and every event since, against a list at the end. */
function checkCache({ stretches, finalRevision, final }: Cached): Violation[] {
	const found: Violation[] = [];
	for (const [i, { recording }] of stretches.entries()) {
		const before = stretches[i - 1];
		if (before !== undefined && recording.startRevision - 1 < coveredTo(before.recording)) {
			const message = `${recording.name}: listed at ${recording.startRevision - 1} after it had seen ${coveredTo(before.recording)}`;
			found.push({ kind: "back-in-time", message, witness: [] });
		}
	}
	const last = stretches.at(-1)!;
	const cache = new Map(Object.entries(last.listed));
	for (const event of last.recording.batches.flatMap((batch) => batch.events)) {
		if (event.modRevision > finalRevision) continue;
		if (event.type === "delete") cache.delete(event.key);
		else cache.set(event.key, event.modRevision);
	}
	for (const name of new Set([...cache.keys(), ...Object.keys(final)])) {
		const [has, want] = [cache.get(name), final[name]];
		// A watch that began after the final list knows more than it.
		if (has === want || last.recording.startRevision > finalRevision) continue;
		const message = `${last.recording.name}: holds ${name} at ${has ?? "nothing"}; a list at ${finalRevision} has ${want ?? "nothing"}`;
		found.push({ kind: "watch-replay", message, witness: [] });
	}
	return found;
}

export const listWatch: Workload<ApiTarget> = {
	name: "k8s-list-watch",
	summary:
		"objects written and deleted under informers that lose their apiserver; caches never go back and miss nothing",
	rate: 60,
	actor: (target, options) => new ListWatchActor(target, options),
	finish: { invocation: { f: "collect" }, by: "all" },
	check: (history) => {
		const caches = history.flatMap((op) => (op.f === "collect" && op.type === "ok" ? [op.result as Cached] : []));
		const recordings = caches.flatMap((cache) => cache.stretches.map((stretch) => stretch.recording));
		return [...checkWatches(recordings), ...caches.flatMap(checkCache)];
	},
};

export type { ApiTarget } from "./api.ts";

export const kubernetesWorkloads: ReadonlyMap<string, Workload<ApiTarget>> = new Map(
	[createOnce, updateVersions, listWatch, controllerInvariants].map((each) => [each.name, each]),
);
