/** Empties a namespace that is being deleted, pods first, and then lets it go. */

import { listInPages } from "../../apiserver/client/pages.ts";
import { keyOf, namespaces } from "../../apiserver/client/resources.ts";
import type { ResourceClient } from "../../apiserver/client/types.ts";
import type { Requeue } from "../../apiserver/client/workqueue.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { formatTime } from "../../apiserver/machinery/meta.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { NamespaceCondition, PodSpec } from "../../apiserver/scheme/types.gen.ts";
import { greatest } from "../../kit/lists.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	deleteSeen,
	errorText,
	ignoringNotFound,
	isNotFound,
	type Namespace,
	queueController,
	timeOf,
} from "./controller.ts";
import { type DiscoveredResource, discover, supports } from "./discovery.ts";

/** Other API servers learn in the meantime that nothing may be created there any more. */
const graceMs = 5000;
const finalizerEstimateSeconds = 15;
const finalizer = "kubernetes";

/** What is left of one namespace's content. */
export interface ContentReport {
	/** `pods.` / `deployments.apps`: resource and group. */
	readonly remaining: ReadonlyMap<string, number>;
	readonly finalizers: ReadonlyMap<string, number>;
	/** Failures to delete, as texts. */
	readonly errors: readonly string[];
	readonly discoveryFailures: ReadonlyMap<string, string>;
	/** How long the rest may take, seconds. */
	readonly estimate: number;
}

const okConditions: ReadonlyMap<string, readonly [reason: string, message: string]> = new Map([
	["NamespaceDeletionDiscoveryFailure", ["ResourcesDiscovered", "All resources successfully discovered"]],
	["NamespaceDeletionGroupVersionParsingFailure", ["ParsedGroupVersions", "All legacy kube types successfully parsed"]],
	[
		"NamespaceDeletionContentFailure",
		["ContentDeleted", "All content successfully deleted, may be waiting on finalization"],
	],
	["NamespaceContentRemaining", ["ContentRemoved", "All content successfully removed"]],
	["NamespaceFinalizersRemaining", ["ContentRemoved", "All content successfully removed"]],
]);

function failedConditions(report: ContentReport): Map<string, readonly [reason: string, message: string]> {
	const failed = new Map<string, readonly [string, string]>();
	if (report.discoveryFailures.size > 0) {
		const texts = [...report.discoveryFailures].map(([groupVersion, text]) => `${groupVersion}: ${text}`).sort();
		const message =
			`Discovery failed for some groups, ${texts.length} failing: ` +
			`unable to retrieve the complete list of server APIs: ${texts.join(", ")}`;
		failed.set("NamespaceDeletionDiscoveryFailure", ["DiscoveryFailed", message]);
	}
	if (report.errors.length > 0) {
		const texts = report.errors.toSorted().join(", ");
		const message = `Failed to delete all resource types, ${report.errors.length} remaining: ${texts}`;
		failed.set("NamespaceDeletionContentFailure", ["ContentDeletionFailed", message]);
	}
	const list = (counts: ReadonlyMap<string, number>, word: string) =>
		[...counts]
			.map(([name, count]) => `${name} ${word} ${count} resource instances`)
			.sort()
			.join(", ");
	if (report.remaining.size > 0) {
		const message = `Some resources are remaining: ${list(report.remaining, "has")}`;
		failed.set("NamespaceContentRemaining", ["SomeResourcesRemain", message]);
	}
	if (report.finalizers.size > 0) {
		const message = `Some content in the namespace has finalizers remaining: ${list(report.finalizers, "in")}`;
		failed.set("NamespaceFinalizersRemaining", ["SomeFinalizersRemain", message]);
	}
	return failed;
}

/** The conditions after this report; the very same array when nothing changes. */
export function namespaceConditions(
	before: readonly NamespaceCondition[] | undefined,
	report: ContentReport,
	now: number,
): readonly NamespaceCondition[] {
	const failed = failedConditions(report);
	let conditions = before ?? [];
	for (const [type, ok] of okConditions) {
		const [reason, message] = failed.get(type) ?? ok;
		const status = failed.has(type) ? "True" : "False";
		const at = conditions.findIndex((c) => c.type === type);
		const old = conditions[at];
		if (old?.status === status && old.reason === reason && old.message === message) continue;
		const lastTransitionTime = old?.status === status ? old.lastTransitionTime : formatTime(now);
		const next = { type, status, lastTransitionTime, reason, message };
		conditions = at < 0 ? [...conditions, next] : conditions.with(at, next);
	}
	return conditions;
}

/** The namespace controller. */
export function createNamespaceController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const cache = ctx.informers.informer(namespaces);
	const api = client.resource(namespaces);
	const rounds = new Map<string, number>();
	const queue = controllerQueue(ctx, "namespace", sync, 10, cache);
	const enqueue = (ns: Namespace) => {
		if (ns.metadata.deletionTimestamp === undefined) return;
		const waited = clock.now() - timeOf(ns.metadata.deletionTimestamp);
		queue.addAfter(keyOf(ns), Math.max(0, Math.min(graceMs, graceMs - waited)));
	};
	cache.addHandlers({
		onAdd: enqueue,
		onUpdate(previous, ns) {
			// Our own status updates do not call for another round.
			const started = previous.metadata.deletionTimestamp === undefined;
			if (started || !sameFinalizers(previous, ns)) enqueue(ns);
		},
		onDelete: (ns) => void rounds.delete(keyOf(ns)),
	});

	async function sync(name: string): Promise<Requeue | undefined> {
		const cached = cache.get(name);
		if (cached?.metadata.deletionTimestamp === undefined) return undefined;
		let ns: Namespace;
		try {
			ns = await api.get("", name);
		} catch (error) {
			if (isNotFound(error)) return undefined;
			throw error;
		}
		if (ns.metadata.deletionTimestamp === undefined || ns.metadata.uid !== cached.metadata.uid) return undefined;
		if (ns.status?.phase !== "Terminating") {
			ns = await api.update({ ...ns, status: { ...ns.status, phase: "Terminating" } }, "status");
		}
		if (!(ns.spec?.finalizers ?? []).includes(finalizer)) return undefined;
		const report = await deleteContent(ns);
		const conditions = namespaceConditions(ns.status?.conditions, report, clock.now());
		if (conditions !== ns.status?.conditions) {
			ns = await api.update({ ...ns, status: { ...ns.status, conditions: [...conditions] } }, "status");
		}
		if (report.estimate > 0) return { requeueAfterMs: pause(name, report.estimate) };
		if (report.errors.length > 0) throw new Error(report.errors.join("; "));
		if (report.discoveryFailures.size > 0)
			throw new Error("discovery is incomplete: content of unknown types may remain");
		await finalize(ns);
		rounds.delete(name);
		return undefined;
	}

	/** Content that goes gracefully is looked at soon at first, and then less often, up to half its estimate. */
	function pause(name: string, estimateSeconds: number): number {
		const round = rounds.get(name) ?? 0;
		rounds.set(name, round + 1);
		return Math.min(estimateSeconds * 500 + 1000, 500 * 2 ** Math.min(round, 10));
	}

	async function finalize(ns: Namespace): Promise<void> {
		const finalizers = (ns.spec?.finalizers ?? []).filter((f) => f !== finalizer);
		try {
			await api.update({ ...ns, spec: { ...ns.spec, finalizers } }, "finalize");
		} catch (error) {
			if (!isNotFound(error)) throw error;
		}
	}

	/** Deletes everything that can be; pods before all else, so that nothing they depend on goes from under them. */
	async function deleteContent(ns: Namespace): Promise<ContentReport> {
		const { resources, failures } = await discover(client);
		const deletable = resources.filter((r) => r.namespaced && supports(r, "delete", "list"));
		const isPods = (r: DiscoveredResource) => r.group === "" && r.resource === "pods";
		const tally = {
			remaining: new Map<string, number>(),
			finalizers: new Map<string, number>(),
			errors: [] as string[],
		};
		let estimate = 0;
		for (const group of [deletable.filter(isPods), deletable.filter((r) => !isPods(r))]) {
			for (const resource of group) {
				try {
					estimate = Math.max(estimate, await deleteAll(ns, resource, tally));
				} catch (error) {
					tally.errors.push(errorText(error));
				}
			}
			if (tally.remaining.size > 0 || tally.errors.length > 0) break;
		}
		return { ...tally, discoveryFailures: failures, estimate };
	}

	/** Deletes one resource's objects; gives the seconds the rest of them may take. */
	async function deleteAll(
		ns: Namespace,
		resource: DiscoveredResource,
		tally: { remaining: Map<string, number>; finalizers: Map<string, number> },
	): Promise<number> {
		const namespace = ns.metadata.name ?? "";
		const objects = client.resource(resource);
		let items = await contents(objects, namespace);
		if (items.length === 0) return 0;
		try {
			if (supports(resource, "deletecollection")) {
				await objects.deleteCollection(namespace, {}, { propagationPolicy: "Background" });
			} else await deleteEach(resource, items);
		} catch (error) {
			if (!(error instanceof ApiError) || (error.code !== 404 && error.code !== 405)) throw error;
			await deleteEach(resource, items);
		}
		items = await contents(objects, namespace);
		if (items.length === 0) return 0;
		tally.remaining.set(`${resource.resource}.${resource.group}`, items.length);
		let held = false;
		for (const item of items) {
			for (const name of item.metadata.finalizers ?? []) {
				held = true;
				tally.finalizers.set(name, (tally.finalizers.get(name) ?? 0) + 1);
			}
		}
		const graceful = resource.resource === "pods" && resource.group === "" ? podGrace(items) : 0;
		const estimate = Math.max(graceful, held ? finalizerEstimateSeconds : 0);
		if (estimate > 0) return estimate;
		const { group, version, resource: plural } = resource;
		throw new Error(
			`unexpected items still remain in namespace: ${namespace} for gvr: ${group}/${version}, Resource=${plural}`,
		);
	}

	async function deleteEach(resource: DiscoveredResource, items: readonly KubeObject<object>[]) {
		for (const item of items) {
			await ignoringNotFound(deleteSeen(client, resource, item, { propagationPolicy: "Background" }));
		}
	}

	return queueController("namespace", queue);
}

/** What is in the namespace: of each object no more than deleting and telling of it needs. */
async function contents(objects: ResourceClient<object>, namespace: string): Promise<KubeObject<object>[]> {
	const keep = ({ apiVersion, kind, metadata, ...rest }: KubeObject<{ spec?: PodSpec }>) => {
		const { name, uid, finalizers } = metadata;
		const { terminationGracePeriodSeconds } = rest.spec ?? {};
		return {
			apiVersion,
			kind,
			metadata: { namespace, name, uid, finalizers },
			spec: { terminationGracePeriodSeconds },
		};
	};
	return (await listInPages(objects, namespace, { keep: keep as (item: KubeObject<object>) => KubeObject<object> }))
		.items;
}

/** The longest grace period among pods that are on their way out. */
function podGrace(pods: readonly KubeObject<object>[]): number {
	return greatest(
		pods.map((pod) => (pod as KubeObject<{ spec?: PodSpec }>).spec?.terminationGracePeriodSeconds ?? 30),
		0,
	);
}

const sameFinalizers = (a: Namespace, b: Namespace): boolean =>
	(a.spec?.finalizers ?? []).join() === (b.spec?.finalizers ?? []).join() &&
	(a.metadata.finalizers ?? []).join() === (b.metadata.finalizers ?? []).join();
