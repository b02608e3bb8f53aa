/** Jobs: the selector and the labels by which a job finds its pods, unless the user says manualSelector. */
import type { DeleteOptions, JobSpec } from "../../scheme/types.gen.ts";
import { baseStrategy, type Strategy } from "../strategy.ts";
import { templateWarnings } from "./templates.ts";

const prefix = "batch.kubernetes.io/";

export const jobStrategy: Strategy = {
	...baseStrategy,
	countsGenerations: true,
	orphansByDefault: true,
	prepareForCreate(object) {
		const spec = (object["spec"] ?? {}) as JobSpec;
		if (spec.manualSelector === true) return;
		const { uid = "", name = "" } = object.metadata;
		spec.template ??= {};
		spec.template.metadata ??= {};
		spec.template.metadata.labels = {
			...spec.template.metadata.labels,
			"controller-uid": uid,
			"job-name": name,
			[`${prefix}controller-uid`]: uid,
			[`${prefix}job-name`]: name,
		};
		spec.selector = {
			...spec.selector,
			matchLabels: { ...spec.selector?.matchLabels, [`${prefix}controller-uid`]: uid },
		};
		object["spec"] = spec;
	},
	warnings: templateWarnings,
	warnOnDelete(_object, options: DeleteOptions) {
		if (options.propagationPolicy !== undefined || options.orphanDependents !== undefined) return [];
		return [
			"child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
		];
	},
};
