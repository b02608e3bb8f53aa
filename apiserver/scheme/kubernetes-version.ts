/** The Kubernetes release whose API we serve and whose components' behaviour ours follow; shown by /version and by nodes. */
export const kubernetesVersion = { major: "1", minor: "33", gitVersion: "v1.33.0+barque" } as const;
