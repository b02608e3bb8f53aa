/** A source file as tokens: enough of TypeScript's grammar to tell code from strings, comments and regular expressions. */

export type TokenKind = "word" | "number" | "string" | "regex" | "comment" | "punctuation";

export interface Token {
	readonly kind: TokenKind;
	/** As written; of a template only the piece between two substitutions. */
	readonly text: string;
	/** Counted from 1; of a token of several lines its first. */
	readonly line: number;
}

/** After these words an expression begins, so a slash opens a regular expression and a parenthesis calls nothing. */
export const leadingWords: ReadonlySet<string> = new Set(
	"await case catch delete do else extends for function if in instanceof of return switch throw typeof void while yield".split(
		" ",
	),
);

const words = /[\p{ID_Start}$_#@][\p{ID_Continue}$]*/uy;
const numbers = /\d[\w.]*/y;
const punctuation = /\.\.\.|=>|\?\.|\?\?=?|&&=?|\|\|=?|[=!]==?|\*\*=?|\+\+|--|[<>+\-*/%&|^]=|[^\s]/y;
const quoted = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const lineComment = /\/\/[^\n]*/y;
const regex = /\/(?:[^/\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/[a-z]*/y;
const templatePiece = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;

export function tokenize(text: string): Token[] {
	const tokens: Token[] = [];
	/** One per open template: how many braces are open inside its substitution. */
	const templates: number[] = [];
	let at = 0;
	let line = 1;
	const take = (kind: TokenKind, end: number) => {
		const piece = text.slice(at, end);
		tokens.push({ kind, text: piece, line });
		for (let i = piece.indexOf("\n"); i >= 0; i = piece.indexOf("\n", i + 1)) line++;
		at = end;
	};
	const match = (pattern: RegExp, kind: TokenKind): boolean => {
		pattern.lastIndex = at;
		if (!pattern.test(text)) return false;
		take(kind, pattern.lastIndex);
		return true;
	};
	const template = () => {
		templatePiece.lastIndex = at;
		templatePiece.test(text);
		take("string", templatePiece.lastIndex);
		if (text[at] === "`") at++;
		else {
			templates.push(0);
			at += 2;
		}
	};
	while (at < text.length) {
		const letter = text[at] as string;
		const open = templates.at(-1);
		if (letter === "\n") line++;
		if (/\s/.test(letter)) at++;
		else if (letter === "`") {
			at++;
			template();
		} else if (letter === "}" && open === 0) {
			templates.pop();
			at++;
			template();
		} else if (letter === '"' || letter === "'") void (match(quoted, "string") || match(punctuation, "punctuation"));
		else if (text.startsWith("//", at)) match(lineComment, "comment");
		else if (text.startsWith("/*", at)) {
			const end = text.indexOf("*/", at + 2);
			take("comment", end < 0 ? text.length : end + 2);
		} else if (letter === "/" && expressionBegins(tokens) && match(regex, "regex")) continue;
		else if (match(words, "word") || match(numbers, "number")) continue;
		else {
			if (open !== undefined && (letter === "{" || letter === "}"))
				templates[templates.length - 1] = open + (letter === "{" ? 1 : -1);
			match(punctuation, "punctuation");
		}
	}
	return tokens;
}

/** What comes next is an operand, not an operator. */
function expressionBegins(tokens: readonly Token[]): boolean {
	const last = tokens.findLast((token) => token.kind !== "comment");
	if (last === undefined) return true;
	if (last.kind === "word") return leadingWords.has(last.text);
	return last.kind === "punctuation" && ![")", "]", "}"].includes(last.text);
}
