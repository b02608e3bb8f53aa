/** A request's namespace, name and selectors as the cache's selection. */
import type { Selection } from "../cache/selection.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import { triggerOf } from "./facts.ts";
import type { ListOptions } from "./query.ts";

export function selectionOf(
	resource: ResourceInfo,
	namespace: string,
	name: string,
	options: Pick<ListOptions, "labels" | "fields">,
): Selection {
	const { labels, fields } = options;
	const inNamespace = namespace === "" ? (fields.exactValue("metadata.namespace") ?? "") : namespace;
	const named = name === "" ? (fields.exactValue("metadata.name") ?? "") : name;
	const exact = named !== "" && (!resource.namespaced || inNamespace !== "");
	const prefix = resource.namespaced && inNamespace !== "" ? `${inNamespace}/` : "";
	const trigger = triggerOf(resource);
	return {
		scope: exact ? prefix + named : prefix,
		exact,
		matches:
			labels.empty && fields.empty
				? undefined
				: (facts) => labels.matches(facts.labels) && fields.matches(facts.fields),
		trigger: trigger === undefined ? undefined : fields.exactValue(trigger),
	};
}
