/**
 * A list spread into a call is put on the stack: above some 120,000 elements the call throws. So no list is spread whose
 * length a client, a peer or a cluster decides; `f(...list)` stands only where the list is short by its making, and
 * says why in a comment `bounded: …` beside it, or is one of the forms below that are short by their shape.
 */
import { leadingWords, type Token, tokenize } from "./tokens.ts";

export interface Spread {
	readonly line: number;
	/** The spread expression, its tokens joined by spaces. */
	readonly operand: string;
}

const brackets: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** The index after the expression that begins at `from`: the next comma or closing bracket of its own depth. */
function expressionEnd(tokens: readonly Token[], from: number): number {
	let depth = 0;
	for (let i = from; i < tokens.length; i++) {
		const { kind, text } = tokens[i] as Token;
		if (kind !== "punctuation") continue;
		if (text in brackets) depth++;
		else if (text === ")" || text === "]" || text === "}") {
			if (depth === 0) return i;
			depth--;
		} else if (text === "," && depth === 0) return i;
	}
	return tokens.length;
}

/** Does the parenthesis at `at` call something, rather than group or declare? */
function calls(tokens: readonly Token[], at: number): boolean {
	const before = tokens[at - 1];
	if (before === undefined) return false;
	if (before.kind === "word") return !leadingWords.has(before.text);
	return before.kind === "punctuation" && [")", "]", ">", "?."].includes(before.text);
}

const text = (tokens: readonly Token[]) => tokens.map((token) => token.text).join(" ");

/** `[a, b]`, or `(test ? [a] : [])` whose branches are such. */
function isShortByShape(operand: readonly Token[]): boolean {
	const shape = operand.map((token) => (token.kind === "string" ? '""' : token.text));
	if (shape.includes("...")) return false;
	if (shape[0] === "[") return shape.indexOf("]") === shape.length - 1;
	if (shape[0] !== "(" || shape.at(-1) !== ")") return false;
	const colon = shape.lastIndexOf(":");
	const question = shape.lastIndexOf("?", colon);
	return question > 0 && shape[question + 1] === "[" && shape[colon - 1] === "]" && shape[colon + 1] === "[";
}

/** `Reflect.apply(` and `f.apply(undefined, `; a method of ours that is called so has other arguments. */
function appliesAFunction(tokens: readonly Token[], at: number): boolean {
	if (tokens[at - 1]?.text !== "apply" || tokens[at - 2]?.text !== ".") return false;
	const self = text(tokens.slice(at + 1, expressionEnd(tokens, at + 1)));
	if (tokens[at - 3]?.text === "Reflect" || ["undefined", "null", "this"].includes(self)) return true;
	return tokens[at - 4]?.text === "." && tokens[at - 5]?.text === self;
}

/** Every list spread into a call, and every `apply` of one, that is not seen to be short. */
export function unboundedSpreads(source: string): Spread[] {
	const all = tokenize(source);
	const reasons = new Set<number>();
	for (const { kind, text, line } of all) {
		if (kind !== "comment" || !/\bbounded: \S/.test(text)) continue;
		const end = line + text.split("\n").length - 1;
		reasons.add(end).add(end + 1);
	}
	const tokens = all.filter((token) => token.kind !== "comment");
	const open: number[] = [];
	const found: (Spread & { readonly name: string | undefined })[] = [];
	/** Parameters that gather what a caller wrote out: passing them on adds nothing. */
	const gathered = new Set<string>();
	for (const [i, token] of tokens.entries()) {
		if (token.kind !== "punctuation") continue;
		if (token.text in brackets) open.push(i);
		else if (token.text === ")" || token.text === "]" || token.text === "}") open.pop();
		const outer = open.at(-1);
		if (token.text === "(" && appliesAFunction(tokens, i)) {
			found.push({ line: token.line, operand: "apply", name: undefined });
		}
		if (token.text !== "..." || outer === undefined || tokens[outer]?.text !== "(") continue;
		const operand = tokens.slice(i + 1, expressionEnd(tokens, i + 1));
		const closing = tokens[expressionEnd(tokens, i + 1) + 1];
		if (operand[1]?.text === ":" || ["=>", ":", "{"].includes(closing?.text ?? "")) {
			gathered.add(operand[0]?.text ?? "");
		} else if (calls(tokens, outer) && !isShortByShape(operand)) {
			found.push({
				line: token.line,
				operand: text(operand),
				name: operand.length === 1 ? operand[0]?.text : undefined,
			});
		}
	}
	return found
		.filter(({ line, name }) => !reasons.has(line) && (name === undefined || !gathered.has(name)))
		.map(({ line, operand }) => ({ line, operand }));
}
