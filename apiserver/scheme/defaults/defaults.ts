/** Upstream's v1 defaults, per kind. */
import type { KubeObject } from "../object.ts";
import {
	defaultEndpointSlice,
	defaultEndpoints,
	defaultNamespace,
	defaultNode,
	defaultRoleBinding,
	defaultSecret,
	defaultService,
	defaultTokenRequest,
} from "./core.ts";
import { defaultPod } from "./pod.ts";
import { defaultDeployment, defaultJob, defaultReplicaSet } from "./workloads.ts";

const defaulters: Readonly<Record<string, (object: never) => void>> = {
	"v1 Namespace": defaultNamespace,
	"v1 Node": defaultNode,
	"v1 Pod": defaultPod,
	"v1 Secret": defaultSecret,
	"v1 Service": defaultService,
	"v1 Endpoints": defaultEndpoints,
	"apps/v1 Deployment": defaultDeployment,
	"apps/v1 ReplicaSet": defaultReplicaSet,
	"batch/v1 Job": defaultJob,
	"discovery.k8s.io/v1 EndpointSlice": defaultEndpointSlice,
	"rbac.authorization.k8s.io/v1 RoleBinding": defaultRoleBinding,
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": defaultRoleBinding,
	"authentication.k8s.io/v1 TokenRequest": defaultTokenRequest,
};

/** Fills in defaults, in place. The object is normalized: what is absent is undefined, never null or an empty string. */
export function applyDefaults(object: KubeObject): void {
	defaulters[`${object.apiVersion} ${object.kind}`]?.(object as never);
}
