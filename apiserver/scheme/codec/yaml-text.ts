/** YAML bodies: the first document, with YAML 1.1 scalars as upstream's parser reads them (`yes`, `0644`). */
import {
	type Document,
	isAlias,
	isMap,
	isScalar,
	isSeq,
	Lexer,
	LineCounter,
	type Node,
	parseDocument,
	stringify,
	type Tags,
} from "yaml";

/** A document may name this many nodes by alias: more is an attempt to blow up memory. */
const maxAliases = 100;

/** Brackets and braces may be open this deep at once: the parser's work grows with the square of that. */
const maxFlowDepth = 200;

/** Upstream reads timestamps and base-60 numbers as strings. */
const notResolved: ReadonlySet<string> = new Set(["tag:yaml.org,2002:timestamp"]);
const keepTag = (tag: Tags[number]): boolean =>
	typeof tag === "string"
		? tag !== "timestamp" && tag !== "intTime" && tag !== "floatTime"
		: !notResolved.has(tag.tag) && !("format" in tag && tag.format === "TIME");

export class YamlError extends Error {
	override readonly name = "YamlError";
}

export interface ParsedYaml {
	readonly value: unknown;
	/** Keys that a mapping has twice: `line 3: key "a" already set in map`. */
	readonly duplicates: readonly string[];
}

function collectDuplicates(node: Node | null | undefined, lines: LineCounter, found: string[]): void {
	if (isSeq(node)) {
		for (const item of node.items) collectDuplicates(item as Node, lines, found);
		return;
	}
	if (!isMap(node) || isAlias(node)) return;
	const seen = new Set<string>();
	for (const pair of node.items) {
		if (isScalar(pair.key)) {
			const key = String(pair.key.value);
			if (seen.has(key)) {
				const line = lines.linePos(pair.key.range?.[0] ?? 0).line;
				found.push(`line ${line}: key ${JSON.stringify(key)} already set in map`);
			}
			seen.add(key);
		}
		collectDuplicates(pair.value as Node | null, lines, found);
	}
}

/** Throws YamlError where more brackets and braces are open at once than may be. */
function checkFlowDepth(text: string): void {
	if ((text.match(/[[{]/g)?.length ?? 0) <= maxFlowDepth) return;
	let depth = 0;
	for (const token of new Lexer().lex(text)) {
		if (token === "[" || token === "{") depth++;
		else if (token === "]" || token === "}") depth--;
		if (depth > maxFlowDepth) throw new YamlError(`yaml: exceeded max depth of ${maxFlowDepth} brackets and braces`);
	}
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed {
	try {
		return parseDocument(text, {
			lineCounter,
			uniqueKeys: false,
			schema: "yaml-1.1",
			customTags: (tags) => tags.filter(keepTag),
			merge: true,
			prettyErrors: false,
		});
	} catch (error) {
		// The parser goes down as deep as the text is nested.
		if (error instanceof RangeError) throw new YamlError("yaml: exceeded max depth", { cause: error });
		throw error;
	}
}

/** Parses the first document of `text`; throws YamlError with line and reason. */
export function parseYamlText(text: string): ParsedYaml {
	const lines = new LineCounter();
	const first = firstDocument(text);
	checkFlowDepth(first);
	const document = parse(first, lines);
	const problem = document.errors[0];
	if (problem !== undefined) {
		throw new YamlError(`yaml: line ${lines.linePos(problem.pos[0]).line}: ${problem.message.split("\n")[0]}`);
	}
	const duplicates: string[] = [];
	let value: unknown;
	try {
		collectDuplicates(document.contents as Node | null, lines, duplicates);
		value = document.toJS({ maxAliasCount: maxAliases });
	} catch (error) {
		throw new YamlError(`yaml: ${(error as Error).message}`, { cause: error });
	}
	return { value: value ?? null, duplicates };
}

/**
 * The text up to the marker that ends the first document: `---` begins it where nothing but comments and directives came
 * before, and a second one ends it, though there be nothing between them.
 */
function firstDocument(text: string): string {
	let begun = false;
	for (const match of text.matchAll(/^(?:---|\.\.\.)(?:\s|$)/gm)) {
		const before = begun || match[0].startsWith("...") || /^[^#\s%]/m.test(text.slice(0, match.index));
		if (before) return text.slice(0, match.index);
		begun = true;
	}
	return text;
}

/** Block-style YAML with sorted keys, as upstream writes it. */
export const writeYaml = (value: unknown): string =>
	stringify(value, {
		sortMapEntries: true,
		lineWidth: 0,
		indentSeq: false,
		version: "1.1",
		aliasDuplicateObjects: false,
	});
