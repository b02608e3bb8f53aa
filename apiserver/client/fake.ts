/**
 * An in-memory twin of an API server behind the ApiClient interface, so that controllers are tested without one: resource
 * versions, conflicts, watches from a version, selectors, status subresources, finalizers, graceful deletion, generateName.
 * Objects go through the real codec, as on the server: what it leaves out (zeros, empty values, unknown fields) is not in
 * the answer, and a write that changes nothing brings no event. It sets no defaults and checks no access. Calls through
 * `checked` are validated as the server validates them.
 */
import type { Clock } from "../../kit/clock.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import {
	ApiError,
	alreadyExists,
	conflict,
	expired,
	invalid,
	methodNotAllowed,
	modifiedConflict,
	notFound,
} from "../machinery/errors.ts";
import { parseFieldSelector } from "../machinery/fieldselectors.ts";
import { deepEqual, formatTime, generateName } from "../machinery/meta.ts";
import { isFinalPhase } from "../machinery/pods.ts";
import { parseLabelSelector } from "../machinery/selectors.ts";
import { applyDefaults } from "../scheme/defaults/defaults.ts";
import type { GroupVersionResource, KubeList, KubeObject } from "../scheme/object.ts";
import { validateCreate, validateStatusUpdate, validateUpdate } from "../scheme/validation/validation.ts";
import { applyFakePatch } from "./fake-patch.ts";
import { apiVersionOf, builtinResources, keyOf, resourceKey, type TypedResource } from "./resources.ts";
import type { ApiClient, DeleteOptions, ListOptions, ResourceClient, WatchOptions, WatchStreamEvent } from "./types.ts";
import { asStored } from "./written.ts";

type Any = KubeObject<Record<string, unknown>>;

/** One call that changed something, as tests assert them. */
export interface FakeAction {
	readonly verb: "create" | "update" | "patch" | "delete" | "deletecollection";
	readonly resource: string;
	readonly subresource: string;
	readonly namespace: string;
	readonly name: string;
	readonly object?: unknown;
	/** An update or patch that changed nothing: no event came of it. */
	readonly idle?: boolean;
	readonly options?: DeleteOptions | undefined;
}

export interface FakeClient extends ApiClient {
	/** Puts an object in as given (uid, resourceVersion and creationTimestamp are filled in when absent). */
	add<T extends object>(object: T): KubeObject<T>;
	/** The object as stored, or undefined. */
	peek<T extends object>(resource: TypedResource<T>, key: string): KubeObject<T> | undefined;
	/** All objects of a resource in a namespace ("" for all), by key. */
	all<T extends object>(resource: TypedResource<T>, namespace?: string): KubeObject<T>[];
	/**
	 * Replaces an existing object by the given one without decoding or checking it, as another writer might have stored
	 * it.
	 */
	store<T extends object>(object: KubeObject<T>): void;
	/** While true, a watch-list does not say that it has sent all. */
	holdBookmarks(hold: boolean): void;
	/** Every change since the last `clearActions`. */
	readonly actions: readonly FakeAction[];
	clearActions(): void;
	/** The next call whose verb and resource match rejects with `error`, before it does anything. "*" matches all. */
	failNext(verb: string, resource: string, error: Error, times?: number): void;
	/** Cancels every `failNext` that no call has met yet. */
	clearFailures(): void;
	/** The same server for the code under test: refuses with 422 what a real server's validation refuses. */
	readonly checked: ApiClient;
	/** What `checked` refused, each as `create Pod ns/name: why`. */
	readonly refused: readonly string[];
	/** Ends every open watch as a broken connection does. */
	breakWatches(): void;
	/** Forgets the history: watches from an earlier version get 410. */
	compact(): void;
}

export interface FakeClientOptions {
	readonly clock: Clock;
	readonly random?: Random;
	readonly resources?: readonly TypedResource<object>[];
	/**
	 * How `sendInitialEvents` is handled: honoured, refused with upstream's error, or ignored as by old servers.
	 * Default "yes".
	 */
	readonly watchLists?: "yes" | "refused" | "ignored";
}

interface Change {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly table: string;
	readonly version: number;
	readonly object: Any;
	readonly previous: Any | undefined;
}

interface Table {
	readonly resource: TypedResource<object>;
	readonly objects: Map<string, Any>;
}

interface Failure {
	readonly verb: string;
	readonly resource: string;
	readonly error: Error;
	times: number;
}

const historyLimit = 10_000;
const withoutStatus = new Set(["configmaps", "secrets", "serviceaccounts", "events", "leases", "endpoints"]);

/** As if it had been on the wire: no undefined, nothing shared. */
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const withKind = (object: Any, { resource }: Table): Any => ({
	...object,
	apiVersion: object.apiVersion ?? apiVersionOf(resource),
	kind: object.kind ?? resource.kind,
});

/** Everything but metadata and status: what a generation counts. */
function specOf(object: Any): unknown {
	const { metadata: _m, status: _s, apiVersion: _a, kind: _k, ...rest } = object;
	return rest;
}

function isTerminal(pod: Any): boolean {
	const phase = (pod["status"] as { phase?: string } | undefined)?.phase;
	return isFinalPhase(phase);
}

function namespaceFinalizers(object: Any): readonly string[] {
	if (object.kind !== "Namespace") return [];
	return (object["spec"] as { finalizers?: string[] } | undefined)?.finalizers ?? [];
}

class FakeServer {
	readonly #clock: Clock;
	readonly #random: Random;
	readonly tables = new Map<string, Table>();
	readonly actions: FakeAction[] = [];
	readonly failures: Failure[] = [];
	readonly refused: string[] = [];
	readonly watchers = new Set<Watcher>();
	history: Change[] = [];
	compacted = 0;
	version = 1;
	holdsBookmarks = false;
	readonly watchLists: "yes" | "refused" | "ignored";
	#uids = 0;

	constructor(options: FakeClientOptions) {
		this.#clock = options.clock;
		this.watchLists = options.watchLists ?? "yes";
		this.#random = options.random ?? seededRandom(1);
		for (const resource of options.resources ?? builtinResources) {
			this.tables.set(resourceKey(resource), { resource, objects: new Map() });
		}
	}

	table(resource: GroupVersionResource): Table {
		const table = this.tables.get(resourceKey(resource));
		if (table === undefined) throw notFound(resource, "");
		return table;
	}

	tableOfKind(apiVersion: string, kind: string): Table {
		for (const table of this.tables.values()) {
			if (table.resource.kind === kind && apiVersionOf(table.resource) === apiVersion) return table;
		}
		throw new TypeError(`the fake serves no ${apiVersion} ${kind}`);
	}

	get(table: Table, namespace: string, name: string): Any {
		const object = table.objects.get(keyOf({ metadata: { namespace, name } }));
		if (object === undefined) throw notFound(table.resource, name);
		return object;
	}

	now = () => formatTime(this.#clock.now());

	newUid(): string {
		return `00000000-0000-4000-8000-${String(++this.#uids).padStart(12, "0")}`;
	}

	commit(table: Table, type: Change["type"], object: Any, previous: Any | undefined): Any {
		const version = ++this.version;
		object.metadata.resourceVersion = String(version);
		if (type === "DELETED") table.objects.delete(keyOf(object));
		else table.objects.set(keyOf(object), object);
		const change: Change = { type, table: resourceKey(table.resource), version, object, previous };
		this.history.push(change);
		if (this.history.length > historyLimit) this.compacted = this.history.shift()?.version ?? this.compacted;
		for (const watcher of this.watchers) watcher.offer(change);
		return object;
	}

	/** Throws 422 for what the server would refuse of a client's write. */
	check(verb: "create" | "update", given: Any, old: Any | undefined, subresource: string): void {
		if (subresource !== "" && subresource !== "status") return;
		const [object, before] = [given, old].map((it) => (it === undefined ? undefined : copy(it)));
		for (const it of [object, before]) if (it !== undefined) applyDefaults(it);
		const check = subresource === "status" ? validateStatusUpdate : validateUpdate;
		// An object that a test put in may be incomplete; errors it already had are not counted against this write.
		const known = new Set((before === undefined ? [] : check(before, before)).map((error) => error.field));
		const found = before === undefined ? validateCreate(object as Any) : check(object as Any, before);
		const errors = found.filter((error) => !known.has(error.field));
		if (errors.length === 0) return;
		const { namespace = "", name = "" } = given.metadata;
		const error = invalid("", given.kind, name, errors);
		this.refused.push(`${verb} ${given.kind} ${namespace}/${name}: ${error.message}`);
		throw error;
	}

	create(table: Table, namespace: string, given: object, isChecked = false): Any {
		const object = asStored(withKind(given as Any, table)) as Any;
		const metadata = (object.metadata ??= {} as Any["metadata"]);
		if (table.resource.namespaced) metadata.namespace ??= namespace;
		if ((metadata.name ?? "") === "") metadata.name = generateName(metadata.generateName ?? "", this.#random);
		if (table.objects.has(keyOf(object))) throw alreadyExists(table.resource, metadata.name ?? "");
		metadata.uid ??= this.newUid();
		metadata.creationTimestamp ??= this.now();
		metadata.generation ??= 1;
		if (isChecked) this.check("create", object, undefined, "");
		if (object.kind === "Namespace" && object["spec"] === undefined) object["spec"] = { finalizers: ["kubernetes"] };
		return this.commit(table, "ADDED", object, undefined);
	}

	update(table: Table, next: Any, subresource: string, isChecked = false): Any {
		const { namespace = "", name = "", resourceVersion, uid } = next.metadata;
		const current = this.get(table, namespace, name);
		if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
			throw modifiedConflict(table.resource, name);
		}
		if (uid !== undefined && uid !== current.metadata.uid) {
			const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
			throw conflict(table.resource, name, why);
		}
		const merged = this.#merge(current, asStored(withKind(next, table)) as Any, subresource);
		if (isChecked) this.check("update", merged, current, subresource);
		return this.#store(table, current, merged);
	}

	/** What an update through a subresource may change, and what it keeps. */
	#merge(current: Any, next: Any, subresource: string): Any {
		const kept = copy(current);
		if (subresource === "finalize") return { ...kept, spec: next["spec"] };
		if (subresource === "status")
			return { ...kept, ...(next["status"] === undefined ? {} : { status: next["status"] }) };
		const merged: Any = { ...next, apiVersion: kept.apiVersion, kind: kept.kind };
		merged.metadata = { ...next.metadata };
		for (const field of [
			"uid",
			"creationTimestamp",
			"generation",
			"deletionTimestamp",
			"deletionGracePeriodSeconds",
		] as const) {
			if (kept.metadata[field] === undefined) delete merged.metadata[field];
			else (merged.metadata as Record<string, unknown>)[field] = kept.metadata[field];
		}
		if (!withoutStatus.has(this.tableOfKind(kept.apiVersion, kept.kind).resource.resource)) {
			if (kept["status"] === undefined) delete merged["status"];
			else merged["status"] = kept["status"];
		}
		return merged;
	}

	#store(table: Table, current: Any, merged: Any): Any {
		const next = asStored(merged);
		next.metadata.resourceVersion = current.metadata.resourceVersion;
		if (deepEqual(next, current)) return current;
		if (!deepEqual(specOf(next), specOf(current))) next.metadata.generation = (current.metadata.generation ?? 1) + 1;
		const done = next.metadata.deletionTimestamp !== undefined && !this.#heldBack(next);
		return this.commit(table, done ? "DELETED" : "MODIFIED", next, current);
	}

	/** A deleted object stays while finalizers or its grace period hold it. */
	#heldBack(object: Any): boolean {
		if ((object.metadata.finalizers ?? []).length > 0 || namespaceFinalizers(object).length > 0) return true;
		return (object.metadata.deletionGracePeriodSeconds ?? 0) > 0;
	}

	delete(table: Table, namespace: string, name: string, options: DeleteOptions = {}): void {
		const current = this.get(table, namespace, name);
		const { uid, resourceVersion } = options.preconditions ?? {};
		if (uid !== undefined && uid !== current.metadata.uid) {
			const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
			throw conflict(table.resource, name, why);
		}
		if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
			throw conflict(table.resource, name, "Precondition failed: ResourceVersion");
		}
		const next = copy(current);
		const finalizers = new Set(next.metadata.finalizers ?? []);
		if (options.propagationPolicy !== undefined) {
			finalizers.delete("orphan");
			finalizers.delete("foregroundDeletion");
		}
		if (options.propagationPolicy === "Foreground") finalizers.add("foregroundDeletion");
		if (options.propagationPolicy === "Orphan") finalizers.add("orphan");
		next.metadata.finalizers = [...finalizers];
		if (finalizers.size === 0) delete next.metadata.finalizers;
		const grace = this.#grace(current, options);
		next.metadata.deletionTimestamp ??= formatTime(this.#clock.now() + grace * 1000);
		next.metadata.deletionGracePeriodSeconds = Math.min(next.metadata.deletionGracePeriodSeconds ?? grace, grace);
		if (next.kind === "Namespace") next["status"] = { ...(next["status"] as object | undefined), phase: "Terminating" };
		if (!this.#heldBack(next)) this.commit(table, "DELETED", next, current);
		else this.#store(table, current, next);
	}

	/** Only a pod on a node that still runs is deleted gracefully. */
	#grace(object: Any, options: DeleteOptions): number {
		const spec = object["spec"] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
		if (object.kind !== "Pod" || (spec?.nodeName ?? "") === "" || isTerminal(object)) return 0;
		return options.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;
	}

	list(table: Table, namespace: string, options: ListOptions): KubeList {
		const items = [...table.objects.values()].filter((o) => selected(o, namespace, options));
		items.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
		const [version, after = ""] = JSON.parse(options.continue ?? `[${this.version}]`) as [number, string?];
		if (version < this.compacted)
			throw expired("The provided continue parameter is too old to display a consistent list result.");
		const rest = items.filter((item) => keyOf(item) > after);
		// As kube-apiserver's watch cache: with version 0 the limit does not count.
		const limit = options.resourceVersion === "0" ? 0 : (options.limit ?? 0);
		const page = limit > 0 ? rest.slice(0, limit) : rest;
		const last = page.at(-1);
		const token =
			last !== undefined && page.length < rest.length ? { continue: JSON.stringify([version, keyOf(last)]) } : {};
		return {
			apiVersion: apiVersionOf(table.resource),
			kind: `${table.resource.kind}List`,
			metadata: { resourceVersion: String(version), ...token },
			items: page.map((item) => options.keep?.(copy(item)) ?? copy(item)) as Any[],
		};
	}

	/** Throws what a test asked this call to fail with. */
	trip(verb: string, resource: string): void {
		const at = this.failures.findIndex(
			(f) => (f.verb === "*" || f.verb === verb) && (f.resource === "*" || f.resource === resource),
		);
		const failure = this.failures[at];
		if (failure === undefined) return;
		if (--failure.times <= 0) this.failures.splice(at, 1);
		throw failure.error;
	}
}

function selected(object: Any, namespace: string, options: ListOptions): boolean {
	if (namespace !== "" && object.metadata.namespace !== namespace) return false;
	if (!parseLabelSelector(options.labelSelector).matches(object.metadata.labels)) return false;
	const fields = parseFieldSelector(options.fieldSelector);
	return fields.matches(Object.fromEntries(fields.terms.map(({ field }) => [field, fieldOf(object, field)])));
}

/** The text of the field at `path`; "" where it is absent. */
function fieldOf(object: Any, path: string): string {
	let value: unknown = object;
	for (const part of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[part];
	return String(value ?? "");
}

/** One watch: turns changes into what its selectors let it see. */
class Watcher {
	readonly #queue: WatchStreamEvent<Record<string, unknown>>[] = [];
	readonly #table: string;
	readonly #namespace: string;
	readonly #options: ListOptions;
	#wake: (() => void) | undefined;
	#ended: Error | true | undefined;

	constructor(table: string, namespace: string, options: ListOptions) {
		this.#table = table;
		this.#namespace = namespace;
		this.#options = options;
	}

	offer(change: Change): void {
		if (change.table !== this.#table) return;
		const is = change.type !== "DELETED" && selected(change.object, this.#namespace, this.#options);
		const was = selected(change.previous ?? change.object, this.#namespace, this.#options) && change.type !== "ADDED";
		if (!is && !was) return;
		const type = is ? (was ? "MODIFIED" : "ADDED") : "DELETED";
		this.#queue.push({ type, object: copy(change.object) });
		this.#wake?.();
	}

	end(reason: Error | true): void {
		this.#ended ??= reason;
		this.#wake?.();
	}

	async *events(): AsyncGenerator<WatchStreamEvent<Record<string, unknown>>> {
		for (;;) {
			const event = this.#queue.shift();
			if (event !== undefined) {
				yield event;
				continue;
			}
			if (this.#ended === true) return;
			if (this.#ended !== undefined) throw this.#ended;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}
}

/** The discovery documents of `/api`, `/apis` and each group version. */
function discoveryDocument(path: string, resources: readonly TypedResource<object>[]): unknown {
	const groups = new Map<string, Set<string>>();
	for (const { group, version } of resources) groups.set(group, (groups.get(group) ?? new Set()).add(version));
	if (path === "/api") return { kind: "APIVersions", versions: [...(groups.get("") ?? [])] };
	if (path === "/apis") {
		const list = [...groups].filter(([group]) => group !== "");
		return {
			kind: "APIGroupList",
			apiVersion: "v1",
			groups: list.map(([name, versions]) => {
				const all = [...versions].map((version) => ({ groupVersion: `${name}/${version}`, version }));
				return { name, versions: all, preferredVersion: all[0] };
			}),
		};
	}
	const groupVersion = path.replace(/^\/apis?\//, "");
	const mine = resources.filter((r) => apiVersionOf(r) === groupVersion);
	if (mine.length === 0) return undefined;
	const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
	return {
		kind: "APIResourceList",
		apiVersion: "v1",
		groupVersion,
		resources: mine.map(({ resource, kind, namespaced }) => ({
			name: resource,
			kind,
			namespaced,
			singularName: "",
			verbs,
		})),
	};
}

function resourceClient<T extends object>(
	server: FakeServer,
	resource: GroupVersionResource,
	isChecked: boolean,
): ResourceClient<T> {
	const named = resource.resource;
	const record = (verb: FakeAction["verb"], namespace: string, name: string, more: Partial<FakeAction> = {}) =>
		void server.actions.push({ verb, resource: named, subresource: "", namespace, name, ...more });
	const answer = (object: Any) => copy(object) as unknown as KubeObject<T>;
	return {
		resource,
		async get(namespace, name) {
			server.trip("get", named);
			return answer(server.get(server.table(resource), namespace, name));
		},
		async list(namespace, options = {}) {
			server.trip("list", named);
			return server.list(server.table(resource), namespace, options) as unknown as KubeList<T>;
		},
		watch: (namespace, options, signal) => watch<T>(server, resource, namespace, options, signal),
		async create(namespace, object, subresource) {
			server.trip("create", named);
			const table = server.table(resource);
			if (subresource !== undefined) {
				record("create", namespace, subresource.of, { subresource: subresource.name, object: copy(object) });
				return createSubresource(server, table, namespace, subresource, object) as unknown as KubeObject<T>;
			}
			const created = server.create(table, namespace, object, isChecked);
			record("create", namespace, created.metadata.name ?? "", { object: copy(created) });
			return answer(created);
		},
		async update(object, subresource = "") {
			server.trip("update", named);
			const { namespace = "", name = "" } = object.metadata;
			const before = server.version;
			const updated = server.update(server.table(resource), object as unknown as Any, subresource, isChecked);
			record("update", namespace, name, { subresource, object: copy(object), idle: server.version === before });
			return answer(updated);
		},
		async patch(namespace, name, type, patch, subresource = "") {
			server.trip("patch", named);
			const table = server.table(resource);
			const current = server.get(table, namespace, name);
			const next = applyFakePatch(type, table.resource, copy(current), copy(patch)) as Any;
			const before = server.version;
			const updated = server.update(table, next, subresource, isChecked);
			record("patch", namespace, name, { subresource, object: copy(patch), idle: server.version === before });
			return answer(updated);
		},
		async delete(namespace, name, options) {
			server.trip("delete", named);
			server.delete(server.table(resource), namespace, name, options);
			record("delete", namespace, name, { options });
		},
		async deleteCollection(namespace, list, options) {
			server.trip("deletecollection", named);
			const table = server.table(resource);
			record("deletecollection", namespace, "", { options });
			for (const item of server.list(table, namespace, list).items) {
				server.delete(table, item.metadata.namespace ?? "", item.metadata.name ?? "", options);
			}
		},
	};
}

function createSubresource(
	server: FakeServer,
	table: Table,
	namespace: string,
	subresource: { readonly name: string; readonly of: string },
	object: object,
): object {
	const current = server.get(table, namespace, subresource.of);
	if (subresource.name === "binding") {
		const target = (object as { target?: { name?: string } }).target?.name;
		const spec = current["spec"] as Record<string, unknown>;
		if (spec["nodeName"]) {
			throw conflict(
				table.resource,
				subresource.of,
				`pod ${subresource.of} is already assigned to node "${spec["nodeName"]}"`,
			);
		}
		const next = copy(current);
		next["spec"] = { ...spec, nodeName: target };
		server.commit(table, "MODIFIED", next, current);
	} else if (subresource.name === "eviction") {
		server.delete(table, namespace, subresource.of, (object as { deleteOptions?: DeleteOptions }).deleteOptions);
	} else {
		throw methodNotAllowed();
	}
	return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

async function* watch<T extends object>(
	server: FakeServer,
	resource: GroupVersionResource,
	namespace: string,
	options: WatchOptions,
	signal: AbortSignal,
): AsyncGenerator<WatchStreamEvent<T>> {
	server.trip("watch", resource.resource);
	const table = server.table(resource);
	if (options.sendInitialEvents === true && server.watchLists !== "yes") {
		if (server.watchLists === "refused") {
			const text = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
			throw new ApiError(
				422,
				"Invalid",
				`ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: ${text}`,
			);
		}
		return yield* watch<T>(server, resource, namespace, { ...options, sendInitialEvents: undefined }, signal);
	}
	const from = options.sendInitialEvents === true ? 0 : Number(options.resourceVersion ?? "0");
	if (from !== 0 && from < server.compacted) {
		throw expired(`too old resource version: ${from} (${server.compacted})`);
	}
	const watcher = new Watcher(resourceKey(resource), namespace, options);
	for (const change of server.history) if (from !== 0 && change.version > from) watcher.offer(change);
	server.watchers.add(watcher);
	const onAbort = () => watcher.end(true);
	signal.addEventListener("abort", onAbort, { once: true });
	try {
		if (options.sendInitialEvents === true) yield* initialEvents<T>(server, table, namespace, options);
		yield* watcher.events() as AsyncGenerator<WatchStreamEvent<T>>;
	} finally {
		signal.removeEventListener("abort", onAbort);
		server.watchers.delete(watcher);
	}
}

function* initialEvents<T extends object>(
	server: FakeServer,
	table: Table,
	namespace: string,
	options: ListOptions,
): Generator<WatchStreamEvent<T>> {
	const { apiVersion, kind, metadata, items } = server.list(table, namespace, { ...options, limit: undefined });
	for (const object of items) yield { type: "ADDED", object: object as unknown as KubeObject<T> };
	if (server.holdsBookmarks) return;
	const annotations = { "k8s.io/initial-events-end": "true" };
	const bookmark = { apiVersion, kind: kind.replace(/List$/, ""), metadata: { ...metadata, annotations } };
	yield { type: "BOOKMARK", object: bookmark as unknown as KubeObject<T> };
}

/** A cluster's API in memory, empty at first. */
export function createFakeClient(options: FakeClientOptions): FakeClient {
	const server = new FakeServer(options);
	const resources = options.resources ?? builtinResources;
	const client = (isChecked: boolean): ApiClient => ({
		resource: <T extends object>(resource: GroupVersionResource) => resourceClient<T>(server, resource, isChecked),
		async raw(method, path) {
			const document = method === "GET" ? discoveryDocument(path, resources) : undefined;
			if (document !== undefined) return { status: 200, body: Buffer.from(JSON.stringify(document)) };
			const status = notFound({ group: "", resource: "" }, path).toStatus();
			return { status: 404, body: Buffer.from(JSON.stringify(status)) };
		},
		async close() {
			for (const watcher of server.watchers) watcher.end(true);
		},
	});
	return {
		...client(false),
		checked: client(true),
		add<T extends object>(object: T) {
			const { apiVersion = "", kind = "", metadata } = object as unknown as Any;
			const table = server.tableOfKind(apiVersion, kind);
			return copy(server.create(table, metadata.namespace ?? "default", object)) as unknown as KubeObject<T>;
		},
		store<T extends object>(object: KubeObject<T>) {
			const stored = copy(object) as unknown as Any;
			const table = server.tableOfKind(stored.apiVersion, stored.kind);
			server.commit(table, "MODIFIED", stored, table.objects.get(keyOf(stored)));
		},
		holdBookmarks(hold) {
			server.holdsBookmarks = hold;
		},
		peek<T extends object>(resource: TypedResource<T>, key: string) {
			const object = server.table(resource).objects.get(key);
			return object === undefined ? undefined : (copy(object) as unknown as KubeObject<T>);
		},
		all<T extends object>(resource: TypedResource<T>, namespace = "") {
			return server.list(server.table(resource), namespace, {}).items as unknown as KubeObject<T>[];
		},
		get actions() {
			return server.actions;
		},
		get refused() {
			return server.refused;
		},
		clearActions: () => void server.actions.splice(0),
		failNext(verb, resource, error: Error, times = 1) {
			server.failures.push({ verb, resource, error, times });
		},
		clearFailures: () => void server.failures.splice(0),
		breakWatches() {
			for (const watcher of server.watchers) watcher.end(new Error("connection reset"));
		},
		compact() {
			server.compacted = server.version;
			server.history = [];
		},
	};
}
