/** What the package exports: a real cluster for tests, and the typed client it comes with. */

export { createApiClient } from "./apiserver/client/rest.ts";
export type { ApiClient, ResourceClient } from "./apiserver/client/types.ts";
export type { GroupVersionResource, KubeList, KubeObject } from "./apiserver/scheme/object.ts";
export type * from "./apiserver/scheme/types.gen.ts";
export { type Cluster, type StartClusterOptions, startCluster } from "./cluster/start-cluster.ts";
