/**
 * JSON text as upstream's decoder sees it: Go's wording of syntax errors with their place, a bound on nesting, and the
 * duplicate keys that JSON.parse silently overwrites.
 */

/** Nesting beyond this is refused: deeper texts have no use here and would exhaust the stack when written again. */
export const maxJsonDepth = 1_000;

export class JsonSyntaxError extends Error {
	/** Position in the text, in UTF-16 units from 0. */
	readonly offset: number;

	constructor(message: string, offset: number) {
		super(message);
		this.name = "JsonSyntaxError";
		this.offset = offset;
	}
}

interface Frame {
	readonly array: boolean;
	/** Keys seen, for objects. */
	readonly keys: Set<string>;
	/** Path of the container. */
	readonly path: string;
	index: number;
}

export interface KeyVisitor {
	/** A key's full path (`spec.containers[0].name`), where it stands, and whether its object had it before. */
	key(path: string, offset: number, repeated: boolean): void;
}

const quoteChar = (text: string, offset: number): string => {
	const char = String.fromCodePoint(text.codePointAt(offset) ?? 0);
	if (char === "'") return "'\\''";
	if (char === '"') return "'\"'";
	return JSON.stringify(char).replace(/^"|"$/g, "'");
};

/** A scanner over JSON text with Go's states and messages; slower than JSON.parse, so used only where that is not enough. */
class Scanner {
	readonly #text: string;
	readonly #visitor: KeyVisitor | undefined;
	#at = 0;

	constructor(text: string, visitor?: KeyVisitor) {
		this.#text = text;
		this.#visitor = visitor;
	}

	run(): void {
		this.#space();
		this.#value("", 0);
		this.#space();
		if (this.#at < this.#text.length) this.#fail("after top-level value");
	}

	#fail(context: string): never {
		if (this.#at >= this.#text.length) throw new JsonSyntaxError("unexpected end of JSON input", this.#at);
		throw new JsonSyntaxError(`invalid character ${quoteChar(this.#text, this.#at)} ${context}`, this.#at);
	}

	#space(): void {
		for (;;) {
			const c = this.#text.charCodeAt(this.#at);
			if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
			this.#at++;
		}
	}

	#value(path: string, depth: number): void {
		if (depth > maxJsonDepth) throw new JsonSyntaxError("exceeded max depth", this.#at);
		const c = this.#text[this.#at];
		if (c === "{") this.#object(path, depth);
		else if (c === "[") this.#array(path, depth);
		else if (c === '"') this.#string();
		else if (c === "t") this.#word("true");
		else if (c === "f") this.#word("false");
		else if (c === "n") this.#word("null");
		else if (c === "-" || (c !== undefined && c >= "0" && c <= "9")) this.#number();
		else this.#fail("looking for beginning of value");
	}

	#object(path: string, depth: number): void {
		const frame: Frame = { array: false, keys: new Set(), path, index: 0 };
		this.#at++;
		this.#space();
		if (this.#text[this.#at] === "}") {
			this.#at++;
			return;
		}
		for (;;) {
			const start = this.#at;
			if (this.#text[this.#at] !== '"') this.#fail("looking for beginning of object key string");
			const key = this.#string();
			const keyPath = path === "" ? key : `${path}.${key}`;
			this.#visitor?.key(keyPath, start, frame.keys.has(key));
			frame.keys.add(key);
			this.#space();
			if (this.#text[this.#at] !== ":") this.#fail("after object key");
			this.#at++;
			this.#space();
			this.#value(keyPath, depth + 1);
			this.#space();
			if (this.#closes("}", "after object key:value pair")) return;
			this.#space();
		}
	}

	#array(path: string, depth: number): void {
		this.#at++;
		this.#space();
		if (this.#text[this.#at] === "]") {
			this.#at++;
			return;
		}
		for (let index = 0; ; index++) {
			this.#value(`${path}[${index}]`, depth + 1);
			this.#space();
			if (this.#closes("]", "after array element")) return;
			this.#space();
		}
	}

	/** Takes `end` (true) or a comma (false). */
	#closes(end: string, context: string): boolean {
		const c = this.#text[this.#at];
		if (c !== end && c !== ",") this.#fail(context);
		this.#at++;
		return c === end;
	}

	#word(word: string): void {
		for (let i = 0; i < word.length; i++, this.#at++) {
			if (this.#text[this.#at] !== word[i]) this.#fail(`in literal ${word} (expecting ${quoteChar(word, i)})`);
		}
	}

	#digits(context: string): void {
		const isDigit = () => {
			const c = this.#text[this.#at];
			return c !== undefined && c >= "0" && c <= "9";
		};
		if (!isDigit()) this.#fail(context);
		while (isDigit()) this.#at++;
	}

	#number(): void {
		if (this.#text[this.#at] === "-") this.#at++;
		if (this.#text[this.#at] === "0") this.#at++;
		else this.#digits("in numeric literal");
		if (this.#text[this.#at] === ".") {
			this.#at++;
			this.#digits("after decimal point in numeric literal");
		}
		if (this.#text[this.#at] === "e" || this.#text[this.#at] === "E") {
			this.#at++;
			if (this.#text[this.#at] === "+" || this.#text[this.#at] === "-") this.#at++;
			this.#digits("in exponent of numeric literal");
		}
	}

	#string(): string {
		const start = this.#at++;
		for (;;) {
			const c = this.#text.charCodeAt(this.#at);
			if (Number.isNaN(c)) this.#fail("in string literal");
			if (c < 0x20) this.#fail("in string literal");
			this.#at++;
			if (c === 0x22) return JSON.parse(this.#text.slice(start, this.#at)) as string;
			if (c === 0x5c) this.#escape();
		}
	}

	#escape(): void {
		const c = this.#text[this.#at] ?? "";
		if (c === "u") {
			this.#at++;
			for (let i = 0; i < 4; i++, this.#at++) {
				if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? "")) this.#fail("in \\u hexadecimal character escape");
			}
			return;
		}
		if (c === "" || !'bfnrt\\/"'.includes(c)) this.#fail("in string escape code");
		this.#at++;
	}
}

/** Visits every key of a valid text in order; throws JsonSyntaxError on an invalid one. */
export const visitKeys = (text: string, visitor: KeyVisitor): void => new Scanner(text, visitor).run();

interface Shape {
	readonly colons: number;
	readonly depth: number;
}

/** Position of the quote that ends the string begun at `start`; the text's length where none does. */
function endOfString(text: string, start: number): number {
	for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
		let slashes = 0;
		while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
		if (slashes % 2 === 0) return at;
	}
	return text.length;
}

/** Colons outside strings, which are the text's keys, and the deepest nesting, of a valid text. */
function measure(text: string): Shape {
	let colons = 0;
	let depth = 0;
	let deepest = 0;
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i);
		if (c === 0x22) {
			i = endOfString(text, i);
		} else if (c === 0x3a) colons++;
		else if (c === 0x7b || c === 0x5b) {
			if (++depth > deepest) deepest = depth;
		} else if (c === 0x7d || c === 0x5d) depth--;
	}
	return { colons, depth: deepest };
}

function countKeys(value: unknown): number {
	if (typeof value !== "object" || value === null) return 0;
	let count = 0;
	if (Array.isArray(value)) {
		for (const item of value) count += countKeys(item);
		return count;
	}
	for (const key of Object.keys(value)) count += 1 + countKeys((value as Record<string, unknown>)[key]);
	return count;
}

export interface ParsedJson {
	readonly value: unknown;
	/** Some object of the text had a key twice (the last one is in `value`). */
	readonly hasDuplicates: boolean;
}

/** Parses text; throws JsonSyntaxError with Go's words. */
export function parseJsonText(text: string): ParsedJson {
	let value: unknown;
	const { colons, depth } = measure(text);
	// Before parsing: V8 would parse deeper ones, and nobody could write them again.
	if (depth > maxJsonDepth) throw new JsonSyntaxError("exceeded max depth", 0);
	try {
		value = JSON.parse(text);
	} catch (error) {
		new Scanner(text).run();
		throw new JsonSyntaxError((error as Error).message, 0);
	}
	return { value, hasDuplicates: colons !== countKeys(value) };
}

/** `line 3, column 14`, from 1. */
export function describePosition(text: string, offset: number): string {
	const before = text.slice(0, offset);
	const line = before.split("\n").length;
	return `line ${line}, column ${offset - (before.lastIndexOf("\n") + 1) + 1}`;
}
