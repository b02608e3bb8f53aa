/** Endpoints and endpoint slices. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "../../machinery/names.ts";
import type { EndpointSlice, Endpoints } from "../types.gen.ts";
import {
	each,
	immutable,
	ipAddress,
	isIPv4,
	isIPv6,
	portNumber,
	problems,
	requiredOneOf,
	transportProtocols,
} from "./common.ts";

const maxSliceEndpoints = 1_000;
const maxSlicePorts = 20_000;
const maxEndpointAddresses = 100;

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
				...requiredOneOf(`${path}.protocol`, p.protocol, transportProtocols),
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
		if (p.name) append(errors, problems(`${at}.name`, p.name, dns1123LabelProblems(p.name)));
		if (names.has(p.name ?? "")) errors.push(fieldDuplicate(`${at}.name`, p.name ?? ""));
		names.add(p.name ?? "");
		append(errors, requiredOneOf(`${at}.protocol`, p.protocol, transportProtocols));
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
