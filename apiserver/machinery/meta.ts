/** What every object's metadata needs: names, owners, finalizers, conditions, copies and comparison of JSON values. */
import type { Random } from "../../kit/random.ts";
import type { ObjectMeta, OwnerReference } from "./meta-types.gen.ts";

/** Without vowels and look-alikes, so that no suffix spells a word. */
const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;
const maxGeneratedNameLength = 63;

/** A random suffix of upstream's alphabet. */
export function randomSuffix(random: Random, length = suffixLength): string {
	let suffix = "";
	for (let i = 0; i < length; i++) suffix += suffixAlphabet[random.int(suffixAlphabet.length)];
	return suffix;
}

/** `base` cut to 58 characters and five random ones. */
export const generateName = (base: string, random: Random): string =>
	base.slice(0, maxGeneratedNameLength - suffixLength) + randomSuffix(random);

const safeDigits = suffixAlphabet;

/** Digits mapped to the suffix alphabet (upstream's SafeEncodeString), for names derived from hashes. */
export const safeEncode = (text: string): string =>
	[...text].map((c) => safeDigits[(c.codePointAt(0) ?? 0) % safeDigits.length]).join("");

interface WithMeta {
	readonly metadata?: ObjectMeta | undefined;
}
interface Owner extends WithMeta {
	readonly apiVersion?: string | undefined;
	readonly kind?: string | undefined;
}

/** The reference by which `owner` controls what it creates; `kind` where the owner itself does not carry its type. */
export function controllerReference(
	owner: Owner,
	type?: { readonly apiVersion: string; readonly kind: string },
): OwnerReference {
	return {
		apiVersion: type?.apiVersion ?? owner.apiVersion ?? "",
		kind: type?.kind ?? owner.kind ?? "",
		name: owner.metadata?.name ?? "",
		uid: owner.metadata?.uid ?? "",
		controller: true,
		blockOwnerDeletion: true,
	};
}

/** The managing owner, if any. */
export const controllerOf = (object: WithMeta): OwnerReference | undefined =>
	object.metadata?.ownerReferences?.find((r) => r.controller === true);

export const isControlledBy = (object: WithMeta, owner: WithMeta): boolean => {
	const uid = controllerOf(object)?.uid;
	return uid !== undefined && uid === owner.metadata?.uid;
};

export const hasFinalizer = (object: WithMeta, finalizer: string): boolean =>
	object.metadata?.finalizers?.includes(finalizer) === true;

/** The finalizers with `finalizer` among them. */
export const withFinalizer = (finalizers: readonly string[] | undefined, finalizer: string): string[] =>
	finalizers?.includes(finalizer) === true ? [...finalizers] : [...(finalizers ?? []), finalizer];

/** The finalizers without `finalizer`. */
export const withoutFinalizer = (finalizers: readonly string[] | undefined, finalizer: string): string[] =>
	(finalizers ?? []).filter((f) => f !== finalizer);

/** A condition of any kind's status. */
export interface AnyCondition {
	type?: string | undefined;
	status?: string | undefined;
	reason?: string | undefined;
	message?: string | undefined;
	observedGeneration?: number | undefined;
	lastTransitionTime?: string | undefined;
}

export const findCondition = <C extends AnyCondition>(
	conditions: readonly C[] | undefined,
	type: string,
): C | undefined => conditions?.find((c) => c.type === type);

export const isConditionTrue = (conditions: readonly AnyCondition[] | undefined, type: string): boolean =>
	findCondition(conditions, type)?.status === "True";

/** The conditions with `condition` in its type's place; its lastTransitionTime stays unless the status changed (then `now`, RFC 3339). */
export function withCondition<C extends AnyCondition>(
	conditions: readonly C[] | undefined,
	condition: C,
	now: string,
): C[] {
	const previous = findCondition(conditions, condition.type ?? "");
	const kept = previous !== undefined && previous.status === condition.status;
	const next = { ...condition, lastTransitionTime: (kept ? previous.lastTransitionTime : undefined) ?? now };
	if (previous === undefined) return [...(conditions ?? []), next];
	return (conditions ?? []).map((c) => (c === previous ? next : c));
}

export const withoutCondition = <C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): C[] =>
	(conditions ?? []).filter((c) => c.type !== type);

/** Times in the API: RFC 3339, whole seconds, UTC. */
export const formatTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");

/** Microsecond times (leases, events): `micros` are all digits of the fraction; without them those of `ms` and zeros. */
export const formatMicroTime = (ms: number, micros?: number): string => {
	const text = new Date(ms).toISOString();
	return micros === undefined
		? text.replace(/Z$/, "000Z")
		: text.replace(/\.\d{3}Z$/, `.${String(micros).padStart(6, "0")}Z`);
};

/** A copy that shares nothing with `value`; JSON values only. */
export function deepClone<T>(value: T): T {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map(deepClone) as T;
	const copy: Record<string, unknown> = {};
	for (const key of Object.keys(value)) setOwn(copy, key, deepClone((value as Record<string, unknown>)[key]));
	return copy as T;
}

/** Assigns also where the key is `__proto__`, which plain assignment would take for the prototype. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
	if (key === "__proto__") {
		Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
	} else {
		target[key] = value;
	}
}

/** JSON equality, whatever the order of keys; a key that holds undefined counts as absent. */
export function deepEqual(a: unknown, b: unknown): boolean {
	if (a === b) return true;
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
	if (Array.isArray(a)) {
		return Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
	}
	if (Array.isArray(b)) return false;
	return recordsEqual(a as Record<string, unknown>, b as Record<string, unknown>, deepEqual);
}

function recordsEqual(
	a: Record<string, unknown>,
	b: Record<string, unknown>,
	equal: (x: unknown, y: unknown) => boolean,
): boolean {
	const own = (o: Record<string, unknown>, key: string) => (Object.hasOwn(o, key) ? o[key] : undefined);
	for (const key of Object.keys(a)) if (!equal(a[key], own(b, key))) return false;
	for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && !equal(undefined, b[key])) return false;
	return true;
}

const isBlank = (value: unknown): boolean =>
	value === undefined ||
	value === null ||
	(typeof value === "object" && (Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0));

/** Equality as upstream's Semantic.DeepEqual sees decoded objects: absent, null, `[]` and `{}` are the same. */
export function semanticEqual(a: unknown, b: unknown): boolean {
	if (a === b || (isBlank(a) && isBlank(b))) return true;
	if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
	if (Array.isArray(a)) {
		return Array.isArray(b) && a.length === b.length && a.every((item, i) => semanticEqual(item, b[i]));
	}
	if (Array.isArray(b)) return false;
	return recordsEqual(a as Record<string, unknown>, b as Record<string, unknown>, semanticEqual);
}

/** Whether `value` nests deeper than `limit`, found without recursion, so that hostile input cannot exhaust the stack. */
export function isDeeperThan(value: unknown, limit: number): boolean {
	let level: unknown[] = [value];
	for (let depth = 0; level.length > 0; depth++) {
		if (depth > limit) return true;
		const next: unknown[] = [];
		for (const item of level) {
			if (typeof item !== "object" || item === null) continue;
			for (const child of Array.isArray(item) ? item : Object.values(item)) {
				if (typeof child === "object" && child !== null) next.push(child);
			}
		}
		level = next;
	}
	return false;
}
