import { kubernetesVersion } from "./scheme/kubernetes-version.ts";

/** What `/version` tells. */
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
