/** InterPodAffinity: required terms filter, preferred ones score; existing pods' required anti-affinity is honoured too. */

import { fromLabelSelector } from "../../../apiserver/machinery/selectors.ts";
import type { PodAffinityTerm } from "../../../apiserver/scheme/types.gen.ts";
import { greatest, smallest } from "../../../kit/lists.ts";
import {
	type FilterPlugin,
	maxNodeScore,
	rejected,
	rejectedForGood,
	type ScorePlugin,
	type Snapshot,
} from "../framework.ts";
import type { NodeInfo, PodObject } from "../node-info.ts";

interface Term {
	readonly topologyKey: string;
	readonly matches: (other: PodObject) => boolean;
}

function parse(term: PodAffinityTerm, owner: PodObject, snapshot: Snapshot): Term {
	const labels = owner.metadata.labels ?? {};
	const selector =
		term.labelSelector === undefined
			? undefined
			: fromLabelSelector({
					matchLabels: term.labelSelector.matchLabels,
					matchExpressions: [
						...(term.labelSelector.matchExpressions ?? []),
						...(term.matchLabelKeys ?? [])
							.filter((key) => labels[key] !== undefined)
							.map((key) => ({ key, operator: "In", values: [labels[key] ?? ""] })),
						...(term.mismatchLabelKeys ?? [])
							.filter((key) => labels[key] !== undefined)
							.map((key) => ({ key, operator: "NotIn", values: [labels[key] ?? ""] })),
					],
				});
	const namespaces = new Set(term.namespaces ?? []);
	const byLabels = term.namespaceSelector === undefined ? undefined : fromLabelSelector(term.namespaceSelector);
	if (namespaces.size === 0 && byLabels === undefined) namespaces.add(owner.metadata.namespace ?? "");
	return {
		topologyKey: term.topologyKey ?? "",
		matches(other) {
			const namespace = other.metadata.namespace ?? "";
			if (!namespaces.has(namespace) && byLabels?.matches(snapshot.namespaceLabels(namespace)) !== true) return false;
			return selector?.matches(other.metadata.labels ?? {}) ?? false;
		},
	};
}

const requiredTerms = (pod: PodObject, snapshot: Snapshot) =>
	(pod.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) =>
		parse(term, pod, snapshot),
	);
const requiredAntiTerms = (pod: PodObject, snapshot: Snapshot) =>
	(pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) =>
		parse(term, pod, snapshot),
	);

/** Those terms of a pod that runs already which can be read: the others are its own misfortune, not everybody's. */
function usableAntiTerms(pod: PodObject, snapshot: Snapshot): Term[] {
	const terms = pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
	if (!Array.isArray(terms)) return [];
	return terms.flatMap((term) => {
		try {
			return [parse(term, pod, snapshot)];
		} catch {
			return [];
		}
	});
}

/** The domains ("key=value") in which some existing pod satisfies `test`. */
function domainsWhere(snapshot: Snapshot, key: string, test: (other: PodObject) => boolean): Set<string> {
	const domains = new Set<string>();
	for (const node of snapshot.nodes) {
		const value = node.labels[key];
		if (value === undefined || domains.has(value)) continue;
		for (const other of node.pods.values()) {
			if (!test(other)) continue;
			domains.add(value);
			break;
		}
	}
	return domains;
}

/** Domains closed to the pod by the anti-affinity of pods that run already. */
function closedByOthers(pod: PodObject, snapshot: Snapshot): Set<string> {
	const closed = new Set<string>();
	for (const node of snapshot.nodes) {
		for (const other of node.pods.values()) {
			if (other.spec?.affinity?.podAntiAffinity === undefined) continue;
			for (const term of usableAntiTerms(other, snapshot)) {
				const value = node.labels[term.topologyKey];
				if (value !== undefined && term.matches(pod)) closed.add(`${term.topologyKey}=${value}`);
			}
		}
	}
	return closed;
}

const inDomain = (node: NodeInfo, key: string, domains: ReadonlySet<string>) => {
	const value = node.labels[key];
	return value !== undefined && domains.has(value);
};

export const interPodAffinity: FilterPlugin & ScorePlugin = {
	name: "InterPodAffinity",
	weight: 2,
	prepare(pod, snapshot) {
		const closed = closedByOthers(pod, snapshot);
		const terms = requiredTerms(pod, snapshot);
		const antiTerms = requiredAntiTerms(pod, snapshot);
		if (closed.size === 0 && terms.length === 0 && antiTerms.length === 0) return undefined;
		const all = (other: PodObject) => terms.every((term) => term.matches(other));
		const wanted = terms.map((term) => ({ term, domains: domainsWhere(snapshot, term.topologyKey, all) }));
		// The first pod of a group that wants to be together may go anywhere (it matches its own terms).
		const isFirst = wanted.every(({ domains }) => domains.size === 0) && all(pod);
		const avoided = antiTerms.map((term) => ({
			term,
			domains: domainsWhere(snapshot, term.topologyKey, term.matches),
		}));
		return (node) => {
			for (const { term, domains } of wanted) {
				if (node.labels[term.topologyKey] === undefined || !(isFirst || inDomain(node, term.topologyKey, domains))) {
					return rejectedForGood("node(s) didn't match pod affinity rules");
				}
			}
			if (avoided.some(({ term, domains }) => inDomain(node, term.topologyKey, domains))) {
				return rejected("node(s) didn't match pod anti-affinity rules");
			}
			for (const [key, value] of Object.entries(node.labels)) {
				if (closed.has(`${key}=${value}`)) return rejected("node(s) didn't satisfy existing pods anti-affinity rules");
			}
			return undefined;
		};
	},
	score(pod, nodes, snapshot) {
		const affinity = pod.spec?.affinity;
		const weighted = [
			...(affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => ({ t, sign: 1 })),
			...(affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => ({
				t,
				sign: -1,
			})),
		];
		if (weighted.length === 0) return undefined;
		const sums = nodes.map(() => 0);
		for (const { t, sign } of weighted) {
			const term = parse(t.podAffinityTerm ?? {}, pod, snapshot);
			const byDomain = new Map<string, number>();
			for (const node of snapshot.nodes) {
				const value = node.labels[term.topologyKey];
				if (value === undefined) continue;
				for (const other of node.pods.values()) {
					if (term.matches(other)) byDomain.set(value, (byDomain.get(value) ?? 0) + sign * (t.weight ?? 0));
				}
			}
			for (const [i, node] of nodes.entries()) {
				sums[i] = (sums[i] ?? 0) + (byDomain.get(node.labels[term.topologyKey] ?? "") ?? 0);
			}
		}
		const least = smallest(sums);
		const spread = greatest(sums) - least;
		return sums.map((sum) => (spread === 0 ? 0 : Math.floor((maxNodeScore * (sum - least)) / spread)));
	},
};
