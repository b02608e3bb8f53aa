/** A container's environment: values, references to ConfigMaps, Secrets and the pod's own fields, and service variables. */

import {
	isZeroQuantity,
	parseQuantity,
	quantityMilliValue,
	quantityOf,
	quantityValue,
} from "../../apiserver/machinery/quantity.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, EnvVar, Pod, ResourceFieldSelector, Service } from "../../apiserver/scheme/types.gen.ts";

/** Bytes by key, which need not be text; undefined: no such object. */
export interface ReferenceLookup {
	configMap(name: string): Promise<Readonly<Record<string, Buffer>> | undefined>;
	/** Values decoded. */
	secret(name: string): Promise<Readonly<Record<string, Buffer>> | undefined>;
}

/** A reference that cannot be resolved: the container waits with CreateContainerConfigError. */
export class ConfigError extends Error {
	override name = "ConfigError";
}

/** Expands `$(NAME)` from earlier variables; `$$(NAME)` stays literal; unknown names stay as they are. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
	return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
		if (name === undefined) return "$";
		return Object.hasOwn(env, name) ? (env[name] ?? "") : whole;
	});
}

/** Expands a path of which every variable must be known. Throws ConfigError. */
export function expandStrictly(text: string, env: Readonly<Record<string, string>>): string {
	const missing = [...text.matchAll(/\$\$|\$\(([^()]*)\)/g)].find(
		([, name]) => name !== undefined && !Object.hasOwn(env, name),
	);
	if (missing !== undefined) throw new ConfigError(`missing value for ${JSON.stringify(missing[1])}`);
	return expand(text, env);
}

/** The downward API's fields of a pod (`metadata.name`, `status.podIP`, `metadata.labels['x']` ...). */
export function podField(pod: KubeObject<Pod>, path: string, facts: { podIp: string; hostIp: string }): string {
	const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
	if (subscript !== null) {
		const map = subscript[1] === "labels" ? pod.metadata.labels : pod.metadata.annotations;
		return map?.[subscript[2] ?? ""] ?? "";
	}
	const lines = (map: Readonly<Record<string, string>> | undefined) =>
		Object.entries(map ?? {})
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, value]) => `${key}=${JSON.stringify(value)}`)
			.join("\n");
	switch (path) {
		case "metadata.name":
			return pod.metadata.name ?? "";
		case "metadata.namespace":
			return pod.metadata.namespace ?? "";
		case "metadata.uid":
			return pod.metadata.uid ?? "";
		case "metadata.labels":
			return lines(pod.metadata.labels);
		case "metadata.annotations":
			return lines(pod.metadata.annotations);
		case "spec.nodeName":
			return pod.spec?.nodeName ?? "";
		case "spec.serviceAccountName":
			return pod.spec?.serviceAccountName ?? "";
		case "status.podIP":
		case "status.podIPs":
			return facts.podIp;
		case "status.hostIP":
		case "status.hostIPs":
			return facts.hostIp;
		default:
			throw new ConfigError(`unsupported fieldPath: ${path}`);
	}
}

/**
 * `resourceFieldRef`: the container's limit or request in units of the divisor, rounded up; where it has no limit, what
 * the node has. Throws ConfigError.
 */
export function resourceField(
	container: Container,
	reference: ResourceFieldSelector,
	allocatable: Readonly<Record<string, string>>,
): string {
	const { resource = "", divisor = "0" } = reference;
	const [kind = "", name = ""] = resource.split(/\.(.*)/s, 2);
	if (kind !== "limits" && kind !== "requests") throw new ConfigError(`unsupported container resource : ${resource}`);
	const { limits, requests } = container.resources ?? {};
	const text = kind === "limits" ? (limits?.[name] ?? allocatable[name]) : requests?.[name];
	const value = parseQuantity(text ?? "0");
	const asked = parseQuantity(divisor);
	const unit = isZeroQuantity(asked) ? quantityOf(1) : asked;
	const measure = name === "cpu" ? quantityMilliValue : quantityValue;
	const by = measure(unit);
	return String((measure(value) + by - 1n) / by);
}

interface EnvironmentInput {
	readonly pod: KubeObject<Pod>;
	readonly container: Container;
	readonly references: ReferenceLookup;
	readonly podIp: string;
	readonly hostIp: string;
	/** Services of the pod's namespace and the `kubernetes` one, where the pod wants their variables. */
	readonly services: readonly KubeObject<Service>[];
	/** What the node has, by resource. */
	readonly allocatable: Readonly<Record<string, string>>;
	/** Set after the services', before the container's own. */
	readonly extra: Readonly<Record<string, string>>;
}

async function fromSources(input: EnvironmentInput, env: Record<string, string>): Promise<void> {
	for (const source of input.container.envFrom ?? []) {
		const isSecret = source.secretRef !== undefined;
		const reference = source.secretRef ?? source.configMapRef;
		const name = reference?.name ?? "";
		const data = await (isSecret ? input.references.secret(name) : input.references.configMap(name));
		if (data === undefined) {
			if (reference?.optional === true) continue;
			throw new ConfigError(`${isSecret ? "secret" : "configmap"} "${name}" not found`);
		}
		for (const [key, value] of Object.entries(data)) env[`${source.prefix ?? ""}${key}`] = value.toString("utf8");
	}
}

async function variableValue(variable: EnvVar, input: EnvironmentInput, env: Readonly<Record<string, string>>) {
	const from = variable.valueFrom;
	if (from === undefined) return expand(variable.value ?? "", env);
	if (from.fieldRef !== undefined) return podField(input.pod, from.fieldRef.fieldPath ?? "", input);
	if (from.resourceFieldRef !== undefined) {
		const containers = [...(input.pod.spec?.containers ?? []), ...(input.pod.spec?.initContainers ?? [])];
		const named = containers.find((candidate) => candidate.name === from.resourceFieldRef?.containerName);
		return resourceField(named ?? input.container, from.resourceFieldRef, input.allocatable);
	}
	const isSecret = from.secretKeyRef !== undefined;
	const reference = from.secretKeyRef ?? from.configMapKeyRef;
	const name = reference?.name ?? "";
	const data = await (isSecret ? input.references.secret(name) : input.references.configMap(name));
	const optional = reference?.optional === true;
	if (data === undefined) {
		if (optional) return undefined;
		throw new ConfigError(`${isSecret ? "secret" : "configmap"} "${name}" not found`);
	}
	const key = reference?.key ?? "";
	if (!Object.hasOwn(data, key)) {
		if (optional) return undefined;
		const namespace = input.pod.metadata.namespace;
		throw new ConfigError(`couldn't find key ${key} in ${isSecret ? "Secret" : "ConfigMap"} ${namespace}/${name}`);
	}
	return data[key]?.toString("utf8");
}

/** `REDIS_SERVICE_HOST`, `REDIS_SERVICE_PORT`, and the docker-link forms, for services with a cluster IP. */
export function serviceVariables(services: readonly KubeObject<Service>[]): Record<string, string> {
	const env: Record<string, string> = {};
	for (const service of services) {
		const ip = service.spec?.clusterIP;
		const [first] = service.spec?.ports ?? [];
		if (ip === undefined || ip === "" || ip === "None" || first === undefined) continue;
		const name = (service.metadata.name ?? "").toUpperCase().replaceAll("-", "_");
		env[`${name}_SERVICE_HOST`] = ip;
		env[`${name}_SERVICE_PORT`] = String(first.port);
		env[`${name}_PORT`] = `${(first.protocol ?? "TCP").toLowerCase()}://${ip}:${first.port}`;
		for (const port of service.spec?.ports ?? []) {
			const protocol = port.protocol ?? "TCP";
			const prefix = `${name}_PORT_${port.port}_${protocol}`;
			if (port.name) env[`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll("-", "_")}`] = String(port.port);
			env[prefix] = `${protocol.toLowerCase()}://${ip}:${port.port}`;
			env[`${prefix}_PROTO`] = protocol.toLowerCase();
			env[`${prefix}_PORT`] = String(port.port);
			env[`${prefix}_ADDR`] = ip;
		}
	}
	return env;
}

/** Rejects with ConfigError. */
export async function containerEnvironment(input: EnvironmentInput): Promise<Record<string, string>> {
	const env: Record<string, string> = { ...serviceVariables(input.services), ...input.extra };
	await fromSources(input, env);
	for (const variable of input.container.env ?? []) {
		const value = await variableValue(variable, input, env);
		if (value !== undefined) env[variable.name ?? ""] = value;
	}
	return env;
}
