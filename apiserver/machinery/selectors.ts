/** Label selectors: the text form of requests (`a=b,c in (x,y),!d,e>3`) and the object form of specs. */

import { badRequest, fieldInvalid, fieldNotSupported } from "./errors.ts";
import type { LabelSelector } from "./meta-types.gen.ts";
import { labelValueProblems, qualifiedNameProblems } from "./names.ts";

export type Labels = Readonly<Record<string, string>>;

export type Operator = "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";

export interface Requirement {
	readonly key: string;
	readonly operator: Operator;
	/** Sorted, without repetition. */
	readonly values: readonly string[];
}

export interface Selector {
	/** All must hold. */
	readonly requirements: readonly Requirement[];
	/** Matches every object. */
	readonly empty: boolean;
	matches(labels: Labels | undefined): boolean;
	/** The text form, in order of keys. */
	toString(): string;
	/** The only value `key` may have, if the selector fixes one. */
	exactValue(key: string): string | undefined;
}

const textOperators = ["in", "notin", "=", "==", "!=", "gt", "lt"];

function asInt64(text: string): bigint | undefined {
	if (!/^[+-]?[0-9]{1,20}$/.test(text)) return undefined;
	const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
	return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** What one key's requirements come to. */
interface KeyRule {
	/** Of `in` and `=`: the values that all of them allow. */
	allowed: ReadonlySet<string> | undefined;
	/** Of `notin` and `!=`: the values that any of them refuses. */
	readonly refused: Set<string>;
	/** The key must be there, or must not. */
	present: boolean;
	absent: boolean;
	/** Of `gt` and `lt`: bounds that the value must be beyond. */
	above: bigint | undefined;
	below: bigint | undefined;
}

function addRequirement(rule: KeyRule, { operator, values }: Requirement): void {
	const [first = ""] = values;
	switch (operator) {
		case "=":
		case "==":
		case "in":
			rule.present = true;
			rule.allowed = new Set(rule.allowed === undefined ? values : values.filter((v) => rule.allowed?.has(v)));
			break;
		case "!=":
		case "notin":
			for (const value of values) rule.refused.add(value);
			break;
		case "exists":
			rule.present = true;
			break;
		case "!":
			rule.absent = true;
			break;
		case "gt":
		case "lt": {
			const bound = asInt64(first);
			rule.present = true;
			// A bound that is no number is met by nothing.
			if (bound === undefined) rule.absent = true;
			else if (operator === "gt") rule.above = rule.above === undefined || bound > rule.above ? bound : rule.above;
			else rule.below = rule.below === undefined || bound < rule.below ? bound : rule.below;
		}
	}
}

function ruleAllows(rule: KeyRule, value: string): boolean {
	if (rule.absent || rule.refused.has(value) || rule.allowed?.has(value) === false) return false;
	if (rule.above === undefined && rule.below === undefined) return true;
	const number = asInt64(value);
	if (number === undefined) return false;
	return (rule.above === undefined || number > rule.above) && (rule.below === undefined || number < rule.below);
}

/**
 * The requirements as a test whose work depends on how many labels an object has, not on how long the selector is: it is
 * made of a client's bytes, and is asked about every object there is.
 */
function matcherOf(requirements: readonly Requirement[]): (labels: Labels) => boolean {
	const rules = new Map<string, KeyRule>();
	for (const r of requirements) {
		let rule = rules.get(r.key);
		if (rule === undefined) {
			rule = {
				allowed: undefined,
				refused: new Set(),
				present: false,
				absent: false,
				above: undefined,
				below: undefined,
			};
			rules.set(r.key, rule);
		}
		addRequirement(rule, r);
	}
	let wanted = 0;
	for (const rule of rules.values()) if (rule.present) wanted++;
	return (labels) => {
		let found = 0;
		for (const [key, value] of Object.entries(labels)) {
			const rule = rules.get(key);
			if (rule === undefined) continue;
			if (!ruleAllows(rule, value ?? "")) return false;
			if (rule.present) found++;
		}
		return found === wanted;
	};
}

function requirementText(r: Requirement): string {
	const values = r.values.join(",");
	switch (r.operator) {
		case "exists":
			return r.key;
		case "!":
			return `!${r.key}`;
		case "in":
		case "notin":
			return `${r.key} ${r.operator} (${values})`;
		case "gt":
			return `${r.key}>${values}`;
		case "lt":
			return `${r.key}<${values}`;
		default:
			return `${r.key}${r.operator}${values}`;
	}
}

const noLabels: Labels = {};

/** The selector of these requirements, ordered by key. */
export function selectorOf(requirements: readonly Requirement[]): Selector {
	const sorted = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
	const matches = matcherOf(sorted);
	return {
		requirements: sorted,
		empty: sorted.length === 0,
		matches: (labels) => matches(labels ?? noLabels),
		toString: () => sorted.map(requirementText).join(","),
		exactValue(key) {
			const first = sorted.find((r) => r.key === key);
			const exact =
				first !== undefined && (first.operator === "=" || first.operator === "==" || first.operator === "in");
			return exact && first.values.length === 1 ? first.values[0] : undefined;
		},
	};
}

/** Matches every object. */
export const everything: Selector = selectorOf([]);

/** Matches no object. */
export const nothing: Selector = {
	requirements: [],
	empty: false,
	matches: () => false,
	toString: () => "",
	exactValue: () => undefined,
};

const sortedSet = (values: readonly string[]): string[] => [...new Set(values)].sort();

/** The selector that wants exactly these labels (`spec.selector` of services and replication controllers). */
export const selectorFromLabels = (labels: Labels | undefined): Selector =>
	selectorOf(Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: "=" as const, values: [value] })));

function requirementProblems(key: string, operator: Operator, values: readonly string[]): string[] {
	const problems: string[] = [];
	const add = (e: { field: string; message: string }) => problems.push(`${e.field}: ${e.message}`);
	const keyProblems = qualifiedNameProblems(key);
	if (keyProblems.length > 0) add(fieldInvalid("key", key, keyProblems.join("; ")));
	if ((operator === "in" || operator === "notin") && values.length === 0) {
		add(fieldInvalid("values", values, "for 'in', 'notin' operators, values set can't be empty"));
	}
	if ((operator === "exists" || operator === "!") && values.length > 0) {
		add(fieldInvalid("values", values, "values set must be empty for exists and does not exist"));
	}
	if ((operator === "gt" || operator === "lt") && asInt64(values[0] ?? "") === undefined) {
		add(fieldInvalid("values[0]", values[0] ?? "", "for 'Gt', 'Lt' operators, the value must be an integer"));
	}
	values.forEach((value, i) => {
		const valueProblems = labelValueProblems(value);
		if (valueProblems.length > 0) add(fieldInvalid(`values[${i}][${key}]`, value, valueProblems.join("; ")));
	});
	return problems;
}

/** A checked requirement; throws Error with upstream's text. */
export function requirement(key: string, operator: Operator, values: readonly string[]): Requirement {
	const problems = requirementProblems(key, operator, values);
	if (problems.length > 0)
		throw new SelectorError(problems.length === 1 ? `${problems[0]}` : `[${problems.join(", ")}]`);
	return { key, operator, values: sortedSet(values) };
}

/** A selector that cannot be read; `message` is upstream's. */
export class SelectorError extends Error {
	override readonly name = "SelectorError";
}

type TokenKind =
	| ")"
	| ","
	| "!"
	| "=="
	| "="
	| ">"
	| "in"
	| "<"
	| "!="
	| "notin"
	| "("
	| "identifier"
	| "end"
	| "error";
interface Token {
	readonly kind: TokenKind;
	readonly text: string;
}

const symbols: readonly TokenKind[] = [")", ",", "!", "==", "=", ">", "<", "!=", "("];

/** A run of symbol characters gives the longest known symbol that some prefix of it is. */
function scanSymbol(text: string, start: number): { token: Token; next: number } {
	let kind: TokenKind | undefined;
	let end = start;
	while (end < text.length && "=!(),><".includes(text[end] ?? "")) {
		const candidate = text.slice(start, end + 1) as TokenKind;
		if (symbols.includes(candidate)) kind = candidate;
		else if (kind !== undefined) break;
		end++;
	}
	const scanned = text.slice(start, end);
	if (kind === undefined) {
		return { token: { kind: "error", text: `error expected: keyword found '${scanned}'` }, next: end };
	}
	return { token: { kind, text: kind }, next: end };
}

function tokenize(text: string): Token[] {
	const tokens: Token[] = [];
	let at = 0;
	while (at < text.length) {
		if (" \t\r\n".includes(text[at] ?? "")) {
			at++;
			continue;
		}
		if ("=!(),><".includes(text[at] ?? "")) {
			const { token, next } = scanSymbol(text, at);
			tokens.push(token);
			at = next;
			continue;
		}
		const start = at;
		while (at < text.length && !"=!(),>< \t\r\n".includes(text[at] ?? "")) at++;
		const word = text.slice(start, at);
		tokens.push({ kind: word === "in" || word === "notin" ? word : "identifier", text: word });
	}
	tokens.push({ kind: "end", text: "" });
	return tokens;
}

class Parser {
	readonly #tokens: readonly Token[];
	#at = 0;

	constructor(text: string) {
		this.#tokens = tokenize(text);
	}

	#peek(): Token {
		return this.#tokens[this.#at] ?? { kind: "end", text: "" };
	}

	#next(): Token {
		const token = this.#peek();
		this.#at++;
		return token;
	}

	/** `in` and `notin` are plain words where a key or value stands. */
	#isWord(token: Token): boolean {
		return token.kind === "identifier" || token.kind === "in" || token.kind === "notin";
	}

	parse(): Requirement[] {
		const requirements: Requirement[] = [];
		for (;;) {
			const token = this.#peek();
			if (token.kind === "end") return requirements;
			if (!this.#isWord(token) && token.kind !== "!") {
				throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
			}
			requirements.push(this.#requirement());
			const separator = this.#next();
			if (separator.kind === "end") return requirements;
			if (separator.kind !== ",") {
				throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
			}
			const following = this.#peek();
			if (!this.#isWord(following) && following.kind !== "!") {
				throw new SelectorError(`found '${following.text}', expected: identifier after ','`);
			}
		}
	}

	#requirement(): Requirement {
		try {
			return this.#readRequirement();
		} catch (error) {
			if (error instanceof SelectorError) throw new SelectorError(`unable to parse requirement: ${error.message}`);
			throw error;
		}
	}

	#readRequirement(): Requirement {
		let token = this.#next();
		const negated = token.kind === "!";
		if (negated) token = this.#next();
		if (!this.#isWord(token)) throw new SelectorError(`found '${token.text}', expected: identifier`);
		const key = token.text;
		const problems = qualifiedNameProblems(key);
		if (problems.length > 0) {
			const error = fieldInvalid("<nil>", key, problems.join("; "));
			throw new SelectorError(`${error.field}: ${error.message}`);
		}
		if (negated) return requirement(key, "!", []);
		const following = this.#peek().kind;
		if (following === "end" || following === ",") return requirement(key, "exists", []);
		const operator = this.#operator();
		return requirement(key, operator, operator === "in" || operator === "notin" ? this.#values() : [this.#value()]);
	}

	#operator(): Operator {
		const token = this.#next();
		switch (token.kind) {
			case "in":
			case "notin":
			case "=":
			case "==":
			case "!=":
				return token.kind;
			case ">":
				return "gt";
			case "<":
				return "lt";
			default:
				throw new SelectorError(`found '${token.text}', expected: ${textOperators.join(", ")}`);
		}
	}

	#values(): string[] {
		const open = this.#next();
		if (open.kind !== "(") throw new SelectorError(`found '${open.text}' expected: '('`);
		const first = this.#peek();
		if (first.kind === ")") {
			this.#next();
			return [""];
		}
		if (!this.#isWord(first) && first.kind !== ",") {
			throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
		}
		const values = this.#valueList();
		const close = this.#next();
		if (close.kind !== ")") throw new SelectorError(`found '${first.text}', expected: ')'`);
		return sortedSet(values);
	}

	/** `a,b`, where an absent value between commas is the empty one. */
	#valueList(): string[] {
		const values: string[] = [];
		for (;;) {
			const token = this.#next();
			const following = this.#peek();
			if (this.#isWord(token)) {
				values.push(token.text);
				if (following.kind === ")") return values;
				if (following.kind !== ",") throw new SelectorError(`found '${following.text}', expected: ',' or ')'`);
			} else if (token.kind === ",") {
				if (values.length === 0 || following.kind === ",") values.push("");
				if (following.kind === ")") {
					values.push("");
					return values;
				}
			} else {
				throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
			}
		}
	}

	#value(): string {
		const token = this.#peek();
		if (token.kind === "end" || token.kind === ",") return "";
		this.#next();
		if (this.#isWord(token)) return token.text;
		throw new SelectorError(`found '${token.text}', expected: identifier`);
	}
}

/** Reads the text form; throws SelectorError. */
export function readSelector(text: string): Selector {
	const requirements = new Parser(text).parse();
	return requirements.length === 0 ? everything : selectorOf(requirements);
}

/** Reads the text form of a request's `labelSelector`; throws ApiError 400 with upstream's text. */
export function parseLabelSelector(text: string | undefined): Selector {
	if (text === undefined || text === "") return everything;
	try {
		return readSelector(text);
	} catch (error) {
		if (error instanceof SelectorError) throw badRequest(error.message);
		throw error;
	}
}

const objectOperators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
	["In", "in"],
	["NotIn", "notin"],
	["Exists", "exists"],
	["DoesNotExist", "!"],
]);

/** The object form: absent matches nothing, empty matches everything. Throws SelectorError. */
export function fromLabelSelector(selector: LabelSelector | undefined | null): Selector {
	if (selector === undefined || selector === null) return nothing;
	const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
		requirement(key, "=", [value]),
	);
	for (const expression of selector.matchExpressions ?? []) {
		const operator = objectOperators.get(expression.operator ?? "");
		if (operator === undefined) {
			throw new SelectorError(`${JSON.stringify(expression.operator ?? "")} is not a valid label selector operator`);
		}
		requirements.push(requirement(expression.key ?? "", operator, expression.values ?? []));
	}
	return requirements.length === 0 ? everything : selectorOf(requirements);
}

/** The same of an object stored by others, or before a rule was added: undefined where it cannot be used. */
export function usableSelector(selector: LabelSelector | undefined | null): Selector | undefined {
	try {
		return fromLabelSelector(selector);
	} catch {
		return undefined;
	}
}

/** Why the object form cannot be used, as field errors below `path` say it; undefined where it can. */
export const unsupportedOperator = (path: string, operator: string) =>
	fieldNotSupported(path, operator, [...objectOperators.keys()]);
