/** Checks that many kinds share. Paths are Kubernetes': `spec.ports[0].name`, `metadata.labels[app]`. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { deepEqual } from "../../machinery/meta.ts";
import { labelValueProblems, portNameProblems, portProblems, qualifiedNameProblems } from "../../machinery/names.ts";
import type { LabelSelector } from "../types.gen.ts";

export const immutableText = "field is immutable";

/** One error per reason. */
export const problems = (path: string, value: unknown, reasons: readonly string[]): FieldError[] =>
	reasons.map((reason) => fieldInvalid(path, value, reason));

export const required = (path: string, value: unknown, why = ""): FieldError[] =>
	value === undefined || value === "" || value === null ? [fieldRequired(path, why)] : [];

export const nonNegative = (path: string, value: number | undefined): FieldError[] =>
	value !== undefined && value < 0 ? [fieldInvalid(path, value, "must be greater than or equal to 0")] : [];

export const positive = (path: string, value: number | undefined): FieldError[] =>
	value !== undefined && value <= 0 ? [fieldInvalid(path, value, "must be greater than 0")] : [];

/** An optional value out of a fixed set; the set is shown sorted. */
export function oneOf(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
	if (value === undefined || supported.includes(value)) return [];
	return [fieldNotSupported(path, value, [...supported].sort())];
}

/** The same, where something must be given. */
export const requiredOneOf = (path: string, value: string | undefined, supported: readonly string[]): FieldError[] =>
	value === undefined || value === "" ? [fieldRequired(path)] : oneOf(path, value, supported);

export const immutable = (path: string, value: unknown, old: unknown): FieldError[] =>
	deepEqual(value, old) ? [] : [fieldInvalid(path, value ?? null, immutableText)];

/** Duplicates among keys, each at the path of its second appearance. */
export function unique<T>(
	items: readonly T[] | undefined,
	key: (item: T) => string | undefined,
	path: (index: number) => string,
): FieldError[] {
	const seen = new Set<string>();
	const errors: FieldError[] = [];
	for (const [i, item] of (items ?? []).entries()) {
		const value = key(item);
		if (value === undefined || value === "") continue;
		if (seen.has(value)) errors.push(fieldDuplicate(path(i), value));
		seen.add(value);
	}
	return errors;
}

/** The errors of each element, at `path[i]`. */
export const each = <T>(
	path: string,
	items: readonly T[] | undefined,
	check: (path: string, item: T, index: number) => FieldError[],
): FieldError[] => (items ?? []).flatMap((item, i) => check(`${path}[${i}]`, item, i));

export function portNumber(path: string, port: number | undefined): FieldError[] {
	return problems(path, port ?? 0, portProblems(port ?? 0));
}

export function portNumberOrName(path: string, port: number | string | undefined): FieldError[] {
	if (typeof port === "string") return problems(path, port, portNameProblems(port));
	return portNumber(path, port);
}

export const qualifiedName = (path: string, value: string): FieldError[] =>
	problems(path, value, qualifiedNameProblems(value));

/** Labels of an object, or a selector made of labels. */
export function labels(path: string, map: Readonly<Record<string, string>> | undefined): FieldError[] {
	return Object.entries(map ?? {}).flatMap(([key, value]) => [
		...qualifiedName(path, key),
		...problems(path, value, labelValueProblems(value)),
	]);
}

/** Upstream's LabelSelector rules. */
export function labelSelector(path: string, selector: LabelSelector | undefined): FieldError[] {
	if (selector === undefined) return [];
	const errors = labels(`${path}.matchLabels`, selector.matchLabels);
	for (const [i, expression] of (selector.matchExpressions ?? []).entries()) {
		const at = `${path}.matchExpressions[${i}]`;
		switch (expression.operator) {
			case "In":
			case "NotIn":
				if ((expression.values?.length ?? 0) === 0) {
					errors.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
				}
				break;
			case "Exists":
			case "DoesNotExist":
				if ((expression.values?.length ?? 0) > 0) {
					errors.push(
						fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
					);
				}
				break;
			default:
				errors.push(fieldInvalid(`${at}.operator`, expression.operator ?? "", "not a valid selector operator"));
		}
		append(errors, qualifiedName(`${at}.key`, expression.key ?? ""));
		for (const [k, value] of (expression.values ?? []).entries()) {
			append(errors, problems(`${at}.values[${k}]`, value, labelValueProblems(value)));
		}
	}
	return errors;
}

export const isEmptySelector = (selector: LabelSelector): boolean =>
	Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions?.length ?? 0) === 0;

const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;

export const isIPv4 = (value: string): boolean => ipv4.test(value);

/** An IPv6 address in any of its textual forms, without a zone. */
export function isIPv6(value: string): boolean {
	if (!/^[0-9a-fA-F:.]+$/.test(value) || !value.includes(":")) return false;
	let text = value;
	const lastColon = text.lastIndexOf(":");
	const tail = text.slice(lastColon + 1);
	if (tail.includes(".")) {
		if (!isIPv4(tail)) return false;
		text = `${text.slice(0, lastColon + 1)}0:0`;
	}
	const halves = text.split("::");
	if (halves.length > 2) return false;
	const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
	if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
	return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

export const ipAddress = (path: string, value: string): FieldError[] =>
	isIPv4(value) || isIPv6(value)
		? []
		: [fieldInvalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];

/** What ports may speak. */
export const transportProtocols = ["SCTP", "TCP", "UDP"];

/** The bits of an address; undefined for what is none. */
function addressBits(value: string): { readonly bits: bigint; readonly width: 32 | 128 } | undefined {
	if (isIPv4(value)) {
		return { bits: value.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n), width: 32 };
	}
	if (!isIPv6(value)) return undefined;
	const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(value);
	const low = dotted === null ? undefined : addressBits(dotted[2] ?? "")?.bits;
	const text = low === undefined ? value : `${dotted?.[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
	const [head = "", tail] = text.split("::");
	const groups = (half: string) => (half === "" ? [] : half.split(":"));
	const [front, back] = [groups(head), groups(tail ?? "")];
	const middle = tail === undefined ? [] : new Array<string>(8 - front.length - back.length).fill("0");
	return { bits: [...front, ...middle, ...back].reduce((sum, g) => (sum << 16n) | BigInt(`0x${g}`), 0n), width: 128 };
}

/** A range of addresses in CIDR notation, its base being its first address. */
export function cidrRange(path: string, value: string): FieldError[] {
	const [, ip = "", length = ""] = /^([^/]*)\/(\d{1,3})$/.exec(value) ?? [];
	const address = addressBits(ip);
	if (address === undefined || Number(length) > address.width || (length.length > 1 && length.startsWith("0"))) {
		return [fieldInvalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
	}
	const rest = (1n << BigInt(address.width - Number(length))) - 1n;
	return (address.bits & rest) === 0n
		? []
		: [fieldInvalid(path, value, "must not have bits set beyond the prefix length")];
}
