/** What who tightens a namespace's policy is told of the pods that are there already. They stay. */
import type { Pod } from "../../scheme/types.gen.ts";
import { evaluate, tellReasons } from "./evaluate.ts";
import { type LevelVersion, showPolicy } from "./policy.ts";

/** Pods looked at: the time of a label's change must not grow with the namespace. */
const maxPods = 3000;

/** Pods looked at in one turn of the event loop: reading one that nobody read before is what costs. */
const podsPerTurn = 100;
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Pods of the same controller are alike: one of each comes first, the others after all. */
async function byImportance(pods: Iterable<Pod>, exempt: ReadonlySet<string>): Promise<Pod[]> {
	const first: Pod[] = [];
	const others: Pod[] = [];
	const controllers = new Set<string>();
	let count = 0;
	for (const pod of pods) {
		if (++count % podsPerTurn === 0) await nextTurn();
		if (exempt.has(pod.spec?.runtimeClassName ?? "")) continue;
		const controller = pod.metadata?.ownerReferences?.find((o) => o.controller === true)?.uid;
		if (controller !== undefined && controllers.has(controller)) {
			others.push(pod);
			continue;
		}
		if (controller !== undefined) controllers.add(controller);
		first.push(pod);
	}
	// No spread: there may be very many.
	return first.concat(others);
}

function tell({ first, count }: { first: string; count: number }, reasons: string): string {
	if (count === 1) return `${first}: ${reasons}`;
	return `${first} (and ${count - 1} other ${count === 2 ? "pod" : "pods"}): ${reasons}`;
}

/** Warnings, of pods that violate alike together, named by the first of them. */
export async function existingPodWarnings(
	namespace: string,
	policy: LevelVersion,
	pods: Iterable<Pod>,
	exemptRuntimeClasses: ReadonlySet<string>,
): Promise<string[]> {
	const all = await byImportance(pods, exemptRuntimeClasses);
	const looked = all.slice(0, maxPods);
	const byReasons = new Map<string, { first: string; count: number }>();
	for (const [i, { metadata = {}, spec = {} }] of looked.entries()) {
		if (i % podsPerTurn === podsPerTurn - 1) await nextTurn();
		const reasons = tellReasons(evaluate(policy, { metadata, spec }));
		if (reasons === "") continue;
		const name = metadata.name ?? "";
		const seen = byReasons.get(reasons);
		const isFirst = seen === undefined || name < seen.first;
		byReasons.set(reasons, { first: isFirst ? name : seen.first, count: (seen?.count ?? 0) + 1 });
	}
	const warnings: string[] = [];
	if (looked.length < all.length) {
		warnings.push(
			`new PodSecurity enforce level only checked against the first ${looked.length} of ${all.length} existing pods`,
		);
	}
	if (byReasons.size === 0) return warnings;
	warnings.push(
		`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(showPolicy(policy))}`,
	);
	return warnings.concat([...byReasons].map(([reasons, group]) => tell(group, reasons)).sort());
}
