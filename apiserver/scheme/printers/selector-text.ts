/** Label selectors in their object form as one line. */
import { fromLabelSelector, SelectorError } from "../../machinery/selectors.ts";
import type { LabelSelector } from "../types.gen.ts";

/** `app=web,tier in (a,b)`; `<none>` for none or one that selects everything. */
export function labelSelectorText(selector: LabelSelector | undefined): string {
	if (selector === undefined) return "<none>";
	try {
		fromLabelSelector(selector);
	} catch (error) {
		if (error instanceof SelectorError) return "<error>";
		throw error;
	}
	const requirements: [string, string][] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => [
		key,
		`${key}=${value}`,
	]);
	for (const { key = "", operator, values = [] } of selector.matchExpressions ?? []) {
		const list = [...values].sort().join(",");
		if (operator === "In") requirements.push([key, `${key} in (${list})`]);
		else if (operator === "NotIn") requirements.push([key, `${key} notin (${list})`]);
		else requirements.push([key, operator === "Exists" ? key : `!${key}`]);
	}
	if (requirements.length === 0) return "<none>";
	return requirements
		.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
		.map(([, line]) => line)
		.join(",");
}
