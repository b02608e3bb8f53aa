/** Jobs' podFailurePolicy, successPolicy and limits per index. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
	fieldTooLong,
} from "../../machinery/errors.ts";
import type {
	JobSpec,
	PodFailurePolicyOnExitCodesRequirement,
	PodFailurePolicyOnPodConditionsPattern,
	PodFailurePolicyRule,
	SuccessPolicyRule,
} from "../types.gen.ts";
import { each, nonNegative, oneOf, qualifiedName } from "./common.ts";

const maxRules = 20;
const maxPatterns = 20;
const maxExitCodes = 255;
const maxSucceededIndexes = 64 << 10;
/** Above this many completions, limits per index are bounded so that the indexes on record stay short. */
const manyCompletions = 100_000;
const maxParallelismOfMany = 10_000;
const maxFailedIndexesOfMany = 10_000;

const actions = ["Count", "FailIndex", "FailJob", "Ignore"] as const;
const quoted = (values: readonly string[]) => `valid values: [${values.map((v) => JSON.stringify(v)).join(" ")}]`;

const tooMany = (field: string, count: number, most: number): FieldError => ({
	type: "FieldValueTooMany",
	field,
	message: `Too many: ${count}: must have at most ${most} items`,
});

/** An invalid value that is too big to be shown. */
const unfit = (field: string, why: string): FieldError => ({
	type: "FieldValueInvalid",
	field,
	message: `Invalid value: ${why}`,
});

function listed(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
	return value === undefined || value === "" ? [fieldRequired(path, quoted(supported))] : oneOf(path, value, supported);
}

function exitCodes(
	path: string,
	wanted: PodFailurePolicyOnExitCodesRequirement,
	containers: ReadonlySet<string>,
): FieldError[] {
	const errors = listed(`${path}.operator`, wanted.operator, ["In", "NotIn"]);
	if (wanted.containerName !== undefined && !containers.has(wanted.containerName)) {
		const why = "must be one of the container or initContainer names in the pod template";
		errors.push(fieldInvalid(`${path}.containerName`, wanted.containerName, why));
	}
	const values = wanted.values ?? [];
	const at = `${path}.values`;
	if (values.length === 0) errors.push(fieldInvalid(at, values, "at least one value is required"));
	else if (values.length > maxExitCodes) errors.push(tooMany(at, values.length, maxExitCodes));
	const seen = new Set<number>();
	for (const [i, value] of values.entries()) {
		if (wanted.operator === "In" && value === 0) {
			errors.push(fieldInvalid(`${at}[${i}]`, value, "must not be 0 for the In operator"));
		}
		if (seen.has(value)) errors.push(fieldDuplicate(`${at}[${i}]`, value));
		seen.add(value);
	}
	if (values.some((value, i) => i > 0 && value < (values[i - 1] as number))) {
		errors.push(fieldInvalid(at, values, "must be ordered"));
	}
	return errors;
}

function conditionPatterns(
	path: string,
	patterns: readonly PodFailurePolicyOnPodConditionsPattern[] | undefined,
): FieldError[] {
	const count = patterns?.length ?? 0;
	return [
		...(count > maxPatterns ? [tooMany(path, count, maxPatterns)] : []),
		...each(path, patterns, (at, pattern) => [
			...qualifiedName(`${at}.type`, pattern.type ?? ""),
			...listed(`${at}.status`, pattern.status, ["False", "True", "Unknown"]),
		]),
	];
}

function failureRule(
	path: string,
	rule: PodFailurePolicyRule,
	spec: JobSpec,
	containers: ReadonlySet<string>,
): FieldError[] {
	const errors: FieldError[] = [];
	if (rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
		errors.push(fieldInvalid(`${path}.action`, rule.action, "requires the backoffLimitPerIndex to be set"));
	}
	append(errors, listed(`${path}.action`, rule.action, actions));
	if (rule.onExitCodes !== undefined) append(errors, exitCodes(`${path}.onExitCodes`, rule.onExitCodes, containers));
	append(errors, conditionPatterns(`${path}.onPodConditions`, rule.onPodConditions));
	const hasConditions = (rule.onPodConditions?.length ?? 0) > 0;
	if (rule.onExitCodes !== undefined && hasConditions) {
		errors.push(unfit(path, "specifying both OnExitCodes and OnPodConditions is not supported"));
	} else if (rule.onExitCodes === undefined && !hasConditions) {
		errors.push(unfit(path, "specifying one of OnExitCodes and OnPodConditions is required"));
	}
	return errors;
}

export function failurePolicy(spec: JobSpec): FieldError[] {
	const errors = oneOf("spec.podReplacementPolicy", spec.podReplacementPolicy, ["Failed", "TerminatingOrFailed"]);
	if (spec.podFailurePolicy === undefined) return errors;
	if (spec.podReplacementPolicy !== undefined && spec.podReplacementPolicy !== "Failed") {
		errors.push(fieldNotSupported("spec.podReplacementPolicy", spec.podReplacementPolicy, ["Failed"]));
	}
	const rules = spec.podFailurePolicy.rules ?? [];
	const path = "spec.podFailurePolicy.rules";
	if (rules.length > maxRules) errors.push(tooMany(path, rules.length, maxRules));
	const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
	const names = new Set([...containers, ...initContainers].map(({ name }) => name ?? ""));
	append(
		errors,
		each(path, rules, (at, rule) => failureRule(at, rule, spec, names)),
	);
	return errors;
}

/** What is wrong with an index set like `1,3-5`, or how many indexes it has. */
function countIndexes(text: string, completions: number): number | string {
	let last = -1;
	let count = 0;
	if (text === "") return 0;
	for (const part of text.split(",")) {
		const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
		if (match === null) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
		const first = Number(match[1]);
		const end = Number(match[2] ?? match[1]);
		if (first <= last) return `non-increasing order, previous: ${last}, current: ${first}`;
		if (end < first) return `non-increasing order, previous: ${first}, current: ${end}`;
		if (end >= completions) return `too large index: ${JSON.stringify(String(end))}`;
		count += end - first + 1;
		last = end;
	}
	return count;
}

function successRule(path: string, rule: SuccessPolicyRule, completions: number): FieldError[] {
	const { succeededCount, succeededIndexes } = rule;
	if (succeededCount === undefined && succeededIndexes === undefined) {
		return [fieldRequired(path, "at least one of succeededCount or succeededIndexes must be specified")];
	}
	const errors: FieldError[] = [];
	let most = completions;
	let of = "the number of specified completions";
	if (succeededIndexes !== undefined) {
		const at = `${path}.succeededIndexes`;
		if (Buffer.byteLength(succeededIndexes) > maxSucceededIndexes) errors.push(fieldTooLong(at, maxSucceededIndexes));
		const count = countIndexes(succeededIndexes, completions);
		if (typeof count === "string") {
			errors.push(fieldInvalid(at, succeededIndexes, `error parsing succeededIndexes: ${count}`));
		} else {
			most = count;
			of = "the number of indexes in the specified succeededIndexes field";
		}
	}
	append(errors, nonNegative(`${path}.succeededCount`, succeededCount));
	if (succeededCount !== undefined && succeededCount > most) {
		errors.push(
			fieldInvalid(`${path}.succeededCount`, succeededCount, `must be less than or equal to ${most} (${of})`),
		);
	}
	return errors;
}

export function successPolicy(spec: JobSpec): FieldError[] {
	if (spec.successPolicy === undefined) return [];
	if (spec.completionMode !== "Indexed") {
		return [fieldInvalid("spec.successPolicy", spec.successPolicy, "requires indexed completion mode")];
	}
	const path = "spec.successPolicy.rules";
	const rules = spec.successPolicy.rules ?? [];
	if (rules.length === 0) {
		return [fieldRequired(path, "at least one rules must be specified when the successPolicy is specified")];
	}
	return [
		...(rules.length > maxRules ? [tooMany(path, rules.length, maxRules)] : []),
		...each(path, rules, (at, rule) => successRule(at, rule, spec.completions ?? 0)),
	];
}

const atMost = (path: string, value: number | undefined, most: number, why: string): FieldError[] =>
	value !== undefined && value > most ? [fieldInvalid(path, value, why)] : [];

export function limitsPerIndex(spec: JobSpec): FieldError[] {
	const { backoffLimitPerIndex, maxFailedIndexes, completions = 0, parallelism } = spec;
	if (spec.completionMode !== "Indexed") {
		const why = "requires indexed completion mode";
		return (["backoffLimitPerIndex", "maxFailedIndexes"] as const).flatMap((name) =>
			spec[name] === undefined ? [] : [fieldInvalid(`spec.${name}`, spec[name], why)],
		);
	}
	if (backoffLimitPerIndex === undefined) {
		if (maxFailedIndexes === undefined) return [];
		return [fieldRequired("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")];
	}
	const at = "spec.maxFailedIndexes";
	const errors = atMost(at, maxFailedIndexes, completions, "must be less than or equal to completions");
	if (completions <= manyCompletions) return errors;
	const many = `when completions are above ${manyCompletions} and used with backoff limit per index`;
	if (maxFailedIndexes === undefined) {
		errors.push(fieldRequired(at, `must be specified when completions is above ${manyCompletions}`));
	}
	return [
		...errors,
		...atMost(
			"spec.parallelism",
			parallelism,
			maxParallelismOfMany,
			`must be less than or equal to ${maxParallelismOfMany} ${many}`,
		),
		...atMost(
			at,
			maxFailedIndexes,
			maxFailedIndexesOfMany,
			`must be less than or equal to ${maxFailedIndexesOfMany} ${many}`,
		),
	];
}
