/** Field selectors (`metadata.name=x,status.phase!=Running`): equality terms over the few fields a kind offers. */
import { badRequest } from "./errors.ts";

export interface FieldTerm {
	readonly field: string;
	readonly operator: "=" | "!=";
	readonly value: string;
}

export interface FieldSelector {
	/** All must hold. */
	readonly terms: readonly FieldTerm[];
	readonly empty: boolean;
	/** `fields`: the object's values of every field its kind offers; one it lacks counts as "". */
	matches(fields: Readonly<Record<string, string>>): boolean;
	toString(): string;
	/** The only value `field` may have, if the selector fixes one. */
	exactValue(field: string): string | undefined;
}

const escapeValue = (value: string) => value.replaceAll(/[\\,=]/g, (c) => `\\${c}`);

/** The selector of these terms. */
export function fieldSelectorOf(terms: readonly FieldTerm[]): FieldSelector {
	return {
		terms,
		empty: terms.length === 0,
		matches: (fields) =>
			terms.every((t) => {
				const value = Object.hasOwn(fields, t.field) ? (fields[t.field] ?? "") : "";
				return (value === t.value) === (t.operator === "=");
			}),
		toString: () => terms.map((t) => `${t.field}${t.operator}${escapeValue(t.value)}`).join(","),
		exactValue: (field) => terms.find((t) => t.field === field && t.operator === "=")?.value,
	};
}

/** Matches every object. */
export const everyField: FieldSelector = fieldSelectorOf([]);

/** Splits at commas that no backslash escapes. */
function splitTerms(text: string): string[] {
	const terms: string[] = [];
	let start = 0;
	for (let i = 0; i < text.length; i++) {
		if (text[i] === "\\") i++;
		else if (text[i] === ",") {
			terms.push(text.slice(start, i));
			start = i + 1;
		}
	}
	terms.push(text.slice(start));
	return terms.filter((t) => t !== "").sort();
}

function unescapeValue(value: string): string {
	let result = "";
	for (let i = 0; i < value.length; i++) {
		const c = value[i] ?? "";
		if (c === "," || c === "=") {
			throw badRequest(`invalid field selector: unescaped character in value: ${c.charCodeAt(0)}`);
		}
		if (c !== "\\") {
			result += c;
			continue;
		}
		const escaped = value[++i] ?? "";
		if (escaped === "" || !"\\,=".includes(escaped)) {
			throw badRequest(`invalid field selector: invalid escape sequence: \\${escaped}`);
		}
		result += escaped;
	}
	return result;
}

/** Reads a request's `fieldSelector`; throws ApiError 400 with upstream's text. */
export function parseFieldSelector(text: string | undefined): FieldSelector {
	if (text === undefined || text === "") return everyField;
	const terms = splitTerms(text).map((term): FieldTerm => {
		const at = term.indexOf("=");
		if (at < 0) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
		const not = term[at - 1] === "!";
		const value = unescapeValue(term.slice(!not && term[at + 1] === "=" ? at + 2 : at + 1));
		return { field: term.slice(0, not ? at - 1 : at), operator: not ? "!=" : "=", value };
	});
	// A term of nothing at all (`=`) asks for nothing.
	const asked = terms.filter((term) => term.field !== "" || term.value !== "");
	return asked.length === 0 ? everyField : fieldSelectorOf(asked);
}

/** Kinds whose field conversion upstream wrote by hand; the others have the general text. */
const handWritten = new Set(["Pod", "Node", "ReplicationController", "Event", "Namespace", "Secret", "Service"]);

/** 400 for a field `kind` does not offer. */
export function unsupportedField(kind: string, field: string) {
	if (handWritten.has(kind)) return badRequest(`field label not supported: ${field}`);
	if (kind === "Job") return badRequest(`field label ${JSON.stringify(field)} not supported for Job`);
	return badRequest(
		`${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
	);
}

/** Throws the 400 above for the first field outside `supported`. */
export function requireSupportedFields(selector: FieldSelector, kind: string, supported: ReadonlySet<string>): void {
	for (const term of selector.terms) {
		if (!supported.has(term.field)) throw unsupportedField(kind, term.field);
	}
}
