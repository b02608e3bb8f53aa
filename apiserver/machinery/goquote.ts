/** Go's way of quoting a text (`%q`), which upstream's messages are made with. */

/** What Go's unicode.IsPrint lets through: letters, marks, numbers, punctuation, symbols and the space. */
const printablePattern = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

export const isPrintable = (char: string): boolean => printablePattern.test(char);

const named: Readonly<Record<string, string>> = {
	'"': '\\"',
	"\\": "\\\\",
	"\x07": "\\a",
	"\b": "\\b",
	"\f": "\\f",
	"\n": "\\n",
	"\r": "\\r",
	"\t": "\\t",
	"\v": "\\v",
};

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, "0");

function quoteChar(char: string): string {
	const short = named[char];
	if (short !== undefined) return short;
	if (isPrintable(char)) return char;
	const code = char.codePointAt(0) ?? 0;
	if (code < 0x80) return `\\x${hex(code, 2)}`;
	return code < 0x1_0000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

export const goQuote = (text: string): string => `"${Array.from(text, quoteChar).join("")}"`;
