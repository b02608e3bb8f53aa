/** Pod Security's configuration: what holds for namespaces that say nothing, and who is exempt. */
import { dns1123LabelProblems, dns1123SubdomainProblems } from "../../machinery/names.ts";
import { fieldsOf, textOf } from "../configuration.ts";
import { type LevelVersion, type Mode, modes, type Policy, parseLevel, parseVersion } from "./policy.ts";

export interface PodSecurityConfiguration {
	readonly defaults: Policy;
	readonly exemptions: {
		readonly usernames: ReadonlySet<string>;
		readonly namespaces: ReadonlySet<string>;
		readonly runtimeClasses: ReadonlySet<string>;
	};
}

const group = "pod-security.admission.config.k8s.io";
const versions = ["v1", "v1beta1", "v1alpha1"];
const where = "PodSecurity's configuration";

function defaultsOf(value: unknown): Policy {
	const fields = fieldsOf(
		`${where}: defaults`,
		value,
		modes.flatMap((mode) => [mode, `${mode}-version`]),
	);
	const quote = (text: string) => JSON.stringify(text);
	const read = (mode: Mode): LevelVersion => {
		const level = textOf(`${where}: defaults`, fields, mode) || "privileged";
		const version = textOf(`${where}: defaults`, fields, `${mode}-version`) || "latest";
		const [parsedLevel, parsedVersion] = [parseLevel(level), parseVersion(version)];
		if ("why" in parsedLevel) throw new Error(`${where}: defaults.${mode}: ${quote(level)} ${parsedLevel.why}`);
		if ("why" in parsedVersion) {
			throw new Error(`${where}: defaults.${mode}-version: ${quote(version)} ${parsedVersion.why}`);
		}
		return { ...parsedLevel, ...parsedVersion };
	};
	return { enforce: read("enforce"), audit: read("audit"), warn: read("warn") };
}

function namesOf(
	fields: Readonly<Record<string, unknown>>,
	key: string,
	problems: (name: string) => readonly string[],
): ReadonlySet<string> {
	const at = `${where}: exemptions.${key}`;
	const list = fields[key] ?? [];
	if (!Array.isArray(list)) throw new Error(`${at} must be a list`);
	const names = new Set<string>();
	for (const [i, name] of list.entries()) {
		if (typeof name !== "string") throw new Error(`${at}[${i}] must be a string`);
		const why = names.has(name) ? ["is a duplicate"] : problems(name);
		if (why.length > 0) throw new Error(`${at}[${i}]: ${JSON.stringify(name)}: ${why.join(", ")}`);
		names.add(name);
	}
	return names;
}

/** Reads a document, undefined: none was given. Throws Error naming the field. */
export function podSecurityConfiguration(document: unknown): PodSecurityConfiguration {
	const fields = fieldsOf(where, document, ["apiVersion", "kind", "defaults", "exemptions"]);
	if (document !== undefined) {
		const [apiVersion, kind] = [textOf(where, fields, "apiVersion"), textOf(where, fields, "kind")];
		if (kind !== "PodSecurityConfiguration" || !versions.some((version) => apiVersion === `${group}/${version}`)) {
			throw new Error(`${where}: must be a PodSecurityConfiguration of ${group}/v1`);
		}
	}
	const keys = ["usernames", "namespaces", "runtimeClasses"] as const;
	const exemptions = fieldsOf(`${where}: exemptions`, fields["exemptions"], keys);
	return {
		defaults: defaultsOf(fields["defaults"]),
		exemptions: {
			usernames: namesOf(exemptions, "usernames", (name) => (name === "" ? ["username must not be empty"] : [])),
			namespaces: namesOf(exemptions, "namespaces", dns1123LabelProblems),
			runtimeClasses: namesOf(exemptions, "runtimeClasses", dns1123SubdomainProblems),
		},
	};
}
