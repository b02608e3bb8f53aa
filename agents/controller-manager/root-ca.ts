/** Publishes the API server's CA as ConfigMap `kube-root-ca.crt` in every namespace. */
import { configMaps, namespaces } from "../../apiserver/client/resources.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	isAlreadyExists,
	isNamespaceTerminating,
	isNotFound,
	queueController,
} from "./controller.ts";

const name = "kube-root-ca.crt";
const descriptionKey = "kubernetes.io/description";
const description =
	"Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the " +
	"internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** The root-ca-certificate-publisher controller; `ca` is PEM. */
export function createRootCaController(ctx: ControllerContext, ca: string): Controller {
	const { client } = ctx;
	const api = client.resource(configMaps);
	const spaces = ctx.informers.informer(namespaces);
	const published = ctx.informers.informer(configMaps, { fieldSelector: `metadata.name=${name}` });
	const queue = controllerQueue(ctx, "root-ca-certificate-publisher", sync, 1);
	spaces.addHandlers({
		onAdd: (ns) => queue.add(ns.metadata.name ?? ""),
		onUpdate: (_, ns) => queue.add(ns.metadata.name ?? ""),
	});
	published.addHandlers({
		onUpdate: (_, map) => queue.add(map.metadata.namespace ?? ""),
		onDelete: (map) => queue.add(map.metadata.namespace ?? ""),
	});

	async function sync(namespace: string): Promise<void> {
		const ns = spaces.get(namespace);
		if (ns === undefined || ns.metadata.deletionTimestamp !== undefined || ns.status?.phase === "Terminating") return;
		const current = published.get(`${namespace}/${name}`);
		const data = { "ca.crt": ca };
		const annotations = { [descriptionKey]: description };
		try {
			if (current === undefined) {
				const metadata = { name, namespace, annotations };
				await api.create(namespace, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
			} else if (
				current.data?.["ca.crt"] !== ca ||
				Object.keys(current.data).length !== 1 ||
				current.metadata.annotations?.[descriptionKey] === undefined
			) {
				const metadata = { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } };
				await api.update({ ...current, metadata, data });
			}
		} catch (error) {
			if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
		}
	}

	return queueController("root-ca-certificate-publisher", queue);
}
