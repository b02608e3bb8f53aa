/** `kubernetes_build_info`: what a process is, as Kubernetes' own components tell Prometheus. */
import { Gauge, type Registry } from "prom-client";

export interface BuildVersion {
	readonly major: string;
	readonly minor: string;
	readonly gitVersion: string;
}

/** Adds the metric, whose value is always 1. What a build of ours does not have is empty. */
export function registerBuildInfo(registry: Registry, { major, minor, gitVersion }: BuildVersion): void {
	const labels = {
		major,
		minor,
		git_version: gitVersion,
		git_commit: "",
		git_tree_state: "",
		build_date: "",
		go_version: "",
		compiler: `node ${process.version}`,
		// As Go names them.
		platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
	};
	new Gauge({
		name: "kubernetes_build_info",
		help: "Constant 1, labelled by version, commit and build.",
		labelNames: Object.keys(labels),
		registers: [registry],
	}).set(labels, 1);
}
