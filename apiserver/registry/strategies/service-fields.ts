/**
 * Fields of a service that depend on its type or on each other. Pure functions that change the new spec: what the server
 * once set is kept where the client leaves it out, and what a former type had goes where the client did not change it.
 */
import { type FieldError, fieldInvalid } from "../../machinery/errors.ts";
import { deepEqual } from "../../machinery/meta.ts";
import {
	allocatesNodePorts,
	externallyAccessible,
	headless,
	mayHaveNodePorts,
	needsAddress,
	needsHealthPort,
} from "../../scheme/service-types.ts";
import type { ServiceSpec } from "../../scheme/types.gen.ts";
import { clusterAddresses } from "../../scheme/validation/service.ts";

const nodePortNumbers = (spec: ServiceSpec | undefined): Set<number> =>
	new Set((spec?.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port !== 0));

/** The address a service holds. */
export const addressOf = (spec: ServiceSpec | undefined): string | undefined =>
	spec !== undefined && needsAddress(spec) && spec.clusterIP !== headless && (spec.clusterIP ?? "") !== ""
		? spec.clusterIP
		: undefined;

/** The numbers of the node port range that a service holds. */
export function portsOf(spec: ServiceSpec | undefined): Set<number> {
	if (spec === undefined || !mayHaveNodePorts(spec)) return new Set();
	const ports = nodePortNumbers(spec);
	if (needsHealthPort(spec) && (spec.healthCheckNodePort ?? 0) !== 0) ports.add(spec.healthCheckNodePort ?? 0);
	return ports;
}

const isSame = (spec: ServiceSpec, old: ServiceSpec, ...fields: (keyof ServiceSpec)[]) =>
	fields.every((field) => deepEqual(spec[field], old[field]));

/** What was allocated stays where it is left out: a PUT of the manifest again succeeds. */
export function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
	if (needsAddress(spec) && needsAddress(old)) {
		if ((spec.clusterIP ?? "") === "" && old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
		if ((spec.clusterIPs ?? []).length === 0 && old.clusterIPs !== undefined) spec.clusterIPs = old.clusterIPs;
	}
	if (allocatesNodePorts(spec) && allocatesNodePorts(old)) {
		const now = nodePortNumbers(spec);
		const before = new Map((old.ports ?? []).map((port) => [port.name ?? "", port.nodePort ?? 0]));
		for (const port of spec.ports ?? []) {
			const same = before.get(port.name ?? "") ?? 0;
			if ((port.nodePort ?? 0) === 0 && same !== 0 && !now.has(same)) port.nodePort = same;
		}
	}
	if (needsHealthPort(spec) && needsHealthPort(old) && (spec.healthCheckNodePort ?? 0) === 0) {
		if (old.healthCheckNodePort !== undefined) spec.healthCheckNodePort = old.healthCheckNodePort;
	}
}

/** Clients older than clusterIPs write clusterIP alone; the other follows it. */
export function syncAddresses(spec: ServiceSpec, old: ServiceSpec | undefined): void {
	const [now, before] = [spec.clusterIP ?? "", old?.clusterIP ?? ""];
	const all = spec.clusterIPs ?? [];
	if (old === undefined) {
		if (now !== "" && all.length === 0) spec.clusterIPs = [now];
		return;
	}
	if (now === before) {
		if (all.length === 0 && (old.clusterIPs ?? []).length > 0) spec.clusterIPs = old.clusterIPs;
		return;
	}
	if (!deepEqual(all, old.clusterIPs ?? [])) return;
	if (before !== "" && now === "") delete spec.clusterIPs;
	else spec.clusterIPs = [now];
}

type Family = "IPv4" | "IPv6";

const familyOf = (ip: string): Family => (ip.includes(":") ? "IPv6" : "IPv4");
const other = (family: string | undefined): Family => (family === "IPv4" ? "IPv6" : "IPv4");
const policyField = "spec.ipFamilyPolicy";

/** What an update to fewer addresses or families needs, or does of itself. */
function reduceFamilies(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
	const [addresses, families] = [spec.clusterIPs ?? [], spec.ipFamilies ?? []];
	if (spec.ipFamilyPolicy === "SingleStack") {
		if (isSame(spec, old, "clusterIP", "clusterIPs") && addresses.length > 1) spec.clusterIPs = addresses.slice(0, 1);
		if (isSame(spec, old, "ipFamilies") && families.length > 1) spec.ipFamilies = families.slice(0, 1);
		return [];
	}
	const errors: FieldError[] = [];
	const release = (what: string) =>
		errors.push(
			fieldInvalid(policyField, spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`),
		);
	if (addresses.length > 0 && addresses.length < (old.clusterIPs ?? []).length) release("cluster IP");
	if (families.length > 0 && families.length < (old.ipFamilies ?? []).length) release("IP family");
	return errors;
}

/** What a policy of one family is at odds with, and families that follow from the addresses. */
function inferFamilies(spec: ServiceSpec, configured: ReadonlySet<string>): FieldError[] {
	const errors: FieldError[] = [];
	const addresses = spec.clusterIPs ?? [];
	if (spec.ipFamilyPolicy === "SingleStack") {
		const need = (what: string) =>
			errors.push(
				fieldInvalid(
					policyField,
					spec.ipFamilyPolicy,
					`must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
				),
			);
		if (addresses.length === 2) need("cluster IPs");
		if (spec.ipFamilies?.length === 2) need("IP families");
	}
	for (const [i, ip] of addresses.entries()) {
		if (ip === headless) break;
		if (i < (spec.ipFamilies ?? []).length) continue;
		const family = familyOf(ip);
		if (configured.has(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
		else errors.push(fieldInvalid(`spec.clusterIPs[${i}]`, addresses, `${family} is not configured on this cluster`));
	}
	return errors;
}

/** An update that leaves a service of PreferDualStack as it is never adds or removes a family. */
const staysPreferred = (spec: ServiceSpec, old: ServiceSpec | undefined): boolean =>
	old !== undefined &&
	spec.type === old.type &&
	spec.ipFamilyPolicy === "PreferDualStack" &&
	(old.ipFamilyPolicy ?? "PreferDualStack") === "PreferDualStack" &&
	isSame(spec, old, "clusterIP", "clusterIPs", "ipFamilies");

function defaultPolicy(spec: ServiceSpec, old: ServiceSpec | undefined): string {
	if (old?.ipFamilyPolicy !== undefined) return old.ipFamilyPolicy;
	const isBare = spec.clusterIP === headless && Object.keys(spec.selector ?? {}).length === 0;
	return isBare ? "RequireDualStack" : "SingleStack";
}

/**
 * Sets ipFamilies and ipFamilyPolicy where they are left out; gives what is wrong with them. `configured`: the cluster's
 * families, the default first.
 */
export function settleFamilies(
	spec: ServiceSpec,
	old: ServiceSpec | undefined,
	configured: readonly Family[],
): FieldError[] {
	if (!needsAddress(spec) || staysPreferred(spec, old)) return [];
	spec.ipFamilyPolicy ??= defaultPolicy(spec, old);
	const wrong = clusterAddresses(spec);
	if (wrong.length > 0) return wrong;
	const known = new Set<string>(configured);
	const errors = [...(old === undefined ? [] : reduceFamilies(spec, old)), ...inferFamilies(spec, known)];
	if (errors.length > 0) return errors;
	const usual = configured[0] ?? "IPv4";
	if (spec.clusterIP === headless && Object.keys(spec.selector ?? {}).length === 0) {
		// Nobody but its author knows what such a service leads to: it may have families that the cluster does not.
		if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [usual];
		const families = spec.ipFamilies ?? [];
		if (families.length < 2 && spec.ipFamilyPolicy !== "SingleStack")
			spec.ipFamilies = [...families, other(families[0])];
		return [];
	}
	if (spec.ipFamilyPolicy === "RequireDualStack" && configured.length < 2) {
		const why = "this cluster is not configured for dual-stack services";
		errors.push(fieldInvalid(policyField, spec.ipFamilyPolicy, why));
	}
	for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
		if (known.has(family)) continue;
		errors.push(fieldInvalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"));
	}
	if (errors.length > 0) return errors;
	if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [usual];
	const families = spec.ipFamilies ?? [];
	if (spec.ipFamilyPolicy !== "SingleStack" && families.length === 1 && configured.length === 2) {
		spec.ipFamilies = [...families, other(families[0])];
	}
	return [];
}

/** Takes away what only the former type had, unless the client changed it too: then it is refused by its checks. */
export function dropOfOldType(spec: ServiceSpec, old: ServiceSpec): void {
	if (needsAddress(old) && !needsAddress(spec)) {
		if (isSame(spec, old, "clusterIP", "clusterIPs")) {
			delete spec.clusterIP;
			delete spec.clusterIPs;
		}
		if (isSame(spec, old, "ipFamilies")) delete spec.ipFamilies;
		if (isSame(spec, old, "ipFamilyPolicy")) delete spec.ipFamilyPolicy;
	}
	if ((mayHaveNodePorts(old) && !mayHaveNodePorts(spec)) || spec.type === "ClusterIP") {
		const before = nodePortNumbers(old);
		if ([...nodePortNumbers(spec)].every((port) => before.has(port))) {
			for (const port of spec.ports ?? []) delete port.nodePort;
		}
	}
	// Not only of the type that the service has just left: earlier versions of this server kept such fields in the store.
	const dropSame = (
		field: "healthCheckNodePort" | "allocateLoadBalancerNodePorts" | "loadBalancerClass" | "externalTrafficPolicy",
	) => {
		if (isSame(spec, old, field)) delete spec[field];
	};
	if (!needsHealthPort(spec)) dropSame("healthCheckNodePort");
	if (spec.type !== "LoadBalancer") {
		dropSame("allocateLoadBalancerNodePorts");
		dropSame("loadBalancerClass");
	}
	if (!externallyAccessible(spec)) dropSame("externalTrafficPolicy");
}
