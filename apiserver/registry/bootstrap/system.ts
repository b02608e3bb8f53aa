/** Post-start hooks: the system's namespaces, and the default RBAC policy. */
import { bootstrapPolicy, reconciledBinding, reconciledRole } from "../../authz/bootstrap.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { Services } from "../context.ts";
import { ensure, reconcile, resourceNamed } from "./ensure.ts";

const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

export async function ensureNamespaces(services: Services): Promise<void> {
	const resource = resourceNamed("v1", "namespaces");
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
	const all = (resource: string, objects: readonly object[], merge: unknown) => {
		const info = resourceNamed(group, resource);
		return inBatches(objects as readonly KubeObject[], (object) => reconcile(services, info, object, merge as Merge));
	};
	await all("clusterroles", policy.clusterRoles, reconciledRole);
	await all("clusterrolebindings", policy.clusterRoleBindings, reconciledBinding);
	await all("roles", policy.roles, reconciledRole);
	await all("rolebindings", policy.roleBindings, reconciledBinding);
}

const batch = 16;

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
	for (let at = 0; at < items.length; at += batch) await Promise.all(items.slice(at, at + batch).map(work));
}
