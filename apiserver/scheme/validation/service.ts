/** Services, endpoints, endpoint slices. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems, portNameProblems } from "../../machinery/names.ts";
import type { EndpointSlice, Endpoints, Service, ServicePort, ServiceSpec } from "../types.gen.ts";
import {
	each,
	immutable,
	ipAddress,
	isIPv4,
	isIPv6,
	labels,
	oneOf,
	portNumber,
	portNumberOrName,
	problems,
	requiredOneOf,
} from "./common.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const maxAffinitySeconds = 86_400;
const maxSliceEndpoints = 1_000;
const maxSlicePorts = 20_000;
const maxEndpointAddresses = 100;

const isHeadless = (spec: ServiceSpec) => spec.clusterIP === "None";

function port(path: string, given: ServicePort, named: boolean): FieldError[] {
	const errors: FieldError[] = [];
	if (!given.name) {
		if (named) errors.push(fieldRequired(`${path}.name`));
	} else append(errors, problems(`${path}.name`, given.name, dns1123LabelProblems(given.name)));
	append(errors, portNumber(`${path}.port`, given.port));
	append(errors, requiredOneOf(`${path}.protocol`, given.protocol, protocols));
	append(errors, portNumberOrName(`${path}.targetPort`, given.targetPort));
	return errors;
}

function ports(spec: ServiceSpec): FieldError[] {
	const given = spec.ports ?? [];
	const errors: FieldError[] = [];
	if (given.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") {
		errors.push(fieldRequired("spec.ports"));
	}
	append(
		errors,
		each("spec.ports", given, (at, p) => port(at, p, given.length > 1)),
	);
	const names = new Set<string>();
	const numbers = new Set<string>();
	const nodePorts = new Set<string>();
	for (const [i, p] of given.entries()) {
		if (p.name && names.has(p.name)) errors.push(fieldDuplicate(`spec.ports[${i}].name`, p.name));
		names.add(p.name ?? "");
		const number = `${p.protocol}/${p.port}`;
		if (numbers.has(number)) errors.push(fieldDuplicate(`spec.ports[${i}]`, { protocol: p.protocol, port: p.port }));
		numbers.add(number);
		if (!p.nodePort) continue;
		if (spec.type === "ClusterIP" || spec.type === "ExternalName") {
			errors.push(fieldForbidden(`spec.ports[${i}].nodePort`, `may not be used when \`type\` is '${spec.type}'`));
		}
		const nodePort = `${p.protocol}/${p.nodePort}`;
		if (nodePorts.has(nodePort)) errors.push(fieldDuplicate(`spec.ports[${i}].nodePort`, p.nodePort));
		nodePorts.add(nodePort);
	}
	return errors;
}

function addresses(spec: ServiceSpec): FieldError[] {
	const errors: FieldError[] = [];
	if (spec.type === "ExternalName") {
		if (spec.clusterIP) errors.push(fieldForbidden("spec.clusterIPs", "may not be set for ExternalName services"));
		if (!spec.externalName) errors.push(fieldRequired("spec.externalName"));
		else append(errors, problems("spec.externalName", spec.externalName, dns1123SubdomainProblems(spec.externalName)));
		return errors;
	}
	if (spec.clusterIP && !isHeadless(spec)) append(errors, ipAddress("spec.clusterIPs[0]", spec.clusterIP));
	if (isHeadless(spec) && (spec.type === "NodePort" || spec.type === "LoadBalancer")) {
		errors.push(fieldInvalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`));
	}
	if (spec.clusterIPs !== undefined && spec.clusterIP !== spec.clusterIPs[0]) {
		errors.push(fieldInvalid("spec.clusterIPs", spec.clusterIPs, "first value must match `clusterIP`"));
	}
	append(errors, each("spec.externalIPs", spec.externalIPs, ipAddress));
	return errors;
}

export function validateService(service: Service): FieldError[] {
	const spec = service.spec ?? {};
	const errors = [
		...ports(spec),
		...labels("spec.selector", spec.selector),
		...requiredOneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]),
		...requiredOneOf("spec.type", spec.type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
		...addresses(spec),
		...oneOf("spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"]),
		...oneOf("spec.externalTrafficPolicy", spec.externalTrafficPolicy, ["Cluster", "Local"]),
		...oneOf("spec.ipFamilyPolicy", spec.ipFamilyPolicy, ["PreferDualStack", "RequireDualStack", "SingleStack"]),
		...each("spec.ipFamilies", spec.ipFamilies, (at, family) => oneOf(at, family, ["IPv4", "IPv6"])),
	];
	const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
	if (timeout !== undefined && (timeout <= 0 || timeout > maxAffinitySeconds)) {
		errors.push(
			fieldInvalid(
				"spec.sessionAffinityConfig.clientIP.timeoutSeconds",
				timeout,
				`must be greater than 0 and less than ${maxAffinitySeconds}`,
			),
		);
	}
	return errors;
}

export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
	const errors = validateService(service);
	const needsIP = (s: Service) => s.spec?.type !== "ExternalName";
	const before = old.spec?.clusterIP;
	if (before && needsIP(service) && needsIP(old) && service.spec?.clusterIP !== before) {
		const given = service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? ""];
		errors.push(fieldInvalid("spec.clusterIPs[0]", given, "may not change once set"));
	}
	return errors;
}

/**
 * Addresses that no endpoint can have. Upstream refuses the loopback range too; here pods of the `process` runtime and all
 * masters of a cluster on one machine have their addresses in it.
 */
function forbiddenAddress(path: string, ip: string): FieldError[] {
	if (ip === "0.0.0.0" || ip === "::") return [fieldInvalid(path, ip, `may not be unspecified (${ip})`)];
	if (ip.startsWith("169.254.") || /^fe[89ab]/i.test(ip)) {
		return [fieldInvalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")];
	}
	return [];
}

const endpointIP = (path: string, ip: string): FieldError[] => [...ipAddress(path, ip), ...forbiddenAddress(path, ip)];

export function validateEndpoints(endpoints: Endpoints): FieldError[] {
	return each("subsets", endpoints.subsets, (at, subset) => {
		const errors: FieldError[] = [];
		if ((subset.addresses?.length ?? 0) === 0 && (subset.notReadyAddresses?.length ?? 0) === 0) {
			errors.push(fieldRequired(at, "must specify `addresses` or `notReadyAddresses`"));
		}
		for (const name of ["addresses", "notReadyAddresses"] as const) {
			append(
				errors,
				each(`${at}.${name}`, subset[name], (path, address) => [
					...endpointIP(`${path}.ip`, address.ip ?? ""),
					...(address.hostname
						? problems(`${path}.hostname`, address.hostname, dns1123LabelProblems(address.hostname))
						: []),
				]),
			);
		}
		const many = (subset.ports?.length ?? 0) > 1;
		append(
			errors,
			each(`${at}.ports`, subset.ports, (path, p) => [
				...(many && !p.name ? [fieldRequired(`${path}.name`)] : []),
				...(p.name ? problems(`${path}.name`, p.name, dns1123LabelProblems(p.name)) : []),
				...portNumber(`${path}.port`, p.port),
				...requiredOneOf(`${path}.protocol`, p.protocol, protocols),
			]),
		);
		return errors;
	});
}

function sliceAddress(path: string, address: string, type: string | undefined): FieldError[] {
	switch (type) {
		case "IPv4":
			if (!isIPv4(address)) return [fieldInvalid(path, address, "must be a valid IPv4 address")];
			return forbiddenAddress(path, address);
		case "IPv6":
			if (!isIPv6(address)) return [fieldInvalid(path, address, "must be a valid IPv6 address")];
			return forbiddenAddress(path, address);
		case "FQDN":
			return problems(path, address, dns1123SubdomainProblems(address));
		default:
			return [];
	}
}

function slicePorts(slice: EndpointSlice): FieldError[] {
	const given = slice.ports ?? [];
	if (given.length > maxSlicePorts) {
		return [
			{
				type: "FieldValueTooMany",
				field: "ports",
				message: `Too many: ${given.length}: must have at most ${maxSlicePorts} items`,
			},
		];
	}
	const names = new Set<string>();
	return each("ports", given, (at, p) => {
		const errors: FieldError[] = [];
		if (p.name) append(errors, problems(`${at}.name`, p.name, portNameProblems(p.name)));
		if (names.has(p.name ?? "")) errors.push(fieldDuplicate(`${at}.name`, p.name ?? ""));
		names.add(p.name ?? "");
		append(errors, requiredOneOf(`${at}.protocol`, p.protocol, protocols));
		if (p.port !== undefined) append(errors, portNumber(`${at}.port`, p.port));
		return errors;
	});
}

export function validateEndpointSlice(slice: EndpointSlice): FieldError[] {
	const errors: FieldError[] = [];
	const types = ["FQDN", "IPv4", "IPv6"];
	if (!slice.addressType) errors.push(fieldRequired("addressType"));
	else if (!types.includes(slice.addressType)) errors.push(fieldNotSupported("addressType", slice.addressType, types));
	const endpoints = slice.endpoints ?? [];
	if (endpoints.length > maxSliceEndpoints) {
		errors.push({
			type: "FieldValueTooMany",
			field: "endpoints",
			message: `Too many: ${endpoints.length}: must have at most ${maxSliceEndpoints} items`,
		});
		return errors;
	}
	append(
		errors,
		each("endpoints", endpoints, (at, endpoint) => {
			const list = endpoint.addresses ?? [];
			if (list.length === 0) return [fieldRequired(`${at}.addresses`, "must contain at least 1 address")];
			if (list.length > maxEndpointAddresses) {
				return [
					{
						type: "FieldValueTooMany",
						field: `${at}.addresses`,
						message: `Too many: ${list.length}: must have at most ${maxEndpointAddresses} items`,
					} satisfies FieldError,
				];
			}
			return each(`${at}.addresses`, list, (path, address) => sliceAddress(path, address, slice.addressType));
		}),
	);
	append(errors, slicePorts(slice));
	return errors;
}

export const validateEndpointSliceUpdate = (slice: EndpointSlice, old: EndpointSlice): FieldError[] => [
	...validateEndpointSlice(slice),
	...immutable("addressType", slice.addressType, old.addressType),
];
