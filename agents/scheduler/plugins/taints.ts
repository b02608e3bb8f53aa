/** TaintToleration and NodeUnschedulable. */
import { tolerates } from "../../../apiserver/machinery/pods.ts";
import type { Taint } from "../../../apiserver/scheme/types.gen.ts";
import { type FilterPlugin, normalize, rejectedForGood, type ScorePlugin } from "../framework.ts";
import type { PodObject } from "../node-info.ts";

const unschedulableTaint: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

const tolerated = (pod: PodObject, taint: Taint) =>
	(pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

export const taintToleration: FilterPlugin & ScorePlugin = {
	name: "TaintToleration",
	weight: 3,
	prepare: (pod) => (node) => {
		const taint = (node.node.spec?.taints ?? []).find(
			(candidate) => candidate.effect !== "PreferNoSchedule" && !tolerated(pod, candidate),
		);
		if (taint === undefined) return undefined;
		return rejectedForGood(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`);
	},
	score(pod, nodes) {
		const intolerable = nodes.map(
			(node) =>
				(node.node.spec?.taints ?? []).filter((taint) => taint.effect === "PreferNoSchedule" && !tolerated(pod, taint))
					.length,
		);
		return normalize(intolerable, true);
	},
};

export const nodeUnschedulable: FilterPlugin = {
	name: "NodeUnschedulable",
	prepare(pod) {
		if (tolerated(pod, unschedulableTaint)) return undefined;
		return (node) =>
			node.node.spec?.unschedulable === true ? rejectedForGood("node(s) were unschedulable") : undefined;
	},
};
