/** What a printer is: columns, and the cells of an object. */

export interface Column {
	readonly name: string;
	readonly type: "string" | "integer" | "date";
	/** `name` marks the column that names the object. */
	readonly format: string;
	readonly description: string;
	/** 0: always shown; 1: with `-o wide`. */
	readonly priority: number;
}

export type Cell = string | number;

/** A remark on a row: `Completed` dims a pod that has ended. */
export interface RowCondition {
	readonly type: string;
	readonly status: string;
	readonly reason?: string;
	readonly message?: string;
}

export interface Printer {
	readonly columns: readonly Column[];
	/** One cell per column; `now` in ms since the epoch. */
	cells(object: never, now: number): Cell[];
	conditions?(object: never): readonly RowCondition[];
}

export const text = (name: string, description: string): Column => ({
	name,
	type: "string",
	format: "",
	description,
	priority: 0,
});
export const integer = (name: string, description: string): Column => ({ ...text(name, description), type: "integer" });
export const wide = (column: Column): Column => ({ ...column, priority: 1 });

export const nameColumn: Column = {
	...text("Name", "Name must be unique within a namespace."),
	format: "name",
};
export const ageColumn = text("Age", "Time since the object was created.");

const none = "<none>";

/** Shown in place of an absent or empty value. */
export const orNone = (value: string | undefined): string => (value === undefined || value === "" ? none : value);

/** `a=1,b=2` in the order of keys. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
	const pairs = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
	return orNone(pairs.map(([key, value]) => `${key}=${value}`).join(","));
}
