/**
 * Objects brought to the form they would have after a round trip through upstream's Go types: unknown fields are found
 * and dropped, types and ranges checked, nulls and empty optional values dropped, structs held by value present,
 * quantities and times canonical. The object is changed in place.
 */
import { isTopLevel } from "../kinds.ts";
import { type Field, type FieldType, findMessage, type Message } from "../schema.ts";
import { canonicalPrimitive, goPrimitive, jsonTypeName, TypeMismatch, zeroOf } from "./primitives.ts";

type Json = Record<string, unknown>;

/** As many unknown and repeated fields as upstream collects before it stops looking. */
export const maxStrictErrors = 100;

export interface NormalizeResult {
	/** Paths of the fields that the schema does not have, in the order found. */
	readonly unknown: string[];
	/** The first value of a wrong type, in upstream's words. */
	readonly typeError: string | undefined;
}

interface Plan {
	readonly message: Message;
	/** Without package: what Go's errors call the struct. */
	readonly structName: string;
	readonly topLevel: boolean;
	/** Scalars that Go writes even when zero. */
	readonly zeros: ReadonlyArray<readonly [string, unknown]>;
	/** Messages present even when empty. */
	readonly values: readonly Field[];
}

const plans = new Map<string, Plan>();

function planOf(message: Message): Plan {
	let plan = plans.get(message.name);
	if (plan !== undefined) return plan;
	const fields = [...message.fields.values()];
	plan = {
		message,
		structName: message.name.slice(message.name.indexOf(".") + 1),
		topLevel: isTopLevel(message),
		zeros: fields.flatMap((f) => {
			if (!f.required || f.type.form !== "primitive") return [];
			const zero = zeroOf[f.type.name];
			return zero === undefined ? [] : [[f.name, zero] as const];
		}),
		values: fields.filter((f) => f.value),
	};
	plans.set(message.name, plan);
	return plan;
}

/** Fields whose Go type is a named string; errors show that name. */
const namedStrings: Readonly<Record<string, string>> = {
	protocol: "v1.Protocol",
	restartPolicy: "v1.RestartPolicy",
	imagePullPolicy: "v1.PullPolicy",
	dnsPolicy: "v1.DNSPolicy",
	terminationMessagePolicy: "v1.TerminationMessagePolicy",
	sessionAffinity: "v1.ServiceAffinity",
	uid: "types.UID",
};

/** Go's name of a field's type, as encoding/json prints it. */
export function goType(type: FieldType): string {
	switch (type.form) {
		case "primitive":
			return goPrimitive[type.name];
		case "message":
			return `v1.${type.name.slice(type.name.indexOf(".") + 1)}`;
		case "list":
			return `[]${goType(type.element)}`;
		case "map":
			if (type.value.form === "primitive" && type.value.name === "quantity") return "v1.ResourceList";
			return `map[string]${goType(type.value)}`;
	}
}

const isPlainObject = (value: unknown): value is Json =>
	typeof value === "object" && value !== null && !Array.isArray(value);

const isEmptyScalar = (value: unknown) => value === "" || value === 0 || value === false;

class Normalizer {
	readonly unknown: string[] = [];
	typeError: string | undefined;
	/** Names and indexes from the root down to where the walk is. */
	readonly #path: (string | number)[] = [];

	message(plan: Plan, object: Json): void {
		const fields = plan.message.fields;
		for (const name of Object.keys(object)) {
			const field = fields.get(name);
			if (field === undefined) this.#other(plan, object, name);
			else this.#field(plan, object, field);
		}
		for (const [name, zero] of plan.zeros) if (object[name] === undefined) object[name] = zero;
		for (const field of plan.values) {
			if (object[field.name] !== undefined || field.type.form !== "message") continue;
			const empty: Json = {};
			object[field.name] = empty;
			const message = findMessage(field.type.name);
			if (message !== undefined) this.message(planOf(message), empty);
		}
	}

	#other(plan: Plan, object: Json, name: string): void {
		if (plan.topLevel && (name === "kind" || name === "apiVersion")) {
			const value = object[name];
			if (typeof value === "string") return;
			if (value !== null && value !== undefined) this.#mismatch(plan, name, jsonTypeName(value), "string");
			delete object[name];
			return;
		}
		if (this.unknown.length < maxStrictErrors) this.unknown.push(this.#describe(name));
		delete object[name];
	}

	#field(plan: Plan, object: Json, field: Field): void {
		const value = object[field.name];
		if (value === null || value === undefined) {
			delete object[field.name];
			return;
		}
		this.#path.push(field.name);
		const result = this.#value(plan, field.name, field.type, value);
		this.#path.pop();
		if (result === undefined || this.#omits(field, result)) delete object[field.name];
		else if (result !== value) object[field.name] = result;
	}

	/** Go's omitempty. */
	#omits(field: Field, value: unknown): boolean {
		if (field.required || field.pointer) return false;
		switch (field.type.form) {
			case "primitive":
				return isEmptyScalar(value);
			case "list":
				return (value as unknown[]).length === 0;
			case "map":
				for (const _ in value as object) return false;
				return true;
			case "message":
				return false;
		}
	}

	/** The canonical value, or undefined (and a recorded error) where it does not fit. */
	#value(plan: Plan, fieldName: string, type: FieldType, value: unknown): unknown {
		switch (type.form) {
			case "primitive":
				try {
					return canonicalPrimitive[type.name](value);
				} catch (error) {
					if (error instanceof TypeMismatch) {
						const named = type.name === "string" ? namedStrings[fieldName] : undefined;
						this.#mismatch(plan, undefined, error.found, named ?? goPrimitive[type.name]);
					} else this.typeError ??= (error as Error).message;
					return undefined;
				}
			case "message": {
				if (!isPlainObject(value)) return this.#mismatch(plan, undefined, jsonTypeName(value), goType(type));
				const message = findMessage(type.name);
				if (message !== undefined) this.message(planOf(message), value);
				return value;
			}
			case "list":
				if (!Array.isArray(value)) return this.#mismatch(plan, undefined, jsonTypeName(value), goType(type));
				this.#list(plan, fieldName, type.element, value);
				return value;
			case "map":
				if (!isPlainObject(value)) return this.#mismatch(plan, undefined, jsonTypeName(value), goType(type));
				this.#map(plan, fieldName, type.value, value);
				return value;
		}
	}

	#list(plan: Plan, fieldName: string, type: FieldType, list: unknown[]): void {
		for (let i = 0; i < list.length; i++) {
			this.#path.push(i);
			const item = list[i] === null ? zeroElement(type) : this.#value(plan, fieldName, type, list[i]);
			if (item !== list[i]) list[i] = item;
			this.#path.pop();
		}
	}

	#map(plan: Plan, fieldName: string, type: FieldType, map: Json): void {
		for (const key of Object.keys(map)) {
			const value = map[key];
			this.#path.push(key);
			const item = value === null ? zeroElement(type) : this.#value(plan, fieldName, type, value);
			if (item !== value)
				Object.defineProperty(map, key, { value: item, writable: true, enumerable: true, configurable: true });
			this.#path.pop();
		}
	}

	#mismatch(plan: Plan, name: string | undefined, found: string, expected: string): undefined {
		// Go names the fields only, not the indexes and map keys between them.
		const fields = this.#goPath();
		if (name !== undefined) fields.push(name);
		this.typeError ??= `json: cannot unmarshal ${found} into Go struct field ${plan.structName}.${fields.join(".")} of type ${expected}`;
		return undefined;
	}

	#goPath(): string[] {
		const names: string[] = [];
		let type: FieldType | undefined;
		let message: Message | undefined = this.root;
		for (const part of this.#path) {
			if (type?.form === "list") {
				type = type.element;
			} else if (type?.form === "map") {
				type = type.value;
			} else {
				names.push(String(part));
				type = message?.fields.get(String(part))?.type;
			}
			if (type?.form === "message") message = findMessage(type.name);
			if (type?.form === "message") type = undefined;
		}
		return names;
	}

	#describe(name: string): string {
		let text = "";
		for (const part of this.#path) text += typeof part === "number" ? `[${part}]` : text === "" ? part : `.${part}`;
		return text === "" ? name : `${text}.${name}`;
	}

	readonly root: Message;

	constructor(root: Message) {
		this.root = root;
	}
}

/** What Go puts where a list or map holds null. */
function zeroElement(type: FieldType): unknown {
	if (type.form === "list") return [];
	if (type.form !== "primitive") return {};
	return zeroOf[type.name] ?? (type.name === "quantity" ? "0" : "");
}

/** Normalizes `object` in place. */
export function normalizeObject(message: Message, object: Json): NormalizeResult {
	const normalizer = new Normalizer(message);
	normalizer.message(planOf(message), object);
	return { unknown: normalizer.unknown, typeError: normalizer.typeError };
}
