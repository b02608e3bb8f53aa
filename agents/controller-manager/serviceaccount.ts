/** Every active namespace has a service account `default`. */
import { namespaces, serviceAccounts } from "../../apiserver/client/resources.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	isAlreadyExists,
	isNamespaceTerminating,
	isNotFound,
	queueController,
} from "./controller.ts";

/** The serviceaccount controller. */
export function createServiceAccountController(ctx: ControllerContext): Controller {
	const { client } = ctx;
	const cache = ctx.informers.informer(namespaces);
	const accounts = ctx.informers.informer(serviceAccounts);
	const queue = controllerQueue(ctx, "serviceaccount", sync, 1);
	cache.addHandlers({
		onAdd: (ns) => queue.add(ns.metadata.name ?? ""),
		onUpdate: (_, ns) => queue.add(ns.metadata.name ?? ""),
	});
	accounts.addHandlers({
		onDelete(account) {
			if (account.metadata.name === "default") queue.add(account.metadata.namespace ?? "");
		},
	});

	async function sync(name: string): Promise<void> {
		const ns = cache.get(name);
		if (ns === undefined || ns.metadata.deletionTimestamp !== undefined || ns.status?.phase === "Terminating") return;
		if (accounts.get(`${name}/default`) !== undefined) return;
		const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: name } };
		try {
			await client.resource(serviceAccounts).create(name, account);
		} catch (error) {
			if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
		}
	}

	return queueController("serviceaccount", queue);
}
