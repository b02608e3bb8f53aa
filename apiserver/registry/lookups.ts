/** Objects the server itself needs (roles, service accounts, pods of a node), read from the watch cache and parsed once. */
import type { AdmissionLookups } from "../admission/types.ts";
import type { ServiceAccountLookups } from "../authn/serviceaccount.ts";
import type { NodeLookups } from "../authz/node.ts";
import type { RbacSource } from "../authz/rbac.ts";
import type { Cacher } from "../cache/cacher.ts";
import type { Entry } from "../cache/entry.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import { decodeStored } from "../scheme/codec/stored.ts";
import type {
	ClusterRole,
	ClusterRoleBinding,
	Namespace,
	Node,
	Pod,
	Role,
	RoleBinding,
	Secret,
	ServiceAccount,
} from "../scheme/types.gen.ts";

/** Parsed objects live as long as their entries. */
const parsed = new WeakMap<Entry, object>();

export function parseEntry<T extends object>(entry: Entry): T {
	let object = parsed.get(entry);
	if (object === undefined) {
		object = decodeStored(entry.bytes, entry.revision);
		parsed.set(entry, object);
	}
	return object as T;
}

/** A missing object may only not have arrived yet: then the cache is brought up to date once. */
async function find<T extends object>(cacher: Cacher, prefix: string, path: string): Promise<T | undefined> {
	const cache = cacher.resource(prefix);
	const entry = cache.get(path);
	if (entry !== undefined) return parseEntry<T>(entry);
	await cacher.waitConsistent();
	const later = cache.get(path);
	return later === undefined ? undefined : parseEntry<T>(later);
}

export function objectLookups(cacher: Cacher): AdmissionLookups & ServiceAccountLookups {
	return {
		namespace: (name) => find<Namespace>(cacher, "namespaces", name),
		serviceAccount: (namespace, name) => find<ServiceAccount>(cacher, "serviceaccounts", `${namespace}/${name}`),
		pod: (namespace, name) => find<Pod>(cacher, "pods", `${namespace}/${name}`),
		secret: (namespace, name) => find<Secret>(cacher, "secrets", `${namespace}/${name}`),
		node: (name) => find<Node>(cacher, "minions", name),
		podsIn: (namespace) => objects<Pod>(cacher.resource("pods"), `${namespace}/`),
	};
}

function* objects<T extends object>(cache: ResourceCache, scope = ""): IterableIterator<T> {
	for (const entry of cache.select({ scope, exact: false, matches: undefined })) yield parseEntry<T>(entry);
}

export function rbacSource(cacher: Cacher): RbacSource {
	const [roles, clusterRoles, bindings, clusterBindings] = [
		cacher.resource("roles"),
		cacher.resource("clusterroles"),
		cacher.resource("rolebindings"),
		cacher.resource("clusterrolebindings"),
	];
	let generation = 0;
	for (const cache of [roles, clusterRoles, bindings, clusterBindings]) {
		cache.listen(() => {
			generation++;
		});
	}
	const get = <T extends object>(cache: ResourceCache, path: string): T | undefined => {
		const entry = cache.get(path);
		return entry === undefined ? undefined : parseEntry<T>(entry);
	};
	return {
		get generation() {
			return generation;
		},
		clusterRoleBindings: () => [...objects<ClusterRoleBinding>(clusterBindings)],
		roleBindings: (namespace) => [...objects<RoleBinding>(bindings, `${namespace}/`)],
		clusterRole: (name) => get<ClusterRole>(clusterRoles, name),
		role: (namespace, name) => get<Role>(roles, `${namespace}/${name}`),
	};
}

/** Pods by the node they are on, kept as pods come and go. */
export function nodeLookups(cacher: Cacher): NodeLookups {
	const pods = cacher.resource("pods");
	const byNode = new Map<string, Map<string, Entry>>();
	const nodeOf = (entry: Entry | undefined) => entry?.facts(pods.readFacts).fields["spec.nodeName"] ?? "";
	pods.listen(({ path, current, previous }) => {
		const before = nodeOf(previous);
		const now = nodeOf(current);
		if (before !== "" && before !== now) {
			const left = byNode.get(before);
			left?.delete(path);
			if (left?.size === 0) byNode.delete(before);
		}
		if (now === "" || current === undefined) {
			if (before !== "") byNode.get(before)?.delete(path);
			return;
		}
		const on = byNode.get(now);
		if (on === undefined) byNode.set(now, new Map([[path, current]]));
		else on.set(path, current);
	});
	return {
		*podsOnNode(nodeName) {
			for (const entry of byNode.get(nodeName)?.values() ?? []) yield parseEntry<Pod>(entry);
		},
	};
}
