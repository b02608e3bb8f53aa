/**
 * A kubeconfig for programs in a pod that has no mount namespace: they do not find its service account at the well-known
 * path, where a client's in-cluster configuration looks. It names files and holds no secret.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { ContainerSpec } from "./types.ts";

const accountPath = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Variables that lead a client to the pod's service account; none where it has none, or says itself where to look. */
export async function kubeconfigVariables(
	{ mounts, env, namespace }: Pick<ContainerSpec, "mounts" | "env" | "namespace">,
	root: string,
	directory: string,
): Promise<Readonly<Record<string, string>>> {
	const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, KUBECONFIG: own } = env;
	const mounted = mounts.some((mount) => path.posix.resolve("/", mount.mountPath) === accountPath);
	if (!mounted || host === undefined || port === undefined || own !== undefined) return {};
	const account = path.join(root, accountPath);
	const name = "in-cluster";
	const kubeconfig = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [
			{ name, cluster: { server: `https://${host}:${port}`, "certificate-authority": path.join(account, "ca.crt") } },
		],
		users: [{ name, user: { tokenFile: path.join(account, "token") } }],
		contexts: [{ name, context: { cluster: name, user: name, namespace } }],
		"current-context": name,
	};
	const file = path.join(directory, "kubeconfig");
	await writeFile(file, JSON.stringify(kubeconfig), { mode: 0o600 });
	return { KUBECONFIG: file };
}
