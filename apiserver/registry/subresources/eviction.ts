/** Eviction: deletion that a disruption budget may delay. No budgets are served yet, so it is deletion with its own preconditions. */
import { badRequest, notFound } from "../../machinery/errors.ts";
import { formatTime } from "../../machinery/meta.ts";
import type { KubeObject } from "../../scheme/object.ts";
import { findResource, type ResourceInfo } from "../../scheme/resources.ts";
import type { DeleteOptions, PodStatus } from "../../scheme/types.gen.ts";
import { admitMutating, admitValidating } from "../admit.ts";
import type { Scope } from "../context.ts";
import { decodeBody } from "../decode.ts";
import { checkPreconditions, remove } from "../delete.ts";
import { readConsistent } from "../read.ts";
import { sendStatus } from "../respond.ts";
import { update } from "../update.ts";
import { decodeView } from "../views.ts";
import { checkDeleteOptions, readWriteOptions } from "../write-options.ts";

const pods = findResource("", "v1", "pods") as ResourceInfo;

/** Pods that run nowhere any more, or not yet, are not disrupted. */
function isDisrupted(pod: KubeObject): boolean {
	const { phase } = (pod["status"] ?? {}) as PodStatus;
	return (
		phase !== "Pending" && phase !== "Succeeded" && phase !== "Failed" && pod.metadata.deletionTimestamp === undefined
	);
}

/** Says on the pod why it will go, before it does: jobs' failure policies look for it. */
async function markDisrupted(scope: Scope, options: DeleteOptions): Promise<DeleteOptions> {
	const { services, namespace, name } = scope;
	const entry = await readConsistent(services, pods, namespace, name);
	if (entry === undefined) throw notFound(pods, name);
	if (!isDisrupted(decodeView(pods, entry.bytes, entry.revision))) return options;
	const now = formatTime(services.clock.now());
	const marked = await update(services, {
		...scope,
		resource: pods,
		subresource: "status",
		dryRun: false,
		conditional: false,
		wanted(current) {
			checkPreconditions({ resource: pods, name, options }, current);
			const status = (current["status"] ?? {}) as PodStatus;
			const conditions = (status.conditions ?? []).filter((c) => c.type !== "DisruptionTarget");
			const disrupted = {
				type: "DisruptionTarget",
				status: "True",
				reason: "EvictionByEvictionAPI",
				message: "Eviction API: evicting",
				lastTransitionTime: now,
			};
			return { ...current, status: { ...status, conditions: [...conditions, disrupted] } };
		},
	});
	if (options.preconditions?.resourceVersion === undefined) return options;
	// It was met by what is marked now.
	return { ...options, preconditions: { ...options.preconditions, resourceVersion: String(marked.revision) } };
}

export async function createEviction(scope: Scope): Promise<void> {
	const { services, name } = scope;
	const { dryRun, fieldValidation } = readWriteOptions(scope.request.query, "CreateOptions");
	const eviction = await decodeBody(scope, { group: "policy", version: "v1", kind: "Eviction" }, fieldValidation);
	const named = eviction.metadata.name ?? "";
	if (named !== "" && named !== name) {
		throw badRequest("name in URL does not match name in Eviction object");
	}
	const given = (eviction["deleteOptions"] ?? {}) as DeleteOptions;
	checkDeleteOptions(given);
	const options: DeleteOptions = dryRun ? { ...given, dryRun: ["All"] } : given;
	const subject = {
		operation: "CREATE" as const,
		resource: pods,
		subresource: "eviction",
		namespace: scope.namespace,
		name,
		object: eviction,
		user: scope.user,
		dryRun,
		warnings: scope.warnings,
	};
	await admitMutating(services, subject);
	await admitValidating(services, subject);
	const settled = dryRun ? options : await markDisrupted(scope, options);
	await remove(services, { ...scope, resource: pods, options: settled });
	sendStatus(scope, 201, {});
}
