/** Which plugins run, by the flags' names and in upstream's order. */
import type { Authorizer } from "../authz/types.ts";
import type { PluginConfigurations } from "./configuration.ts";
import { defaultTolerationSeconds, priority, type TolerationSeconds, taintNodesByCondition } from "./defaults.ts";
import { namespaceLifecycle } from "./lifecycle.ts";
import { nodeRestriction } from "./noderestriction.ts";
import { podSecurityConfiguration } from "./podsecurity/configuration.ts";
import { podSecurity } from "./podsecurity/plugin.ts";
import { runtimeClass } from "./runtimeclass.ts";
import { type ServiceAccountAdmissionOptions, serviceAccountAdmission } from "./serviceaccount.ts";
import type { AdmissionAttributes, AdmissionPlugin } from "./types.ts";

export interface AdmissionOptions extends ServiceAccountAdmissionOptions {
	/** `--enable-admission-plugins`, beside the default ones. */
	readonly enable: readonly string[];
	/** `--disable-admission-plugins`, also of the default ones. */
	readonly disable: readonly string[];
	readonly tolerationSeconds: TolerationSeconds;
	/** `--admission-control-config-file`. */
	readonly configurations: PluginConfigurations;
	/** Told what plugins found that neither refuses nor warns. */
	readonly audit: (attributes: AdmissionAttributes, text: string) => void;
	/** Asked by plugins for permissions beyond the request's own. */
	readonly authorizer: Authorizer;
}

/** On unless disabled. */
export const defaultPlugins: readonly string[] = [
	"NamespaceLifecycle",
	"ServiceAccount",
	"TaintNodesByCondition",
	"PodSecurity",
	"Priority",
	"DefaultTolerationSeconds",
	"RuntimeClass",
];

/** Plugins that take a configuration. */
const configured: readonly string[] = ["PodSecurity"];

/** The chain these options ask for. Throws Error for a plugin that does not exist, or is both enabled and disabled. */
export function admissionChain(options: AdmissionOptions): AdmissionPlugin[] {
	const known: readonly AdmissionPlugin[] = [
		namespaceLifecycle,
		serviceAccountAdmission(options),
		nodeRestriction(options.authorizer),
		taintNodesByCondition,
		podSecurity(podSecurityConfiguration(options.configurations.get("PodSecurity")), options.audit),
		priority,
		defaultTolerationSeconds(options.tolerationSeconds),
		runtimeClass,
	];
	const names = known.map((p) => p.name);
	const check = (flag: string, list: readonly string[]) => {
		for (const name of list) {
			if (!names.includes(name)) {
				throw new Error(`${flag}: admission plugin ${JSON.stringify(name)} is unknown; known: ${names.join(", ")}`);
			}
		}
	};
	check("enable-admission-plugins", options.enable);
	check("disable-admission-plugins", options.disable);
	check("admission-control-config-file", [...options.configurations.keys()]);
	const useless = [...options.configurations].find(
		([name, document]) => !configured.includes(name) && document !== undefined,
	);
	if (useless !== undefined) {
		throw new Error(
			`admission-control-config-file: admission plugin ${JSON.stringify(useless[0])} takes no configuration`,
		);
	}
	const both = options.enable.filter((name) => options.disable.includes(name));
	if (both.length > 0) {
		throw new Error(`[${both.join(" ")}] in enable-admission-plugins and disable-admission-plugins overlapped`);
	}
	const wanted = new Set([...defaultPlugins, ...options.enable].filter((name) => !options.disable.includes(name)));
	return known.filter((p) => wanted.has(p.name));
}
