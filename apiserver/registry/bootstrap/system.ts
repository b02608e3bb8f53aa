/** Post-start hooks: the system's namespaces, and the default RBAC policy. */
import { bootstrapPolicy, reconciledBinding, reconciledRole } from "../../authz/bootstrap.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { Services } from "../context.ts";
import { waitConsistent } from "../read.ts";
import { ensure, reconcile, resourceNamed } from "./ensure.ts";

const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

export async function ensureNamespaces(services: Services): Promise<void> {
	const resource = resourceNamed("v1", "namespaces");
	await waitConsistent(services);
	await Promise.all(
		systemNamespaces.map((name) =>
			ensure(services, resource, {
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
			}),
		),
	);
}

type Merge = Parameters<typeof reconcile>[3];

/** Adds what the defaults have and the cluster lacks; what people changed stays, as their annotations say. */
export async function reconcilePolicy(services: Services): Promise<void> {
	const policy = bootstrapPolicy();
	const group = "rbac.authorization.k8s.io/v1";
	const work = (resource: string, objects: readonly object[], merge: unknown) => {
		const info = resourceNamed(group, resource);
		return (objects as readonly KubeObject[]).map((object) => () => reconcile(services, info, object, merge as Merge));
	};
	const all = [
		...work("clusterroles", policy.clusterRoles, reconciledRole),
		...work("clusterrolebindings", policy.clusterRoleBindings, reconciledBinding),
		...work("roles", policy.roles, reconciledRole),
		...work("rolebindings", policy.roleBindings, reconciledBinding),
	];
	// Replicas that start together begin at different places, and find each other's objects further on.
	const first = services.random.int(all.length);
	await inBatches([...all.slice(first), ...all.slice(0, first)]);
}

const batch = 24;

async function inBatches(work: readonly (() => Promise<void>)[]): Promise<void> {
	for (let at = 0; at < work.length; at += batch) await Promise.all(work.slice(at, at + batch).map((run) => run()));
}
