/** meta/v1 Table and PartialObjectMetadata: other shapes of the same objects, for clients that only show them. */
import type { KubeObject } from "../object.ts";
import type { ResourceInfo } from "../resources.ts";
import type { ObjectMeta } from "../types.gen.ts";
import { type Cell, type Column, cellsOf, columnsOf, conditionsOf, type RowCondition } from "./printers.ts";

const metaVersion = "meta.k8s.io/v1";

/** What a row carries of its object. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface PartialObject {
	readonly kind: "PartialObjectMetadata";
	readonly apiVersion: string;
	readonly metadata: ObjectMeta;
}

export interface TableRow {
	readonly cells: readonly Cell[];
	readonly conditions?: readonly RowCondition[];
	/** null with includeObject=None. */
	readonly object: KubeObject | PartialObject | null;
}

export interface ListMetadata {
	readonly resourceVersion?: string;
	readonly continue?: string;
	readonly remainingItemCount?: number;
}

export interface Table {
	readonly kind: "Table";
	readonly apiVersion: string;
	readonly metadata: ListMetadata;
	/** null where the client has them already: in a watch after its first event. */
	readonly columnDefinitions: readonly Column[] | null;
	readonly rows: readonly TableRow[];
}

export interface RowOptions {
	readonly includeObject: IncludeObject;
	/** Ms since the epoch, from which ages count. */
	readonly now: number;
}

export interface TableOptions extends RowOptions, ListMetadata {
	/** Leaves out the columns. */
	readonly noHeaders?: boolean;
}

export const partialObject = (object: KubeObject): PartialObject => ({
	kind: "PartialObjectMetadata",
	apiVersion: metaVersion,
	metadata: object.metadata,
});

export const partialObjectList = (items: readonly KubeObject[], metadata: ListMetadata): object => ({
	kind: "PartialObjectMetadataList",
	apiVersion: metaVersion,
	metadata,
	items: items.map(partialObject),
});

function rowObject(object: KubeObject, include: IncludeObject): TableRow["object"] {
	if (include === "None") return null;
	return include === "Metadata" ? partialObject(object) : object;
}

/** One object's row. */
export function toRow(resource: ResourceInfo, object: KubeObject, options: RowOptions): TableRow {
	const conditions = conditionsOf(resource, object);
	return {
		cells: cellsOf(resource, object, options.now),
		...(conditions.length === 0 ? {} : { conditions }),
		object: rowObject(object, options.includeObject),
	};
}

export function toTable(resource: ResourceInfo, items: readonly KubeObject[], options: TableOptions): Table {
	const { resourceVersion, continue: token, remainingItemCount } = options;
	return {
		kind: "Table",
		apiVersion: metaVersion,
		metadata: {
			...(resourceVersion === undefined ? {} : { resourceVersion }),
			...(token === undefined || token === "" ? {} : { continue: token }),
			...(remainingItemCount === undefined ? {} : { remainingItemCount }),
		},
		columnDefinitions: options.noHeaders ? null : columnsOf(resource),
		rows: items.map((item) => toRow(resource, item, options)),
	};
}
