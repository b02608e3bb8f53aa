/**
 * Regular expressions whose matching takes more than linear time on some text: each is a way for whoever sends that text
 * to stop a process. `/\/+$/` is one (it looks for the end anew from every slash), as is `/(a+)+b/`. Found by scslre,
 * which decides on the pattern's automaton; it is what eslint-plugin-regexp uses, and pure JavaScript.
 */
import { tokenize } from "./tokens.ts";

type Analyse = (
	literal: { readonly source: string; readonly flags: string },
	options?: object,
) => { readonly reports: readonly { readonly exponential: boolean }[] };

let analyse: Analyse | undefined;
try {
	// By a name that the type checker does not follow, so that an older installation still checks everything else.
	const name = "scslre";
	analyse = ((await import(name)) as { analyse: Analyse }).analyse;
} catch {
	analyse = undefined;
}

/** False: scslre is not installed, and nothing can be told. */
export const canAnalyse = analyse !== undefined;

export interface Backtracking {
	readonly line: number;
	readonly pattern: string;
	readonly why: string;
}

const known = new Map<string, string | undefined>();

function verdict(literal: string): string | undefined {
	if (known.has(literal) || analyse === undefined) return known.get(literal);
	const end = literal.lastIndexOf("/");
	const { reports } = analyse({ source: literal.slice(1, end), flags: literal.slice(end + 1) });
	const why = reports.length === 0 ? undefined : reports.some((r) => r.exponential) ? "exponential" : "polynomial";
	known.set(literal, why);
	return why;
}

/**
 * Literals that backtrack, and `new RegExp(…)` of anything but a literal; unless a comment beside them says
 * `linear: why`, for what the analysis cannot know (that a text is short, that a pattern is made of safe parts).
 */
export function backtrackingPatterns(source: string): Backtracking[] {
	const all = tokenize(source);
	const reasons = new Set<number>();
	for (const { kind, text, line } of all) {
		if (kind !== "comment" || !/\blinear: \S/.test(text)) continue;
		const end = line + text.split("\n").length - 1;
		reasons.add(end).add(end + 1);
	}
	const tokens = all.filter((token) => token.kind !== "comment");
	const found: Backtracking[] = [];
	for (const [i, { kind, text, line }] of tokens.entries()) {
		if (reasons.has(line)) continue;
		if (kind === "regex") {
			const why = verdict(text);
			if (why !== undefined) found.push({ line, pattern: text, why });
		}
		if (text === "RegExp" && tokens[i - 1]?.text === "new" && tokens[i + 2]?.kind !== "regex") {
			found.push({ line, pattern: "new RegExp", why: "unknown" });
		}
	}
	return found;
}
