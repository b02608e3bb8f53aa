/** What part of a resource a list or watch asks for. */
import type { Entry, Facts, FactsReader } from "./entry.ts";

export interface Selection {
	/** Path below the resource's prefix that must match: "", `namespace/`, or with `exact` one whole `namespace/name`. */
	readonly scope: string;
	readonly exact: boolean;
	/** Label and field selectors together; undefined: everything in scope. */
	readonly matches: ((facts: Facts) => boolean) | undefined;
	/** Value the resource's trigger field must have for `matches` to hold, when the selector says so. */
	readonly trigger?: string | undefined;
}

export const everything: Selection = { scope: "", exact: false, matches: undefined };

export const inScope = (selection: Selection, path: string): boolean =>
	selection.exact ? path === selection.scope : path.startsWith(selection.scope);

/** Whether the entry, known to be in scope, is selected. */
export const selects = (selection: Selection, entry: Entry | undefined, read: FactsReader): boolean =>
	entry !== undefined && (selection.matches === undefined || selection.matches(entry.facts(read)));
