/** What `/version` tells: the Kubernetes version whose API is served. */
export const kubernetesVersion = { major: "1", minor: "33", gitVersion: "v1.33.0+barque" } as const;

export const versionInfo = () => ({
	major: kubernetesVersion.major,
	minor: kubernetesVersion.minor,
	gitVersion: kubernetesVersion.gitVersion,
	gitCommit: "",
	gitTreeState: "clean",
	buildDate: "1970-01-01T00:00:00Z",
	goVersion: process.version.replace(/^v/, "node"),
	compiler: "node",
	platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
});
