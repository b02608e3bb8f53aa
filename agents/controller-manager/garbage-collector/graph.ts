/**
 * Who refers to whom as its owner, over all objects of the cluster, kept from informer events; pure. It finds work and
 * decides nothing: what a reference says of its owner may be wrong in every part, so an owner that was not seen has no
 * identity here, only what each of its referrers claims of it.
 */
import { parseApiVersion } from "../../../apiserver/client/resources.ts";
import type { GroupVersionResource, KubeObject } from "../../../apiserver/scheme/object.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** Where an object was seen, or where a reference says that it is. */
export interface Coordinates {
	readonly uid: string;
	readonly name: string;
	/** "" for cluster-scoped. */
	readonly namespace: string;
	readonly apiVersion: string;
	readonly kind: string;
}

/** An object that an informer showed. */
export interface Identity extends Coordinates {
	readonly resource: GroupVersionResource;
}

export interface GraphNode {
	readonly uid: string;
	/** Undefined while it is known from references only. Never taken from one of them. */
	identity: Identity | undefined;
	owners: readonly OwnerReference[];
	/** All that name its uid, whether or not the rest of their reference fits. */
	readonly dependents: Set<GraphNode>;
	/** Of one without identity: every claim about it was looked up once. */
	probed: boolean;
	beingDeleted: boolean;
	/** Foreground deletion: it waits for its dependents. */
	deletingDependents: boolean;
}

/** Work the graph's changes call for. */
export interface GraphWork {
	/** May be garbage, may be done waiting, or is not known to exist. */
	toDelete(uid: string): void;
	/** Its dependents are to be let go. */
	toOrphan(uid: string): void;
	/** `reference` of `dependent` names the uid of an object of another namespace. */
	invalidNamespace(dependent: Identity, reference: OwnerReference): void;
}

const isForeground = (object: KubeObject<object>): boolean =>
	object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(foregroundFinalizer) === true;
const isOrphaning = (object: KubeObject<object>): boolean =>
	object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(orphanFinalizer) === true;

/** One text for a whole reference, for comparison. */
export function referenceKey({ uid = "", apiVersion = "", kind = "", name = "" }: OwnerReference): string {
	return [uid, apiVersion, kind, name].join("\0");
}

/** Whether `reference`, from an object in `namespace`, means the object `identity`; versions of a group are one. */
function means(reference: OwnerReference, namespace: string, identity: Identity): boolean {
	return (
		reference.uid === identity.uid &&
		reference.name === identity.name &&
		reference.kind === identity.kind &&
		parseApiVersion(reference.apiVersion ?? "").group === identity.resource.group &&
		(identity.namespace === "" || identity.namespace === namespace)
	);
}

export class OwnerGraph {
	readonly #nodes = new Map<string, GraphNode>();
	readonly #work: GraphWork;

	constructor(work: GraphWork) {
		this.#work = work;
	}

	get size(): number {
		return this.#nodes.size;
	}

	get(uid: string): GraphNode | undefined {
		return this.#nodes.get(uid);
	}

	/** The dependents that keep `node` from going while they exist. */
	blocking(node: GraphNode): GraphNode[] {
		const { identity } = node;
		if (identity === undefined) return [];
		return [...node.dependents].filter((dependent) =>
			dependent.owners.some(
				(owner) => owner.blockOwnerDeletion === true && means(owner, dependent.identity?.namespace ?? "", identity),
			),
		);
	}

	/**
	 * Whether `node` waits for nothing but objects that wait in turn, round and round (for itself, too): none of them would
	 * ever go.
	 */
	isDeadlocked(node: GraphNode): boolean {
		const seen = new Set<GraphNode>([node]);
		for (const waiting of seen) {
			if (!waiting.deletingDependents) return false;
			const blocking = this.blocking(waiting);
			if (blocking.length === 0) return false;
			for (const dependent of blocking) seen.add(dependent);
		}
		return true;
	}

	/** An object was seen, new or changed. */
	observe(resource: GroupVersionResource, object: KubeObject<object>): void {
		const { uid = "", name = "", namespace = "" } = object.metadata;
		const { apiVersion, kind } = object;
		const identity: Identity = { uid, name, namespace, apiVersion, kind, resource };
		const node = this.#nodes.get(uid) ?? this.#create(uid);
		const first = node.identity === undefined;
		node.identity = identity;
		if (first) this.#checkDependents(node, identity);
		this.#relink(node, identity, object.metadata.ownerReferences ?? []);
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
			if (ownerNode.deletingDependents) this.#work.toDelete(ownerNode.uid);
			this.#dropIfIdle(ownerNode);
		}
		for (const dependent of node.dependents) this.#work.toDelete(dependent.uid);
	}

	#create(uid: string): GraphNode {
		const node: GraphNode = {
			uid,
			identity: undefined,
			owners: [],
			dependents: new Set(),
			probed: false,
			beingDeleted: false,
			deletingDependents: false,
		};
		this.#nodes.set(uid, node);
		return node;
	}

	/** Who referred to it before it was seen, and meant something else, may be without an owner. */
	#checkDependents(node: GraphNode, identity: Identity): void {
		for (const dependent of node.dependents) {
			if (dependent.identity !== undefined) this.#check(dependent, dependent.identity, identity, dependent.owners);
		}
	}

	#check(node: GraphNode, self: Identity, owner: Identity, references: readonly OwnerReference[]): void {
		for (const reference of references) {
			if (reference.uid !== owner.uid || means(reference, self.namespace, owner)) continue;
			if (owner.namespace !== "" && owner.namespace !== self.namespace) this.#work.invalidNamespace(self, reference);
			this.#work.toDelete(node.uid);
		}
	}

	#transition(node: GraphNode, object: KubeObject<object>): void {
		if (object.metadata.deletionTimestamp === undefined) return;
		node.beingDeleted = true;
		if (isOrphaning(object)) {
			this.#work.toOrphan(node.uid);
			return;
		}
		if (!isForeground(object)) return;
		if (!node.deletingDependents) {
			node.deletingDependents = true;
			for (const dependent of node.dependents) this.#work.toDelete(dependent.uid);
		}
		this.#work.toDelete(node.uid);
	}

	#link(node: GraphNode, self: Identity, added: readonly OwnerReference[]): void {
		for (const reference of added) {
			const uid = reference.uid ?? "";
			const known = this.#nodes.get(uid);
			const ownerNode = known ?? this.#create(uid);
			ownerNode.dependents.add(node);
			if (ownerNode.identity !== undefined) this.#check(node, self, ownerNode.identity, [reference]);
			// Whether it exists is found out once for all that claim the same of it.
			else if (!ownerNode.probed) this.#work.toDelete(uid);
			else this.#work.toDelete(node.uid);
		}
	}

	#relink(node: GraphNode, self: Identity, owners: readonly OwnerReference[]): void {
		const before = node.owners;
		node.owners = owners;
		const uids = new Set(owners.map((owner) => owner.uid));
		const keys = new Set(owners.map(referenceKey));
		const removed = before.filter((owner) => !keys.has(referenceKey(owner)));
		for (const owner of removed) {
			const ownerNode = this.#nodes.get(owner.uid ?? "");
			if (ownerNode === undefined || uids.has(owner.uid)) continue;
			ownerNode.dependents.delete(node);
			this.#dropIfIdle(ownerNode);
		}
		const known = new Set(before.map(referenceKey));
		this.#link(
			node,
			self,
			owners.filter((owner) => !known.has(referenceKey(owner))),
		);
		this.#unblock(before, owners);
		// One owner fewer may mean none.
		if (removed.length > 0 && owners.length > 0) this.#work.toDelete(node.uid);
	}

	/** Owners that wait for their dependents may have one fewer to wait for. */
	#unblock(before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
		for (const owner of before) {
			if (owner.blockOwnerDeletion !== true) continue;
			const now = after.find((other) => referenceKey(other) === referenceKey(owner));
			const ownerNode = this.#nodes.get(owner.uid ?? "");
			if (ownerNode?.deletingDependents === true && now?.blockOwnerDeletion !== true) {
				this.#work.toDelete(ownerNode.uid);
			}
		}
	}

	/** A node nobody saw and nobody refers to any more. */
	#dropIfIdle(node: GraphNode): void {
		if (node.identity === undefined && node.dependents.size === 0) this.#nodes.delete(node.uid);
	}
}

/** What the dependents of a node that nobody saw claim of it: each claim once, with those who make it. */
export function claimsAbout(
	node: GraphNode,
): { readonly claim: OwnerReference; readonly namespace: string; readonly by: GraphNode[] }[] {
	const claims = new Map<string, { claim: OwnerReference; namespace: string; by: GraphNode[] }>();
	for (const dependent of node.dependents) {
		const namespace = dependent.identity?.namespace ?? "";
		for (const reference of dependent.owners) {
			if (reference.uid !== node.uid) continue;
			const key = `${namespace}\0${referenceKey(reference)}`;
			const known = claims.get(key);
			if (known === undefined) claims.set(key, { claim: reference, namespace, by: [dependent] });
			else known.by.push(dependent);
		}
	}
	return [...claims.values()];
}
