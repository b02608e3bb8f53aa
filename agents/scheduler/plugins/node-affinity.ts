/** NodeAffinity (with nodeSelector) and NodeName. */
import type { NodeSelectorRequirement, NodeSelectorTerm } from "../../../apiserver/scheme/types.gen.ts";
import { type FilterPlugin, normalize, rejectedForGood, type ScorePlugin } from "../framework.ts";
import type { NodeInfo, PodObject } from "../node-info.ts";

function requirementHolds(requirement: NodeSelectorRequirement, fields: Readonly<Record<string, string>>): boolean {
	const key = requirement.key ?? "";
	const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
	const values = requirement.values ?? [];
	switch (requirement.operator) {
		case "In":
			return value !== undefined && values.includes(value);
		case "NotIn":
			return value === undefined || !values.includes(value);
		case "Exists":
			return value !== undefined;
		case "DoesNotExist":
			return value === undefined;
		case "Gt":
			return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0] ?? "0");
		case "Lt":
			return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0] ?? "0");
		default:
			return false;
	}
}

/** A term without expressions and fields matches nothing. */
export function termMatches(term: NodeSelectorTerm, node: NodeInfo): boolean {
	const expressions = term.matchExpressions ?? [];
	const fields = term.matchFields ?? [];
	if (expressions.length === 0 && fields.length === 0) return false;
	return (
		expressions.every((requirement) => requirementHolds(requirement, node.labels)) &&
		fields.every((requirement) => requirementHolds(requirement, { "metadata.name": node.name }))
	);
}

/** Whether nodeSelector and the required node affinity admit the node. */
export function affinityAdmits(pod: PodObject, node: NodeInfo): boolean {
	for (const [key, value] of Object.entries(pod.spec?.nodeSelector ?? {})) {
		if (node.labels[key] !== value) return false;
	}
	const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
	if (required === undefined) return true;
	return (required.nodeSelectorTerms ?? []).some((term) => termMatches(term, node));
}

export const nodeAffinity: FilterPlugin & ScorePlugin = {
	name: "NodeAffinity",
	weight: 2,
	prepare: (pod) => (node) =>
		affinityAdmits(pod, node) ? undefined : rejectedForGood("node(s) didn't match Pod's node affinity/selector"),
	score(pod, nodes) {
		const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
		if (preferred.length === 0) return undefined;
		const sums = nodes.map((node) => {
			let sum = 0;
			for (const { preference, weight } of preferred) {
				if (preference !== undefined && termMatches(preference, node)) sum += weight ?? 0;
			}
			return sum;
		});
		return normalize(sums, false);
	},
};

export const nodeName: FilterPlugin = {
	name: "NodeName",
	prepare(pod) {
		const wanted = pod.spec?.nodeName;
		if (!wanted) return undefined;
		return (node) =>
			node.name === wanted ? undefined : rejectedForGood("node(s) didn't match the requested node name");
	},
};
