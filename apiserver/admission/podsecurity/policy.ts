/** Pod Security's levels, versions and modes, and the policy that a namespace's labels ask for. */
import { type FieldError, fieldInvalid } from "../../machinery/errors.ts";

export type Level = "privileged" | "baseline" | "restricted";
export type Mode = "enforce" | "audit" | "warn";
/** A minor version of Kubernetes 1; "latest" is newer than all. */
export type Version = number | "latest";

export interface LevelVersion {
	readonly level: Level;
	readonly version: Version;
}

export type Policy = Readonly<Record<Mode, LevelVersion>>;

/** From lax to strict. */
const levels: readonly Level[] = ["privileged", "baseline", "restricted"];
export const modes: readonly Mode[] = ["enforce", "audit", "warn"];
const prefix = "pod-security.kubernetes.io/";
export const levelLabel = (mode: Mode): string => prefix + mode;
export const versionLabel = (mode: Mode): string => `${prefix}${mode}-version`;

const versionPattern = /^v1\.(\d|[1-9]\d{1,8})$/;

/** `restricted:v1.24`. */
export const showPolicy = ({ level, version }: LevelVersion): string =>
	`${level}:${version === "latest" ? version : `v1.${version}`}`;

/** A level, or why the text is none. */
export function parseLevel(text: string): { readonly level: Level } | { readonly why: string } {
	const level = levels.find((l) => l === text);
	return level === undefined ? { why: `must be one of ${levels.join(", ")}` } : { level };
}

/** A version, or why the text is none. */
export function parseVersion(text: string): { readonly version: Version } | { readonly why: string } {
	if (text === "latest") return { version: "latest" };
	const minor = versionPattern.exec(text)?.[1];
	return minor === undefined ? { why: 'must be "latest" or "v1.x"' } : { version: Number(minor) };
}

export const samePolicy = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.version === b.version;

const stricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);

/** Whether a change from `before` to `after` may forbid pods that were allowed. */
export function mayForbidMore(after: LevelVersion, before: LevelVersion): boolean {
	if (samePolicy(after, before) || after.level === "privileged") return false;
	return after.version !== before.version || stricter(after.level, before.level);
}

export const isPrivileged = (policy: Policy): boolean => modes.every((mode) => policy[mode].level === "privileged");

/**
 * What a namespace with these labels wants, `defaults` where it says nothing. A policy comes out even of labels that cannot
 * be read: what enforces then fails closed, what only tells fails open.
 */
export function policyOf(
	labels: Readonly<Record<string, string>> | undefined,
	defaults: Policy,
): { readonly policy: Policy; readonly errors: readonly FieldError[] } {
	const errors: FieldError[] = [];
	const policy: Record<Mode, LevelVersion> = { ...defaults };
	const label = (key: string) => (labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined);
	const refuse = (key: string, value: string, why: string) =>
		errors.push(fieldInvalid(`metadata.labels[${key}]`, value, why));
	let enforces = false;
	for (const mode of modes) {
		const level = label(levelLabel(mode));
		if (level !== undefined) {
			const parsed = parseLevel(level);
			if ("why" in parsed) refuse(levelLabel(mode), level, parsed.why);
			else enforces ||= mode === "enforce";
			const fallback: Level = mode === "enforce" ? "restricted" : "privileged";
			policy[mode] = { ...policy[mode], level: "why" in parsed ? fallback : parsed.level };
		}
		const version = label(versionLabel(mode));
		if (version !== undefined) {
			const parsed = parseVersion(version);
			if ("why" in parsed) refuse(versionLabel(mode), version, parsed.why);
			policy[mode] = { ...policy[mode], version: "why" in parsed ? "latest" : parsed.version };
		}
	}
	// Who enforces a level and says nothing of warnings is warned by it: of templates, whose pods will be refused.
	if (label(levelLabel("warn")) === undefined && enforces && stricter(policy.enforce.level, policy.warn.level)) {
		const version = label(versionLabel("warn")) === undefined ? policy.enforce.version : policy.warn.version;
		policy.warn = { level: policy.enforce.level, version };
	}
	return { policy, errors };
}
