/** DELETE and DELETECOLLECTION: preconditions, grace, finalizers, and what is left to the garbage collector. */

import { append } from "../../kit/lists.ts";
import type { UserInfo } from "../authn/types.ts";
import { Entry } from "../cache/entry.ts";
import { conflict, notFound } from "../machinery/errors.ts";
import { deepClone, formatTime } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { DeleteOptions } from "../scheme/types.gen.ts";
import type { Change, StoredObject } from "../storage/objects.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import { canonicalMeta } from "./before.ts";
import type { Scope, Services } from "./context.ts";
import { objectKey } from "./keys.ts";
import { listPage } from "./list.ts";
import { readListOptions } from "./query.ts";
import { readCached } from "./read.ts";
import { sendList, sendStatus, sendStored } from "./respond.ts";
import type { Strategy } from "./strategy.ts";
import { decodeView, encodeView } from "./views.ts";
import { readDeleteOptions } from "./write-options.ts";

const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";

export interface DeleteRequest {
	readonly resource: ResourceInfo;
	readonly namespace: string;
	readonly name: string;
	readonly user: UserInfo;
	readonly options: DeleteOptions;
	readonly warnings: string[];
	/** Throws ApiError to refuse, given the object as it is. */
	readonly check?: ((object: KubeObject) => void) | undefined;
}

export interface Deleted {
	/** False: marked, and still there until what holds it lets go. */
	readonly gone: boolean;
	readonly object: KubeObject;
	readonly bytes: Buffer;
	readonly revision: number;
}

export async function deleteObject(scope: Scope): Promise<void> {
	const { services, resource, name } = scope;
	const options = await readDeleteOptions(scope);
	const deleted = await remove(services, { ...scope, options });
	const strategy = services.strategyOf(resource);
	if (deleted.gone && !strategy.returnsDeleted) {
		sendStatus(scope, 200, {
			name,
			group: resource.group,
			kind: resource.resource,
			uid: deleted.object.metadata.uid ?? "",
		});
		return;
	}
	const status = !deleted.gone && options.orphanDependents === false ? 202 : 200;
	sendStored(scope, status, deleted.bytes, deleted.revision);
}

/** Deletes or marks one object. Throws ApiError. */
export async function remove(services: Services, request: DeleteRequest): Promise<Deleted> {
	const { resource, namespace, name, options } = request;
	const key = objectKey(services.root, resource, namespace, name);
	const dryRun = (options.dryRun?.length ?? 0) > 0;
	const strategy = services.strategyOf(resource);
	let seen: KubeObject | undefined;
	let shown: KubeObject | undefined;
	const change = async (current: StoredObject): Promise<Change> => {
		const object = decodeView(resource, current.bytes, current.revision);
		seen = object;
		checkPreconditions(request, object);
		request.check?.(object);
		const subject = {
			operation: "DELETE" as const,
			resource,
			subresource: "",
			namespace,
			name,
			user: request.user,
			dryRun,
			warnings: request.warnings,
		};
		await admitMutating(services, { ...subject, oldObject: object });
		await admitValidating(services, { ...subject, oldObject: object });
		const decided = decide(services, strategy, resource, object, options);
		shown = decided.marked;
		return decided.change;
	};
	const bytesOf = (kind: Change["kind"], stored: Buffer) =>
		kind === "delete" && shown !== undefined ? encodeView(resource, shown) : stored;
	if (dryRun) {
		const current = await services.storage.get(key);
		if (current === undefined) throw notFound(resource, name);
		const decided = await change(current);
		const bytes = decided.kind === "put" ? decided.bytes : bytesOf(decided.kind, current.bytes);
		return { gone: decided.kind === "delete", object: seen as KubeObject, bytes, revision: current.revision };
	}
	const outcome = await services.storage.update(key, readCached(services, resource, namespace, name), change);
	if (outcome === undefined) throw notFound(resource, name);
	const object = seen as KubeObject;
	if (outcome.kind === "delete") await strategy.released?.({ dryRun }, object, undefined);
	append(request.warnings, strategy.warnOnDelete?.(object, options) ?? []);
	const revision = outcome.kind === "delete" ? outcome.revision : outcome.object.revision;
	return { gone: outcome.kind === "delete", object, bytes: bytesOf(outcome.kind, outcome.object.bytes), revision };
}

/** Throws ApiError 409. */
export function checkPreconditions(
	{ resource, name, options }: Pick<DeleteRequest, "resource" | "name" | "options">,
	object: KubeObject,
): void {
	const { uid, resourceVersion } = options.preconditions ?? {};
	const { metadata } = object;
	// Upstream names the kind here, and not the resource.
	const refuse = (why: string) => conflict({ group: resource.group, resource: resource.kind }, name, why);
	if (uid !== undefined && uid !== null && uid !== metadata.uid) {
		throw refuse(
			`the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
		);
	}
	if (resourceVersion !== undefined && resourceVersion !== null && resourceVersion !== metadata.resourceVersion) {
		throw refuse(
			`the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
		);
	}
}

interface Decided {
	readonly change: Change;
	/** What its client is shown of an object that goes at once though its kind knows grace: with the marks of its going. */
	readonly marked?: KubeObject;
}

/** What becomes of the object: gone at once, marked, or left as it is because it is marked already. */
function decide(
	services: Services,
	strategy: Strategy,
	resource: ResourceInfo,
	object: KubeObject,
	options: DeleteOptions,
): Decided {
	const next = deepClone(object);
	const grace = applyGrace(services, strategy, next, options);
	if (grace === "pending") return { change: { kind: "keep" } };
	setFinalizers(next, strategy, options);
	const held = (next.metadata.finalizers?.length ?? 0) > 0 || strategy.heldBack?.(next) === true;
	if (grace === "none") {
		if (!held) return { change: { kind: "delete" } };
		mark(services, next, 0);
	} else if (grace === 0 && !held) {
		next.metadata = canonicalMeta(next.metadata);
		return { change: { kind: "delete" }, marked: next };
	}
	strategy.markDeleted?.(next);
	next.metadata = canonicalMeta(next.metadata);
	return { change: { kind: "put", bytes: encodeView(resource, next) } };
}

/** Marks the object where its kind knows grace; a second deletion may only shorten it (rest.BeforeDelete). */
function applyGrace(
	services: Services,
	strategy: Strategy,
	object: KubeObject,
	options: DeleteOptions,
): number | "none" | "pending" {
	const { metadata } = object;
	if (strategy.gracePeriod === undefined) return "none";
	if ((metadata.deletionTimestamp ?? "") === "") {
		const grace = strategy.gracePeriod(object, options);
		if (grace === undefined) return "none";
		mark(services, object, grace);
		return grace;
	}
	const before = metadata.deletionGracePeriodSeconds;
	if (before === undefined) return "none";
	const wanted = options.gracePeriodSeconds;
	if (wanted === undefined || wanted === null || wanted >= before) {
		return before === 0 && (metadata.finalizers?.length ?? 0) === 0 ? 0 : "pending";
	}
	const period = Math.max(0, wanted);
	const deadline = Date.parse(metadata.deletionTimestamp as string) - before * 1000 + period * 1000;
	metadata.deletionTimestamp = formatTime(deadline);
	metadata.deletionGracePeriodSeconds = period;
	return period;
}

/** The last second that RFC 3339 can tell; a grace may reach beyond it. */
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Sets when the object is to go, unless it is set already. */
function mark(services: Services, object: KubeObject, graceSeconds: number): void {
	const { metadata } = object;
	if ((metadata.deletionTimestamp ?? "") === "") {
		metadata.deletionTimestamp = formatTime(Math.min(lastMs, services.clock.now() + graceSeconds * 1000));
		if ((metadata.generation ?? 0) > 0) metadata.generation = (metadata.generation ?? 0) + 1;
	}
	metadata.deletionGracePeriodSeconds = graceSeconds;
}

/** The garbage collector's finalizers, as the propagation policy wants them. */
function setFinalizers(object: KubeObject, strategy: Strategy, options: DeleteOptions): void {
	const before = object.metadata.finalizers ?? [];
	const others = before.filter((f) => f !== orphanFinalizer && f !== foregroundFinalizer);
	const wanted = propagationOf(before, strategy, options);
	if (wanted === "orphan") others.push(orphanFinalizer);
	if (wanted === "foreground") others.push(foregroundFinalizer);
	object.metadata.finalizers = others;
}

function propagationOf(
	finalizers: readonly string[],
	strategy: Strategy,
	options: DeleteOptions,
): "orphan" | "foreground" | "background" {
	switch (options.propagationPolicy) {
		case "Orphan":
			return "orphan";
		case "Foreground":
			return "foreground";
		case "Background":
			return "background";
		default:
			if (options.orphanDependents !== undefined) return options.orphanDependents ? "orphan" : "background";
			if (finalizers.includes(orphanFinalizer)) return "orphan";
			if (finalizers.includes(foregroundFinalizer)) return "foreground";
			return strategy.orphansByDefault ? "orphan" : "background";
	}
}

/** Deletions of a collection that run at the same time. */
const parallel = 10;

export async function deleteCollection(scope: Scope): Promise<void> {
	const { services, resource } = scope;
	const listOptions = readListOptions(scope.request.query, resource, false);
	const options = await readDeleteOptions(scope);
	const page = await listPage(scope, listOptions);
	const waiting = [...page.entries];
	const deleted: Entry[] = [];
	const worker = async () => {
		for (let entry = waiting.shift(); entry !== undefined && !scope.signal.aborted; entry = waiting.shift()) {
			const done = await removeListed(scope, options, entry);
			if (done !== undefined) deleted.push(done);
		}
	};
	await Promise.all(Array.from({ length: parallel }, worker));
	deleted.sort((a, b) => (a.key < b.key ? -1 : 1));
	await sendList(scope, {
		revision: page.revision,
		entries: deleted,
		continueToken: "",
		remainingItemCount: undefined,
	});
	services.log.debug("deleted collection", {
		resource: resource.resource,
		namespace: scope.namespace,
		count: deleted.length,
	});
}

/** Undefined when somebody else deleted it first. */
async function removeListed(scope: Scope, options: DeleteOptions, entry: Entry): Promise<Entry | undefined> {
	const { services, resource } = scope;
	const path = entry.key.slice(services.root.length + resource.storagePrefix.length + 1);
	const slash = resource.namespaced ? path.indexOf("/") : -1;
	try {
		const done = await remove(services, {
			...scope,
			namespace: slash < 0 ? "" : path.slice(0, slash),
			name: path.slice(slash + 1),
			options,
		});
		return new Entry(entry.key, done.bytes, done.revision, 0n);
	} catch (error) {
		if ((error as { reason?: string }).reason === "NotFound") return undefined;
		throw error;
	}
}
