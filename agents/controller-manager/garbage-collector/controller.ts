/**
 * Deletes what has lost its owners, carries out foreground deletion (dependents first) and orphaning. The graph only
 * suggests; every decision is taken on the live object and its live owners, and holds for that uid only. An owner is
 * known by its whole reference: who names a uid with another kind, namespace or name has no owner there, and says
 * nothing about the object that has the uid.
 */
import { apiVersionOf, resourceKey } from "../../../apiserver/client/resources.ts";
import type { DeleteOptions, Informer } from "../../../apiserver/client/types.ts";
import type { Requeue } from "../../../apiserver/client/workqueue.ts";
import { wouldChange } from "../../../apiserver/client/written.ts";
import type { GroupVersionResource } from "../../../apiserver/scheme/object.ts";
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
import {
	claimsAbout,
	foregroundFinalizer,
	type GraphNode,
	type Identity,
	OwnerGraph,
	orphanFinalizer,
	referenceKey,
} from "./graph.ts";
import { type Live, OwnerFinder } from "./owners.ts";

const resyncMs = 30_000;
const syncWaitMs = 30_000;
/** How soon to ask again what could not be told. */
const unknownMs = 30_000;
/** How soon to look for an object that exists and was not seen yet. */
const unseenMs = 5_000;
const orphansAtOnce = 20;

/** Events are many, short-lived and own nothing. */
const isIgnored = (r: GroupVersionResource): boolean =>
	r.resource === "events" && (r.group === "" || r.group === "events.k8s.io");

/** One name for a resource in all its versions. */
const groupResource = ({ resource, group }: GroupVersionResource): string => `${resource}.${group}`;

const referenceOf = ({ apiVersion, kind, name, namespace, uid }: Identity) => ({
	apiVersion,
	kind,
	name,
	namespace,
	uid,
});

/** The garbage-collector controller. */
export function createGarbageCollector(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const logger = ctx.logger.with({ controller: "garbage-collector" });
	const recorder = ctx.recorder("garbage-collector-controller");
	/** By apiVersion and kind, in every version that is served. */
	let kinds = new Map<string, DiscoveredResource>();
	/** By group and resource. */
	const monitored = new Map<string, { readonly resource: DiscoveredResource; readonly informer: Informer<object> }>();
	const finder = new OwnerFinder(client, {
		resolve: (apiVersion, kind) => kinds.get(`${apiVersion} ${kind}`),
		synced: (resource) => monitored.get(groupResource(resource))?.informer.synced !== false,
	});
	const deleting = controllerQueue(ctx, "garbage-collector-attempt-to-delete", attemptToDelete, 20);
	const orphaning = controllerQueue(ctx, "garbage-collector-attempt-to-orphan", attemptToOrphan, 20);
	const graph = new OwnerGraph({
		toDelete: (uid) => deleting.add(uid),
		toOrphan: (uid) => orphaning.add(uid),
		invalidNamespace(dependent, { apiVersion, kind, name, uid }) {
			const { namespace } = dependent;
			const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
			const text = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace)}`;
			recorder.event(referenceOf(dependent), "Warning", "OwnerRefInvalidNamespace", text);
		},
	});
	let timer: Timer | undefined;
	const stopping = new AbortController();

	/** Follows what the server has: informers for new resources, none for those that are gone. */
	async function resync(): Promise<void> {
		const { resources, versions, failures } = await discover(client);
		const found = new Map(versions.map((resource) => [`${apiVersionOf(resource)} ${resource.kind}`, resource]));
		// What could not be discovered is not known to be gone.
		kinds = failures.size > 0 ? new Map([...kinds, ...found]) : found;
		const wanted = resources.filter((r) => supports(r, "list", "watch", "delete") && !isIgnored(r));
		for (const resource of wanted) {
			const known = monitored.get(groupResource(resource));
			if (known !== undefined && resourceKey(known.resource) === resourceKey(resource)) continue;
			if (known !== undefined && failures.size > 0) continue; // its own version may only not have answered
			if (known !== undefined) ctx.informers.drop(known.resource);
			monitor(resource);
		}
		if (failures.size > 0) return;
		const names = new Set(wanted.map(groupResource));
		for (const [name, { resource }] of monitored) {
			if (names.has(name)) continue;
			ctx.informers.drop(resource);
			monitored.delete(name);
		}
	}

	function monitor(resource: DiscoveredResource): void {
		const informer = ctx.informers.informer<object>(resource, { metadataOnly: true });
		monitored.set(groupResource(resource), { resource, informer });
		informer.addHandlers({
			onAdd: (object) => graph.observe(resource, object),
			onUpdate: (_, object) => graph.observe(resource, object),
			onDelete(object) {
				const { uid = "" } = object.metadata;
				const identity = graph.get(uid)?.identity;
				if (identity !== undefined) finder.remember(identity);
				graph.remove(uid);
			},
		});
	}

	async function attemptToDelete(uid: string): Promise<Requeue | undefined> {
		const node = graph.get(uid);
		if (node === undefined) return undefined;
		const { identity } = node;
		if (identity === undefined) return probe(node);
		if (node.beingDeleted && !node.deletingDependents) return undefined;
		const object = await finder.live(identity);
		if (object === undefined) {
			finder.remember(identity);
			graph.remove(uid);
			return undefined;
		}
		if (node.deletingDependents) {
			await awaitDependents(node, identity, object);
			return undefined;
		}
		const references = object.metadata.ownerReferences ?? [];
		if (references.length === 0 || object.metadata.deletionTimestamp !== undefined) return undefined;
		const owners = await finder.classify(references, identity.namespace);
		if (owners.unknown.length > 0) return { requeueAfterMs: unknownMs };
		if (owners.invalid.length > 0) {
			logger.debug("a cluster-scoped object cannot have an owner in a namespace", { ...referenceOf(identity) });
			return undefined;
		}
		if (owners.solid.length > 0) await dropReferences(identity, object, [...owners.gone, ...owners.waiting]);
		else if (owners.waiting.length > 0 && node.dependents.size > 0) {
			await deleteForeground(node, identity, object, references);
		} else await remove(identity, object, policyOf(object));
		return undefined;
	}

	/** Looks up, once for each claim about an owner nobody saw, whether it is there; who claims what is not has lost it. */
	async function probe(node: GraphNode): Promise<Requeue | undefined> {
		const claims = claimsAbout(node);
		// Claims made from now on are for those who make them to look up.
		node.probed = true;
		let again: Requeue | undefined;
		for (const { claim, namespace, by } of claims) {
			const standing = await finder.standing(claim, namespace);
			if (standing === "gone") for (const dependent of by) deleting.add(dependent.uid);
			// It exists, and its informer will show it, unless it comes and goes between two looks.
			else if (standing === "solid" || standing === "waiting") again = { requeueAfterMs: unseenMs };
			else if (standing === "unknown") again ??= { requeueAfterMs: unknownMs };
		}
		return again;
	}

	const policyOf = (object: Live): DeleteOptions["propagationPolicy"] => {
		const finalizers = object.metadata.finalizers ?? [];
		if (finalizers.includes(orphanFinalizer)) return "Orphan";
		return finalizers.includes(foregroundFinalizer) ? "Foreground" : "Background";
	};

	async function patch(
		{ resource, namespace, name, uid }: Identity,
		object: Live,
		changed: { readonly ownerReferences?: OwnerReference[]; readonly finalizers?: string[] },
	): Promise<void> {
		if (!wouldChange(object, { ...object, metadata: { ...object.metadata, ...changed } })) return;
		const metadata = { uid, resourceVersion: object.metadata.resourceVersion, ...changed };
		await ignoringNotFound(client.resource(resource).patch(namespace, name, "merge", { metadata }));
	}

	async function dropReferences(identity: Identity, object: Live, gone: readonly OwnerReference[]): Promise<void> {
		if (gone.length === 0) return;
		const keys = new Set(gone.map(referenceKey));
		const ownerReferences = (object.metadata.ownerReferences ?? []).filter((r) => !keys.has(referenceKey(r)));
		await patch(identity, object, { ownerReferences });
	}

	/** Its owner waits for it, and it has dependents itself: they go first. */
	async function deleteForeground(
		node: GraphNode,
		identity: Identity,
		object: Live,
		references: readonly OwnerReference[],
	): Promise<void> {
		// Of a circle of such objects none would ever go: one stops blocking its owner.
		if ([...node.dependents].some((dependent) => dependent.deletingDependents)) {
			const ownerReferences = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
			await patch(identity, object, { ownerReferences });
		}
		await remove(identity, object, "Foreground");
	}

	async function remove(
		{ resource, namespace, name, uid, kind }: Identity,
		object: Live,
		policy: DeleteOptions["propagationPolicy"],
	): Promise<void> {
		const { resourceVersion = "" } = object.metadata;
		logger.info("deleting object", { kind, namespace, name, policy });
		const preconditions = { uid, resourceVersion };
		await ignoringNotFound(
			client.resource(resource).delete(namespace, name, { propagationPolicy: policy, preconditions }),
		);
	}

	/** Foreground deletion: with the last blocking dependent gone, the object itself may go. */
	async function awaitDependents(node: GraphNode, identity: Identity, object: Live): Promise<void> {
		const blocking = graph.blocking(node);
		if (blocking.length > 0 && !graph.isDeadlocked(node)) {
			for (const dependent of blocking) if (!dependent.deletingDependents) deleting.add(dependent.uid);
			return;
		}
		await removeFinalizer(identity, object, foregroundFinalizer);
	}

	async function removeFinalizer(identity: Identity, object: Live, finalizer: string): Promise<void> {
		const before = object.metadata.finalizers ?? [];
		if (!before.includes(finalizer)) return;
		const finalizers = before.filter((name) => name !== finalizer);
		await patch(identity, object, { finalizers });
	}

	async function attemptToOrphan(uid: string): Promise<Requeue | undefined> {
		const node = graph.get(uid);
		if (node?.identity === undefined) return undefined;
		// A dependent that was not seen yet would not be let go, and would be garbage with its owner gone.
		const unsynced = [...monitored.values()].filter(({ informer }) => !informer.synced);
		if (unsynced.length > 0) {
			const resources = unsynced.slice(0, 10).map(({ resource }) => groupResource(resource));
			logger.warn("an owner waits to orphan its dependents: not all resources could be listed", { uid, resources });
			return { requeueAfterMs: unseenMs };
		}
		await forEachLimited([...node.dependents], orphansAtOnce, (dependent) => letGo(dependent, uid));
		const object = await finder.live(node.identity);
		if (object !== undefined) await removeFinalizer(node.identity, object, orphanFinalizer);
		return undefined;
	}

	async function letGo(dependent: GraphNode, owner: string): Promise<void> {
		const { identity } = dependent;
		if (identity === undefined) return;
		try {
			const object = await finder.live(identity);
			if (object === undefined) return;
			const references = object.metadata.ownerReferences ?? [];
			await dropReferences(
				identity,
				object,
				references.filter((reference) => reference.uid === owner),
			);
		} catch (error) {
			if (!isNotFound(error) && !isInvalid(error)) throw error;
		}
	}

	/**
	 * Work begins when the graph is whole, or, should a resource not be readable, after a while without it: what has an
	 * owner of that resource is kept then, and nothing is orphaned.
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
