/** The strategy of each resource. Kinds without a row follow the base. */
import { deepEqual } from "../../machinery/meta.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { ResourceInfo } from "../../scheme/resources.ts";
import { baseStrategy, type Strategy } from "../strategy.ts";
import { jobStrategy } from "./jobs.ts";
import { namespaceStrategy } from "./namespaces.ts";
import { podStrategy } from "./pods.ts";
import { templateWarnings } from "./templates.ts";

/** Deployments and replica sets: a status update changes no labels. */
const workloadStrategy: Strategy = {
	...baseStrategy,
	countsGenerations: true,
	warnings: templateWarnings,
	prepareForStatusUpdate(object, old) {
		object.metadata.labels = old.metadata.labels;
	},
};

const withoutMeta = ({ metadata: _, ...rest }: KubeObject) => rest;

/** Slices have no spec: everything beside metadata counts. */
const endpointSliceStrategy: Strategy = {
	...baseStrategy,
	prepareForCreate(object) {
		object.metadata.generation = 1;
	},
	prepareForUpdate(object, old) {
		const before = old.metadata.generation ?? 0;
		object.metadata.generation = deepEqual(withoutMeta(object), withoutMeta(old)) ? before : before + 1;
	},
};

const upsert: Strategy = { ...baseStrategy, allowCreateOnUpdate: true };

const strategies: Readonly<Record<string, Strategy>> = {
	pods: podStrategy,
	namespaces: namespaceStrategy,
	"batch/jobs": jobStrategy,
	"apps/deployments": workloadStrategy,
	"apps/replicasets": workloadStrategy,
	endpoints: upsert,
	"discovery.k8s.io/endpointslices": endpointSliceStrategy,
	events: upsert,
	"events.k8s.io/events": upsert,
	serviceaccounts: { ...baseStrategy, returnsDeleted: true },
	"coordination.k8s.io/leases": { ...upsert, allowUnconditionalUpdate: false },
	"rbac.authorization.k8s.io/roles": upsert,
	"rbac.authorization.k8s.io/clusterroles": upsert,
	"rbac.authorization.k8s.io/rolebindings": upsert,
	"rbac.authorization.k8s.io/clusterrolebindings": upsert,
};

/** `own`: strategies that stand on this server's options (services' addresses). */
export function strategyTable(own: Readonly<Record<string, Strategy>>): (resource: ResourceInfo) => Strategy {
	const all: Readonly<Record<string, Strategy>> = { ...strategies, ...own };
	return ({ group, resource }) => all[group === "" ? resource : `${group}/${resource}`] ?? baseStrategy;
}
