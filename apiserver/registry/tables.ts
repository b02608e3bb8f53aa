/** Tables for clients that print: what the request says of them, and rows written one by one. */
import { badRequest, fieldInvalid } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import { type IncludeObject, type ListMetadata, type TableRow, toRow, toTable } from "../scheme/printers/table.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { Scope } from "./context.ts";

export interface TableOptions {
	readonly includeObject: IncludeObject;
	/** Ms since the epoch. */
	readonly now: () => number;
	readonly noHeaders?: boolean;
}

const choices: readonly IncludeObject[] = ["None", "Metadata", "Object"];

/** Throws ApiError 400 for an unknown includeObject. */
export function tableOptions(scope: Scope): TableOptions {
	const include = (scope.request.query.get("includeObject") ?? "") || "Metadata";
	if (!choices.includes(include as IncludeObject)) {
		const { message } = fieldInvalid("includeObject", include, "must be 'Metadata', 'Object', 'None', or empty");
		throw badRequest(`Unable to convert to Table as requested: includeObject: ${message}`);
	}
	const { clock } = scope.services;
	return { includeObject: include as IncludeObject, now: () => clock.now() };
}

/** JSON of a table without its rows, up to where `"rows":` belongs. */
export function listTableHead(resource: ResourceInfo, metadata: ListMetadata, options: TableOptions): string {
	const { rows: _, ...head } = toTable(resource, [], { ...metadata, ...options, now: options.now() });
	return `${JSON.stringify({ ...head, metadata }).slice(0, -1)},`;
}

export const rowsOf = (resource: ResourceInfo, objects: readonly KubeObject[], options: TableOptions): TableRow[] =>
	objects.map((object) => toRow(resource, object, { includeObject: options.includeObject, now: options.now() }));

export function tableOf(scope: Scope, objects: readonly KubeObject[], metadata: ListMetadata): object {
	const options = tableOptions(scope);
	return toTable(scope.resource, objects, { ...metadata, ...options, now: options.now() });
}
