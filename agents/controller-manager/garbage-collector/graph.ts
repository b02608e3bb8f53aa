/** Who owns whom, over all objects of the cluster, kept from informer events; pure. */
import type { GroupVersionResource, KubeObject } from "../../../apiserver/scheme/object.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** Where an object is, or, of one not seen yet, where a reference says it is. */
export interface Identity {
	readonly uid: string;
	readonly name: string;
	/** "" for cluster-scoped. */
	readonly namespace: string;
	readonly apiVersion: string;
	readonly kind: string;
	/** Undefined for an owner of a kind the server does not have. */
	readonly resource: GroupVersionResource | undefined;
}

export interface GraphNode {
	identity: Identity;
	owners: readonly OwnerReference[];
	readonly dependents: Set<GraphNode>;
	/** Known only from references to it so far. */
	virtual: boolean;
	beingDeleted: boolean;
	/** Foreground deletion: it waits for its dependents. */
	deletingDependents: boolean;
}

/** Work the graph's changes call for. */
export interface GraphWork {
	/** May be garbage, or may be done waiting. */
	toDelete(uid: string): void;
	/** Its dependents are to be let go. */
	toOrphan(uid: string): void;
}

const isForeground = (object: KubeObject<object>): boolean =>
	object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(foregroundFinalizer) === true;
const isOrphaning = (object: KubeObject<object>): boolean =>
	object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(orphanFinalizer) === true;

export class OwnerGraph {
	readonly #nodes = new Map<string, GraphNode>();
	readonly #work: GraphWork;
	/** The resource of a reference's kind, and whether its objects are in namespaces. */
	readonly #resolve: (
		apiVersion: string,
		kind: string,
	) => { resource: GroupVersionResource; namespaced: boolean } | undefined;

	constructor(
		work: GraphWork,
		resolve: (apiVersion: string, kind: string) => { resource: GroupVersionResource; namespaced: boolean } | undefined,
	) {
		this.#work = work;
		this.#resolve = resolve;
	}

	get size(): number {
		return this.#nodes.size;
	}

	get(uid: string): GraphNode | undefined {
		return this.#nodes.get(uid);
	}

	/** The dependents that keep `node` from going while they exist. */
	blocking(node: GraphNode): GraphNode[] {
		return [...node.dependents].filter((dependent) =>
			dependent.owners.some((owner) => owner.uid === node.identity.uid && owner.blockOwnerDeletion === true),
		);
	}

	/** An object was seen, new or changed. */
	observe(resource: GroupVersionResource, object: KubeObject<object>): void {
		const { uid = "", name = "", namespace = "" } = object.metadata;
		const { apiVersion, kind } = object;
		const identity: Identity = { uid, name, namespace, apiVersion, kind, resource };
		const owners = object.metadata.ownerReferences ?? [];
		let node = this.#nodes.get(uid);
		if (node === undefined) {
			node = newNode(identity, owners, false);
			this.#nodes.set(uid, node);
			this.#link(node, owners);
		} else {
			node.virtual = false;
			node.identity = identity;
			this.#relink(node, owners);
		}
		this.#transition(node, object);
	}

	/** An object is gone. */
	remove(uid: string): void {
		const node = this.#nodes.get(uid);
		if (node === undefined) return;
		this.#nodes.delete(uid);
		for (const owner of node.owners) {
			const ownerNode = this.#nodes.get(owner.uid ?? "");
			if (ownerNode === undefined) continue;
			ownerNode.dependents.delete(node);
			if (ownerNode.deletingDependents) this.#work.toDelete(ownerNode.identity.uid);
			this.#dropIfIdle(ownerNode);
		}
		for (const dependent of node.dependents) this.#work.toDelete(dependent.identity.uid);
	}

	#transition(node: GraphNode, object: KubeObject<object>): void {
		if (object.metadata.deletionTimestamp === undefined) return;
		node.beingDeleted = true;
		if (isOrphaning(object)) {
			this.#work.toOrphan(node.identity.uid);
			return;
		}
		if (!isForeground(object)) return;
		if (!node.deletingDependents) {
			node.deletingDependents = true;
			for (const dependent of node.dependents) this.#work.toDelete(dependent.identity.uid);
		}
		this.#work.toDelete(node.identity.uid);
	}

	#link(node: GraphNode, owners: readonly OwnerReference[]): void {
		for (const owner of owners) {
			const uid = owner.uid ?? "";
			let ownerNode = this.#nodes.get(uid);
			if (ownerNode === undefined) {
				ownerNode = newNode(this.#identityOf(owner, node.identity.namespace), [], true);
				this.#nodes.set(uid, ownerNode);
				// Whether it exists is found out.
				this.#work.toDelete(uid);
			}
			ownerNode.dependents.add(node);
		}
	}

	#relink(node: GraphNode, owners: readonly OwnerReference[]): void {
		const before = node.owners;
		node.owners = owners;
		const uids = new Set(owners.map((owner) => owner.uid));
		const removed = before.filter((owner) => !uids.has(owner.uid));
		for (const owner of removed) {
			const ownerNode = this.#nodes.get(owner.uid ?? "");
			if (ownerNode === undefined) continue;
			ownerNode.dependents.delete(node);
			this.#dropIfIdle(ownerNode);
		}
		const known = new Set(before.map((owner) => owner.uid));
		this.#link(
			node,
			owners.filter((owner) => !known.has(owner.uid)),
		);
		this.#unblock(before, owners);
		// One owner fewer may mean none.
		if (removed.length > 0 && owners.length > 0) this.#work.toDelete(node.identity.uid);
	}

	/** Owners that wait for their dependents may have one fewer to wait for. */
	#unblock(before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
		for (const owner of before) {
			if (owner.blockOwnerDeletion !== true) continue;
			const now = after.find((other) => other.uid === owner.uid);
			const ownerNode = this.#nodes.get(owner.uid ?? "");
			if (ownerNode?.deletingDependents === true && now?.blockOwnerDeletion !== true) {
				this.#work.toDelete(ownerNode.identity.uid);
			}
		}
	}

	/** A node nobody saw and nobody refers to any more. */
	#dropIfIdle(node: GraphNode): void {
		if (node.virtual && node.dependents.size === 0) this.#nodes.delete(node.identity.uid);
	}

	#identityOf(owner: OwnerReference, dependentNamespace: string): Identity {
		const { uid = "", name = "", apiVersion = "", kind = "" } = owner;
		const resolved = this.#resolve(apiVersion, kind);
		const namespace = resolved?.namespaced === false ? "" : dependentNamespace;
		return { uid, name, namespace, apiVersion, kind, resource: resolved?.resource };
	}
}

function newNode(identity: Identity, owners: readonly OwnerReference[], virtual: boolean): GraphNode {
	return { identity, owners, dependents: new Set(), virtual, beingDeleted: false, deletingDependents: false };
}
