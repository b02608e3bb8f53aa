/**
 * Deletes what has lost its owners, carries out foreground deletion (dependents first) and orphaning. The graph only
 * suggests; every decision is taken on the live object and its live owners, and holds for that uid only.
 */
import { apiVersionOf, resourceKey } from "../../../apiserver/client/resources.ts";
import type { DeleteOptions, Informer } from "../../../apiserver/client/types.ts";
import type { GroupVersionResource, KubeObject } from "../../../apiserver/scheme/object.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";
import { sleep, type Timer } from "../../../kit/clock.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	errorText,
	forEachLimited,
	ignoringNotFound,
	isInvalid,
	isNotFound,
} from "../controller.ts";
import { type DiscoveredResource, discover, supports } from "../discovery.ts";
import { foregroundFinalizer, type GraphNode, type Identity, OwnerGraph, orphanFinalizer } from "./graph.ts";

const resyncMs = 30_000;
const syncWaitMs = 30_000;
const maxAbsent = 500;
const orphansAtOnce = 20;

type Live = KubeObject<object>;

/** Events are many, short-lived and own nothing. */
const isIgnored = (r: GroupVersionResource): boolean =>
	r.resource === "events" && (r.group === "" || r.group === "events.k8s.io");

/** How an object's owners stand. */
interface Owners {
	readonly solid: OwnerReference[];
	readonly dangling: OwnerReference[];
	readonly waiting: OwnerReference[];
}

/** The garbage-collector controller. */
export function createGarbageCollector(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const logger = ctx.logger.with({ controller: "garbage-collector" });
	const recorder = ctx.recorder("garbage-collector-controller");
	const kinds = new Map<string, DiscoveredResource>();
	const monitored = new Map<string, { readonly resource: DiscoveredResource; readonly informer: Informer<object> }>();
	/** Uids known to be gone, the latest last. */
	const absent = new Set<string>();
	const deleting = controllerQueue(ctx, "garbage-collector-attempt-to-delete", attemptToDelete, 20);
	const orphaning = controllerQueue(ctx, "garbage-collector-attempt-to-orphan", attemptToOrphan, 20);
	const graph = new OwnerGraph(
		{ toDelete: (uid) => deleting.add(uid), toOrphan: (uid) => orphaning.add(uid) },
		(apiVersion, kind) => {
			const resource = kinds.get(`${apiVersion} ${kind}`);
			return resource === undefined ? undefined : { resource, namespaced: resource.namespaced };
		},
	);
	let timer: Timer | undefined;
	const stopping = new AbortController();

	/** Follows what the server has: informers for new resources, none for those that are gone. */
	async function resync(): Promise<void> {
		const { resources, failures } = await discover(client);
		for (const resource of resources) kinds.set(`${apiVersionOf(resource)} ${resource.kind}`, resource);
		const wanted = resources.filter((r) => supports(r, "list", "watch", "delete") && !isIgnored(r));
		for (const resource of wanted) if (!monitored.has(resourceKey(resource))) monitor(resource);
		// What could not be discovered is not known to be gone.
		if (failures.size > 0) return;
		const keys = new Set(wanted.map(resourceKey));
		for (const [key, { resource }] of monitored) {
			if (keys.has(key)) continue;
			ctx.informers.drop(resource);
			monitored.delete(key);
			kinds.delete(`${apiVersionOf(resource)} ${resource.kind}`);
		}
	}

	function monitor(resource: DiscoveredResource): void {
		const informer = ctx.informers.informer<object>(resource, { metadataOnly: true });
		monitored.set(resourceKey(resource), { resource, informer });
		informer.addHandlers({
			onAdd: (object) => graph.observe(resource, object),
			onUpdate: (_, object) => graph.observe(resource, object),
			onDelete(object) {
				remember(object.metadata.uid ?? "");
				graph.remove(object.metadata.uid ?? "");
			},
		});
	}

	function remember(uid: string): void {
		absent.add(uid);
		if (absent.size <= maxAbsent) return;
		const oldest = absent.values().next();
		if (oldest.done !== true) absent.delete(oldest.value);
	}

	/** The object itself; undefined when it is gone, or another has its name. */
	async function live(identity: Identity): Promise<Live | undefined> {
		if (identity.resource === undefined) throw new Error(`no resource for ${identity.apiVersion} ${identity.kind}`);
		const found = await ignoringNotFound(client.resource(identity.resource).get(identity.namespace, identity.name));
		return found?.metadata.uid === identity.uid ? found : undefined;
	}

	async function attemptToDelete(uid: string): Promise<void> {
		const node = graph.get(uid);
		if (node === undefined || (node.beingDeleted && !node.deletingDependents)) return;
		if (node.identity.resource === undefined) return resolveLater(node);
		const object = await live(node.identity);
		if (object === undefined) {
			remember(uid);
			graph.remove(uid);
			return;
		}
		if (node.virtual) return; // it exists: its informer will show it
		if (node.deletingDependents) return awaitDependents(node, object);
		const references = object.metadata.ownerReferences ?? [];
		if (references.length === 0 || object.metadata.deletionTimestamp !== undefined) return;
		const owners = await classify(references, node);
		if (owners.solid.length > 0) return dropReferences(node, object, [...owners.dangling, ...owners.waiting]);
		if (owners.waiting.length > 0 && node.dependents.size > 0) {
			return deleteForeground(node, object, references);
		}
		return remove(node, object, policyOf(object));
	}

	/** The kind may be served later (a definition that is still being established). */
	function resolveLater(node: GraphNode): void {
		const { apiVersion, kind, uid, namespace } = node.identity;
		const resource = kinds.get(`${apiVersion} ${kind}`);
		if (resource === undefined) {
			deleting.addAfter(uid, resyncMs);
			return;
		}
		node.identity = { ...node.identity, resource, namespace: resource.namespaced ? namespace : "" };
		deleting.add(uid);
	}

	const policyOf = (object: Live): DeleteOptions["propagationPolicy"] => {
		const finalizers = object.metadata.finalizers ?? [];
		if (finalizers.includes(orphanFinalizer)) return "Orphan";
		return finalizers.includes(foregroundFinalizer) ? "Foreground" : "Background";
	};

	/** Every owner is looked at live: solid, gone, or waiting for its dependents to go. */
	async function classify(references: readonly OwnerReference[], node: GraphNode): Promise<Owners> {
		const owners: Owners = { solid: [], dangling: [], waiting: [] };
		for (const reference of references) {
			const { uid = "", name = "", apiVersion = "", kind = "" } = reference;
			if (absent.has(uid)) {
				owners.dangling.push(reference);
				continue;
			}
			const resource = kinds.get(`${apiVersion} ${kind}`);
			if (resource === undefined) throw new Error(`unable to get REST mapping for ${apiVersion}/${kind}`);
			const { namespace: own } = node.identity;
			if (resource.namespaced && own === "") {
				const text = `ownerRef [${apiVersion}/${kind}, name: ${name}, uid: ${uid}] is namespaced, the object is not`;
				recorder.event(referenceOf(node.identity), "Warning", "OwnerRefInvalidNamespace", text);
				owners.solid.push(reference);
				continue;
			}
			const owner = await live({ uid, name, apiVersion, kind, resource, namespace: resource.namespaced ? own : "" });
			if (owner === undefined) {
				remember(uid);
				owners.dangling.push(reference);
			} else if (isWaiting(owner)) owners.waiting.push(reference);
			else owners.solid.push(reference);
		}
		return owners;
	}

	const isWaiting = (object: Live): boolean =>
		object.metadata.deletionTimestamp !== undefined &&
		object.metadata.finalizers?.includes(foregroundFinalizer) === true;

	const referenceOf = ({ apiVersion, kind, name, namespace, uid }: Identity) => ({
		apiVersion,
		kind,
		name,
		namespace,
		uid,
	});

	async function patch(node: GraphNode, metadata: object): Promise<void> {
		const { resource, namespace, name, uid } = node.identity;
		if (resource === undefined) return;
		await ignoringNotFound(
			client.resource(resource).patch(namespace, name, "merge", { metadata: { uid, ...metadata } }),
		);
	}

	async function dropReferences(node: GraphNode, object: Live, gone: readonly OwnerReference[]): Promise<void> {
		if (gone.length === 0) return;
		const uids = new Set(gone.map((reference) => reference.uid));
		const ownerReferences = (object.metadata.ownerReferences ?? []).filter((reference) => !uids.has(reference.uid));
		await patch(node, { resourceVersion: object.metadata.resourceVersion, ownerReferences });
	}

	/** Its owner waits for it, and it has dependents itself: they go first. */
	async function deleteForeground(node: GraphNode, object: Live, references: readonly OwnerReference[]): Promise<void> {
		// Of a circle of such objects none would ever go: one stops blocking its owner.
		if ([...node.dependents].some((dependent) => dependent.deletingDependents)) {
			const ownerReferences = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
			await patch(node, { resourceVersion: object.metadata.resourceVersion, ownerReferences });
		}
		await remove(node, object, "Foreground");
	}

	async function remove(node: GraphNode, object: Live, policy: DeleteOptions["propagationPolicy"]): Promise<void> {
		const { resource, namespace, name, uid } = node.identity;
		if (resource === undefined) return;
		const { resourceVersion = "" } = object.metadata;
		logger.info("deleting object", { kind: node.identity.kind, namespace, name, policy });
		const preconditions = { uid, resourceVersion };
		await ignoringNotFound(
			client.resource(resource).delete(namespace, name, { propagationPolicy: policy, preconditions }),
		);
	}

	/** Foreground deletion: with the last blocking dependent gone, the object itself may go. */
	async function awaitDependents(node: GraphNode, object: Live): Promise<void> {
		const blocking = graph.blocking(node);
		if (blocking.length > 0) {
			for (const dependent of blocking) if (!dependent.deletingDependents) deleting.add(dependent.identity.uid);
			return;
		}
		await removeFinalizer(node, object, foregroundFinalizer);
	}

	async function removeFinalizer(node: GraphNode, object: Live, finalizer: string): Promise<void> {
		const before = object.metadata.finalizers ?? [];
		if (!before.includes(finalizer)) return;
		const finalizers = before.filter((name) => name !== finalizer);
		await patch(node, { resourceVersion: object.metadata.resourceVersion, finalizers });
	}

	async function attemptToOrphan(uid: string): Promise<void> {
		const node = graph.get(uid);
		if (node === undefined) return;
		await forEachLimited([...node.dependents], orphansAtOnce, (dependent) => letGo(dependent, uid));
		const object = await live(node.identity);
		if (object !== undefined) await removeFinalizer(node, object, orphanFinalizer);
	}

	async function letGo(dependent: GraphNode, owner: string): Promise<void> {
		try {
			const object = await live(dependent.identity);
			if (object === undefined) return;
			const references = object.metadata.ownerReferences ?? [];
			const gone = references.filter((reference) => reference.uid === owner);
			await dropReferences(dependent, object, gone);
		} catch (error) {
			if (!isNotFound(error) && !isInvalid(error)) throw error;
		}
	}

	/**
	 * Work begins when the graph is whole, or, should a resource not be readable, after a while without it: what the graph
	 * lacks costs requests and completeness, never correctness, since owners are looked at live.
	 */
	async function loop(): Promise<void> {
		try {
			await resync();
			await Promise.race([
				Promise.all([...monitored.values()].map(({ informer }) => informer.whenSynced())),
				sleep(clock, syncWaitMs, stopping.signal),
			]);
			deleting.start();
			orphaning.start();
		} catch (error) {
			if (!stopping.signal.aborted) logger.warn("cannot follow the server's resources", { error: errorText(error) });
		}
		if (!stopping.signal.aborted) timer = clock.after(resyncMs, () => void loop());
	}

	return {
		name: "garbage-collector",
		queues: [deleting, orphaning],
		start: () => void loop(),
		stop() {
			stopping.abort(new Error("stopping"));
			timer?.cancel();
			deleting.stop();
			orphaning.stop();
		},
	};
}
