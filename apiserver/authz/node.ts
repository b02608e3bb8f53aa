/**
 * What a kubelet may do: read its own Node and the pods bound to it, and of secrets, config maps, claims and service
 * accounts only those that such a pod uses. What it may write, the NodeRestriction admission plugin narrows further.
 */
import { nodeNamePrefix, nodesGroup, type UserInfo } from "../authn/types.ts";
import { isMirrorPod, podReferences } from "../scheme/podrefs.ts";
import type { Pod, PolicyRule } from "../scheme/types.gen.ts";
import { ruleAllows } from "./rbac.ts";
import { type Attributes, type Authorizer, allow, type Decision, noOpinion } from "./types.ts";

export const nodeLeaseNamespace = "kube-node-lease";

/** What the authorizer looks up; served from a cache, so without waiting. */
export interface NodeLookups {
	podsOnNode(nodeName: string): Iterable<Pod>;
	/** The claim's volume, where it is bound. */
	volumeOfClaim?(namespace: string, claim: string): string | undefined;
}

/** The node `user` is the kubelet of; undefined for users that are none. */
export function nodeOf(user: UserInfo): string | undefined {
	if (!user.groups.includes(nodesGroup) || !user.username.startsWith(nodeNamePrefix)) return undefined;
	return user.username.slice(nodeNamePrefix.length);
}

const readVerbs = ["get", "list", "watch"];

export class NodeAuthorizer implements Authorizer {
	readonly #lookups: NodeLookups;
	readonly #rules: readonly PolicyRule[];

	/** `rules`: what every kubelet may do to the resources not treated here. */
	constructor(lookups: NodeLookups, rules: readonly PolicyRule[]) {
		this.#lookups = lookups;
		this.#rules = rules;
	}

	authorize(a: Attributes): Decision {
		const node = nodeOf(a.user);
		if (node === undefined) return noOpinion();
		if (node === "") return noOpinion(`unknown node for user ${JSON.stringify(a.user.username)}`);
		if (a.resourceRequest) {
			switch (a.apiGroup === "" ? a.resource : `${a.resource}.${a.apiGroup}`) {
				case "secrets":
				case "configmaps":
					return this.#readRelated(node, a);
				case "persistentvolumeclaims":
					return a.subresource === "status" ? this.#updateStatus(node, a) : this.#get(node, a);
				case "persistentvolumes":
					return this.#get(node, a);
				case "serviceaccounts":
					if (a.verb === "get" && a.subresource === "") return this.#readRelated(node, a);
					return this.#createToken(node, a);
				case "leases.coordination.k8s.io":
					return this.#ownLease(node, a);
				case "nodes":
					return this.#node(node, a);
				case "pods":
					return this.#pod(node, a);
			}
		}
		return this.#rules.some((rule) => ruleAllows(rule, a)) ? allow() : noOpinion();
	}

	rulesFor(user: UserInfo) {
		const isNode = nodeOf(user) !== undefined;
		return {
			resourceRules: [],
			nonResourceRules: [],
			incomplete: isNode,
			evaluationError: isNode ? "node authorizer does not support user rule resolution" : "",
		};
	}

	#readRelated(node: string, a: Attributes): Decision {
		if (!readVerbs.includes(a.verb)) return noOpinion("can only read resources of this type");
		if (a.subresource !== "") return noOpinion("cannot read subresource");
		if (a.namespace === "") return noOpinion("can only read namespaced object of this type");
		return this.#related(node, a);
	}

	#get(node: string, a: Attributes): Decision {
		if (a.verb !== "get") return noOpinion("can only get individual resources of this type");
		if (a.subresource !== "") return noOpinion("cannot get subresource");
		return this.#related(node, a);
	}

	#updateStatus(node: string, a: Attributes): Decision {
		if (a.verb !== "update" && a.verb !== "patch") return noOpinion("can only get/update/patch this type");
		return this.#related(node, a);
	}

	#createToken(node: string, a: Attributes): Decision {
		if (a.verb !== "create" || a.name === "") {
			return noOpinion("can only create tokens for individual service accounts");
		}
		if (a.subresource !== "token") return noOpinion("can only create token subresource of serviceaccount");
		return this.#related(node, a);
	}

	#ownLease(node: string, a: Attributes): Decision {
		if (!["get", "create", "update", "patch", "delete"].includes(a.verb)) {
			return noOpinion("can only get, create, update, patch, or delete a node lease");
		}
		if (a.namespace !== nodeLeaseNamespace) {
			return noOpinion(`can only access leases in the ${JSON.stringify(nodeLeaseNamespace)} system namespace`);
		}
		// A create has no name yet here: admission checks it.
		if (a.verb !== "create" && a.name !== node) {
			return noOpinion("can only access node lease with the same name as the requesting node");
		}
		return allow();
	}

	#node(node: string, a: Attributes): Decision {
		if (a.subresource === "status" && (a.verb === "update" || a.verb === "patch")) return allow();
		if (a.subresource !== "") return noOpinion();
		if (["create", "update", "patch"].includes(a.verb)) return allow();
		if (!readVerbs.includes(a.verb)) return noOpinion();
		// The name is compared, not looked up: a kubelet reads its Node before that exists.
		if (a.name === node) return allow();
		const other = a.name === "" ? "all nodes" : `'${a.name}'`;
		return noOpinion(`node '${node}' cannot read ${other}, only its own Node object`);
	}

	#pod(node: string, a: Attributes): Decision {
		switch (a.subresource) {
			case "":
				break;
			case "status":
				return a.verb === "update" || a.verb === "patch" ? allow() : noOpinion();
			case "eviction":
				return a.verb === "create" ? allow() : noOpinion();
			default:
				return noOpinion();
		}
		if (a.verb === "create" || a.verb === "delete") return allow();
		if (a.verb === "get") return this.#get(node, a);
		if (a.verb !== "list" && a.verb !== "watch") return noOpinion();
		if (a.fieldSelector?.exactValue("spec.nodeName") === node) return allow();
		if (a.name !== "") return this.#related(node, a);
		return noOpinion("can only list/watch pods with spec.nodeName field selector");
	}

	#related(node: string, a: Attributes): Decision {
		if (a.name === "") return noOpinion("No Object name found");
		for (const pod of this.#lookups.podsOnNode(node)) if (this.#uses(pod, a)) return allow();
		return noOpinion(`no relationship found between node '${node}' and this object`);
	}

	/** Whether `pod` is the object, or its spec names it. */
	#uses(pod: Pod, a: Attributes): boolean {
		const namespace = pod.metadata?.namespace ?? "";
		if (a.resource !== "persistentvolumes" && namespace !== a.namespace) return false;
		if (a.resource === "pods") return pod.metadata?.name === a.name;
		// A mirror pod is the kubelet's own statement: it must not open anything.
		if (isMirrorPod(pod)) return false;
		if (a.resource === "serviceaccounts") return pod.spec?.serviceAccountName === a.name;
		const references = podReferences(pod);
		switch (a.resource) {
			case "secrets":
				return references.secrets.has(a.name);
			case "configmaps":
				return references.configMaps.has(a.name);
			case "persistentvolumeclaims":
				return references.persistentVolumeClaims.has(a.name);
			case "persistentvolumes":
				return [...references.persistentVolumeClaims].some(
					(claim) => this.#lookups.volumeOfClaim?.(namespace, claim) === a.name,
				);
			default:
				return false;
		}
	}
}
