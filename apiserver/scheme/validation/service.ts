/** Services: what each type may have, and what may not change. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "../../machinery/names.ts";
import { externallyAccessible, headless, isHeadless, needsHealthPort } from "../service-types.ts";
import type { Service, ServicePort, ServiceSpec } from "../types.gen.ts";
import {
	cidrRange,
	each,
	ipAddress,
	isIPv6,
	labels,
	oneOf,
	portNumber,
	portNumberOrName,
	problems,
	qualifiedName,
	required,
	requiredOneOf,
	transportProtocols,
} from "./common.ts";

const maxAffinitySeconds = 86_400;
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
const unchangeable = "may not change once set";
const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];

function port(path: string, given: ServicePort, named: boolean, names: Set<string>): FieldError[] {
	const errors: FieldError[] = [];
	if (!given.name) {
		if (named) errors.push(fieldRequired(`${path}.name`));
	} else {
		append(errors, problems(`${path}.name`, given.name, dns1123LabelProblems(given.name)));
		if (names.has(given.name)) errors.push(fieldDuplicate(`${path}.name`, given.name));
		names.add(given.name);
	}
	append(errors, portNumber(`${path}.port`, given.port));
	append(errors, requiredOneOf(`${path}.protocol`, given.protocol, transportProtocols));
	append(errors, portNumberOrName(`${path}.targetPort`, given.targetPort));
	if (given.appProtocol !== undefined) append(errors, qualifiedName(`${path}.appProtocol`, given.appProtocol));
	return errors;
}

/** Upstream shows its own struct here. */
const portKey = (p: ServicePort) => ({
	Name: "",
	Protocol: p.protocol,
	AppProtocol: null,
	Port: p.port,
	TargetPort: 0,
	NodePort: 0,
});

/** Numbers that are used twice, and node ports of a type that has none. */
function portNumbers(spec: ServiceSpec): FieldError[] {
	const given = spec.ports ?? [];
	const errors: FieldError[] = [];
	if (spec.type === "ClusterIP") {
		for (const [i, p] of given.entries()) {
			if (!p.nodePort) continue;
			errors.push(fieldForbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
		}
	}
	const nodePorts = new Set<string>();
	for (const [i, p] of given.entries()) {
		if (!p.nodePort) continue;
		const key = `${p.protocol}/${p.nodePort}`;
		if (nodePorts.has(key)) errors.push(fieldDuplicate(`spec.ports[${i}].nodePort`, p.nodePort));
		nodePorts.add(key);
	}
	const numbers = new Set<string>();
	for (const [i, p] of given.entries()) {
		const key = `${p.protocol}/${p.port}`;
		if (numbers.has(key)) errors.push(fieldDuplicate(`spec.ports[${i}]`, portKey(p)));
		numbers.add(key);
	}
	return errors;
}

/** What stands or falls with the type. */
function ofType(spec: ServiceSpec): FieldError[] {
	const errors: FieldError[] = [];
	const { type, clusterIPs = [] } = spec;
	if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && type !== "ExternalName") {
		errors.push(fieldRequired("spec.ports"));
	}
	if (type === "NodePort" || type === "LoadBalancer") {
		if (isHeadless(spec)) {
			errors.push(fieldInvalid("spec.clusterIPs[0]", headless, `may not be set to 'None' for ${type} services`));
		}
	}
	if (type !== "ExternalName") return errors;
	const notForNames = (field: string) =>
		errors.push(fieldForbidden(`spec.${field}`, "may not be set for ExternalName services"));
	if (clusterIPs.length > 0) notForNames("clusterIPs");
	if ((spec.ipFamilies?.length ?? 0) > 0) notForNames("ipFamilies");
	if (spec.ipFamilyPolicy !== undefined) notForNames("ipFamilyPolicy");
	// It may end in a dot, as a name that is whole.
	const name = (spec.externalName ?? "").replace(/\.$/, "");
	append(errors, required("spec.externalName", name));
	if (name !== "") append(errors, problems("spec.externalName", name, dns1123SubdomainProblems(name)));
	return errors;
}

function affinity(spec: ServiceSpec): FieldError[] {
	const at = "spec.sessionAffinityConfig";
	const errors = requiredOneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]);
	const { sessionAffinity, sessionAffinityConfig: config } = spec;
	if (sessionAffinity === "None" && config !== undefined) {
		errors.push(fieldForbidden(at, "must not be set when session affinity is None"));
	}
	if (sessionAffinity !== "ClientIP") return errors;
	const seconds = config?.clientIP?.timeoutSeconds;
	if (seconds === undefined) {
		errors.push(fieldRequired(at, "when session affinity type is ClientIP"));
	} else if (seconds <= 0 || seconds > maxAffinitySeconds) {
		const why = `must be greater than 0 and less than ${maxAffinitySeconds}`;
		errors.push(fieldInvalid(`${at}.clientIP.timeoutSeconds`, seconds, why));
	}
	return errors;
}

/** clusterIP and clusterIPs say the same. */
function addressesAgree(spec: ServiceSpec): FieldError[] {
	const at = "spec.clusterIPs";
	const { clusterIP = "", clusterIPs: all = [] } = spec;
	if (clusterIP === "") {
		return all.length === 0 ? [] : [fieldInvalid(at, all, "must be empty when `clusterIP` is not specified")];
	}
	if (all.length === 0) return [fieldRequired(at)];
	return all[0] === clusterIP ? [] : [fieldInvalid(at, all, "first value must match `clusterIP`")];
}

function families(spec: ServiceSpec): FieldError[] {
	const seen = new Set<string>();
	const errors = each("spec.ipFamilies", spec.ipFamilies, (at, family) => {
		const found = oneOf(at, family, ["IPv4", "IPv6"]);
		if (seen.has(family)) found.push(fieldDuplicate(at, family));
		seen.add(family);
		return found;
	});
	append(
		errors,
		oneOf("spec.ipFamilyPolicy", spec.ipFamilyPolicy, ["PreferDualStack", "RequireDualStack", "SingleStack"]),
	);
	return errors;
}

/** Addresses that do not fit each other or their families; asked only where each is an address. */
function addressFamilies(spec: ServiceSpec): FieldError[] {
	const at = "spec.clusterIPs";
	const { clusterIPs: all = [], ipFamilies = [] } = spec;
	const errors: FieldError[] = [];
	if (all.length > 1 && (all.length > 2 || isIPv6(all[0] ?? "") === isIPv6(all[1] ?? ""))) {
		errors.push(fieldInvalid(at, all, "may specify no more than one IP for each IP family"));
	}
	if (isHeadless(spec)) return errors;
	for (const [i, ip] of all.entries()) {
		const family = ipFamilies[i];
		if (family === undefined) break;
		if ((family === "IPv6") === isIPv6(ip)) continue;
		errors.push(fieldInvalid(`${at}[${i}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
	}
	return errors;
}

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy among themselves; also asked before addresses are handed out. */
export function clusterAddresses(spec: ServiceSpec): FieldError[] {
	if (spec.type === "ExternalName") return [];
	const at = "spec.clusterIPs";
	const all = spec.clusterIPs ?? [];
	const errors = [...addressesAgree(spec), ...families(spec)];
	const before = errors.length;
	for (const [i, ip] of all.entries()) {
		if (i > 0 || ip !== headless) append(errors, ipAddress(`${at}[${i}]`, ip));
		else if (all.length > 1) errors.push(fieldInvalid(at, all, "'None' must be the first and only value"));
	}
	const isBad = errors.length > before;
	if (all.length > 2) errors.push(fieldInvalid(at, all, "may only hold up to 2 values"));
	if (!isBad) append(errors, addressFamilies(spec));
	return errors;
}

function specialAddress(path: string, ip: string): FieldError[] {
	const refuse = (why: string) => [fieldInvalid(path, ip, why)];
	if (ip === "0.0.0.0" || ip === "::") return refuse(`may not be unspecified (${ip})`);
	if (ip.startsWith("127.") || ip === "::1") return refuse("may not be in the loopback range (127.0.0.0/8, ::1/128)");
	if (ip.startsWith("169.254.") || /^fe[89ab]/i.test(ip)) {
		return refuse("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
	}
	return ip.startsWith("224.0.0.") || /^ff.2:/i.test(ip)
		? refuse("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
		: [];
}

function externalAddress(path: string, ip: string): FieldError[] {
	const errors = ipAddress(path, ip);
	return errors.length > 0 ? errors : specialAddress(path, ip);
}

function loadBalancer(spec: ServiceSpec): FieldError[] {
	const errors: FieldError[] = [];
	const isOne = spec.type === "LoadBalancer";
	const ranges = spec.loadBalancerSourceRanges ?? [];
	// The field's name is upstream's slip.
	const at = "spec.LoadBalancerSourceRanges";
	if (ranges.length > 0 && !isOne) errors.push(fieldForbidden(at, onlyLoadBalancer));
	append(
		errors,
		each(at, ranges, (path, range) => cidrRange(path, range.trim())),
	);
	const allocate = spec.allocateLoadBalancerNodePorts;
	if (allocate !== undefined && !isOne) {
		errors.push(fieldForbidden("spec.allocateLoadBalancerNodePorts", onlyLoadBalancer));
	}
	if (isOne && allocate === undefined) errors.push(fieldRequired("spec.allocateLoadBalancerNodePorts"));
	append(errors, loadBalancerClass(spec));
	return errors;
}

function loadBalancerClass(spec: ServiceSpec): FieldError[] {
	const at = "spec.loadBalancerClass";
	if (spec.loadBalancerClass === undefined) return [];
	return spec.type === "LoadBalancer"
		? qualifiedName(at, spec.loadBalancerClass)
		: [fieldForbidden(at, onlyLoadBalancer)];
}

function trafficPolicies(spec: ServiceSpec): FieldError[] {
	const errors: FieldError[] = [];
	const { externalTrafficPolicy: outside, healthCheckNodePort: health = 0 } = spec;
	const at = "spec.externalTrafficPolicy";
	if (externallyAccessible(spec)) append(errors, requiredOneOf(at, outside, ["Cluster", "Local"]));
	else if ((outside ?? "") !== "") {
		errors.push(fieldInvalid(at, outside, "may only be set for externally-accessible services"));
	}
	const healthAt = "spec.healthCheckNodePort";
	if (needsHealthPort(spec)) {
		append(errors, health === 0 ? [fieldRequired(healthAt)] : portNumber(healthAt, health));
	} else if (health !== 0) {
		const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
		errors.push(fieldInvalid(healthAt, health, why));
	}
	const inside = spec.internalTrafficPolicy;
	if (inside === undefined && spec.type !== "ExternalName") errors.push(fieldRequired("spec.internalTrafficPolicy"));
	append(errors, oneOf("spec.internalTrafficPolicy", inside, ["Cluster", "Local"]));
	if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
		errors.push(fieldNotSupported("spec.trafficDistribution", spec.trafficDistribution, distributions));
	}
	return errors;
}

export function validateService(service: Service): FieldError[] {
	const spec = service.spec ?? {};
	const given = spec.ports ?? [];
	const names = new Set<string>();
	return [
		...ofType(spec),
		...each("spec.ports", given, (at, p) => port(at, p, given.length > 1, names)),
		...labels("spec.selector", spec.selector),
		...affinity(spec),
		...clusterAddresses(spec),
		...each("spec.externalIPs", spec.externalIPs, externalAddress),
		...requiredOneOf("spec.type", spec.type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
		...portNumbers(spec),
		...loadBalancer(spec),
		...trafficPolicies(spec),
	];
}

/** An address stays, but for a second one that a single stack lets go of, and when a service becomes a name or was one. */
function addressChanges(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
	const at = "spec.clusterIPs";
	const [now, before] = [spec.clusterIPs ?? [], old.clusterIPs ?? []];
	if (isHeadless(spec) && isHeadless(old)) return [];
	if (now.length === before.length) {
		return before.flatMap((ip, i) => (ip === now[i] ? [] : [fieldInvalid(`${at}[${i}]`, now, unchangeable)]));
	}
	const errors: FieldError[] = [];
	if (now.length === 0)
		errors.push(fieldInvalid(`${at}[0]`, spec.clusterIPs ?? null, "primary clusterIP can not be unset"));
	if (now.length > 0 && before.length > 0 && now[0] !== before[0]) {
		errors.push(fieldInvalid(`${at}[0]`, now, unchangeable));
	}
	if (now.length === 1 && before.length > 1 && spec.ipFamilyPolicy !== "SingleStack") {
		const why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
		errors.push(fieldInvalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy ?? null, why));
	}
	return errors;
}

function familyChanges(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
	const at = "spec.ipFamilies[0]";
	const [now, before] = [spec.ipFamilies ?? [], old.ipFamilies ?? []];
	if (isHeadless(spec) || isHeadless(old)) return [];
	if (now.length === before.length) {
		return before.flatMap((family, i) => (family === now[i] ? [] : [fieldInvalid(at, now, unchangeable)]));
	}
	const errors: FieldError[] = [];
	if (now.length > 0 && before.length > 0 && now[0] !== before[0]) {
		errors.push(fieldInvalid(at, spec.clusterIPs ?? null, unchangeable));
	}
	if (now.length === 1 && before.length > 1 && spec.ipFamilyPolicy !== "SingleStack") {
		const why = "must be set to 'SingleStack' when releasing the secondary ipFamily";
		errors.push(fieldInvalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy ?? null, why));
	}
	return errors;
}

export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
	const [spec, before] = [service.spec ?? {}, old.spec ?? {}];
	const errors: FieldError[] = [];
	if (spec.type !== "ExternalName" && before.type !== "ExternalName") {
		append(errors, addressChanges(spec, before));
		append(errors, familyChanges(spec, before));
	}
	if (spec.type === "LoadBalancer" && before.type === "LoadBalancer") {
		if (spec.loadBalancerClass !== before.loadBalancerClass) {
			errors.push(fieldInvalid("spec.loadBalancerClass", spec.loadBalancerClass ?? null, unchangeable));
		}
	}
	const isOtherHealthPort = spec.healthCheckNodePort !== before.healthCheckNodePort;
	if (needsHealthPort(spec) && needsHealthPort(before) && isOtherHealthPort) {
		errors.push(fieldForbidden("spec.healthCheckNodePort", "field is immutable"));
	}
	append(errors, validateService(service));
	return errors;
}
