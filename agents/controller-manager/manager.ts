/** All controllers by name: which of them run, and with what settings. */

import { createClusterRoleAggregationController } from "./clusterrole-aggregation.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { createDeploymentController } from "./deployment/controller.ts";
import { createEndpointsController } from "./endpoints.ts";
import { createEndpointSliceController } from "./endpointslice.ts";
import { createGarbageCollector } from "./garbage-collector/controller.ts";
import { createJobController } from "./job/controller.ts";
import { createNamespaceController } from "./namespace.ts";
import { createNodeLifecycleController, type NodeLifecycleOptions } from "./node-lifecycle.ts";
import { createPodGcController } from "./pod-gc.ts";
import { createReplicaSetController } from "./replicaset.ts";
import { createRootCaController } from "./root-ca.ts";
import { createServiceAccountController } from "./serviceaccount.ts";
import { createTaintEvictionController } from "./taint-eviction.ts";
import { createTtlAfterFinishedController } from "./ttl-after-finished.ts";

export interface ManagerOptions {
	readonly nodes?: NodeLifecycleOptions;
	readonly terminatedPodThreshold?: number | undefined;
	/** PEM; without it no CA is published. */
	readonly rootCa?: string | undefined;
	readonly maxEndpointsPerSlice?: number | undefined;
	/** Keys processed at a time, by controller name. */
	readonly workers?: Readonly<Record<string, number>>;
}

type Create = (ctx: ControllerContext, options: ManagerOptions) => Controller | undefined;

/** By upstream's names. */
const all: ReadonlyMap<string, Create> = new Map<string, Create>([
	["serviceaccount-controller", (ctx) => createServiceAccountController(ctx)],
	[
		"root-ca-certificate-publisher-controller",
		(ctx, { rootCa }) => (rootCa === undefined ? undefined : createRootCaController(ctx, rootCa)),
	],
	["clusterrole-aggregation-controller", (ctx) => createClusterRoleAggregationController(ctx)],
	["replicaset-controller", (ctx) => createReplicaSetController(ctx)],
	["deployment-controller", (ctx) => createDeploymentController(ctx)],
	["job-controller", (ctx) => createJobController(ctx)],
	["ttl-after-finished-controller", (ctx) => createTtlAfterFinishedController(ctx)],
	["endpoints-controller", (ctx) => createEndpointsController(ctx)],
	[
		"endpointslice-controller",
		(ctx, { maxEndpointsPerSlice }) => createEndpointSliceController(ctx, maxEndpointsPerSlice),
	],
	["node-lifecycle-controller", (ctx, { nodes }) => createNodeLifecycleController(ctx, nodes)],
	["taint-eviction-controller", (ctx) => createTaintEvictionController(ctx)],
	[
		"pod-garbage-collector-controller",
		(ctx, { terminatedPodThreshold }) => createPodGcController(ctx, { terminatedThreshold: terminatedPodThreshold }),
	],
	["namespace-controller", (ctx) => createNamespaceController(ctx)],
	// Last: it shares the informers of those before it.
	["garbage-collector-controller", (ctx) => createGarbageCollector(ctx)],
]);

/** Upstream's older names. */
const aliases: Readonly<Record<string, string>> = {
	serviceaccount: "serviceaccount-controller",
	"root-ca-cert-publisher": "root-ca-certificate-publisher-controller",
	"clusterrole-aggregation": "clusterrole-aggregation-controller",
	replicaset: "replicaset-controller",
	deployment: "deployment-controller",
	job: "job-controller",
	"ttl-after-finished": "ttl-after-finished-controller",
	endpoint: "endpoints-controller",
	endpointslice: "endpointslice-controller",
	nodelifecycle: "node-lifecycle-controller",
	podgc: "pod-garbage-collector-controller",
	namespace: "namespace-controller",
	garbagecollector: "garbage-collector-controller",
};

export const controllerNames: readonly string[] = [...all.keys()];

/** The controllers `--controllers` selects: `*` all, `foo` on, `-foo` off; a name counts more than `*`. Throws Error on an unknown one. */
export function selectControllers(list: readonly string[]): string[] {
	const on = new Set<string>();
	const off = new Set<string>();
	let everything = false;
	for (const item of list) {
		if (item === "*") {
			everything = true;
			continue;
		}
		const given = item.replace(/^-/, "");
		const name = aliases[given] ?? given;
		if (!all.has(name)) throw new Error(`"${given}" is not in the list of known controllers`);
		(item.startsWith("-") ? off : on).add(name);
	}
	return controllerNames.filter((name) => on.has(name) || (everything && !off.has(name)));
}

/** Makes the named controllers; their informers are known to the factory afterwards, and not started. */
export function createControllers(
	ctx: ControllerContext,
	names: readonly string[],
	options: ManagerOptions = {},
): Controller[] {
	const controllers: Controller[] = [];
	for (const name of names) {
		const create = all.get(name);
		if (create === undefined) throw new Error(`"${name}" is not in the list of known controllers`);
		const controller = create({ ...ctx, workers: options.workers?.[name] }, options);
		if (controller === undefined)
			ctx.logger.warn("controller not started: its settings are missing", { controller: name });
		else controllers.push(controller);
	}
	return controllers;
}
