/** Every resource's columns, and one object's row. */
import type { KubeObject } from "../object.ts";
import type { ResourceInfo } from "../resources.ts";
import type { Cell, Column, Printer, RowCondition } from "./columns.ts";
import { defaultPrinter, printers } from "./kinds.ts";
import { podPrinter } from "./pod.ts";

function printerOf(resource: ResourceInfo): Printer {
	if (resource.resource === "pods") return podPrinter;
	return printers[resource.resource] ?? defaultPrinter;
}

/** A resource's columns, `-o wide` ones among them. */
export const columnsOf = (resource: ResourceInfo): readonly Column[] => printerOf(resource).columns;

/** One cell per column. `now` in ms since the epoch. */
export const cellsOf = (resource: ResourceInfo, object: KubeObject, now: number): Cell[] =>
	printerOf(resource).cells(object as never, now);

export const conditionsOf = (resource: ResourceInfo, object: KubeObject): readonly RowCondition[] =>
	printerOf(resource).conditions?.(object as never) ?? [];

export type { Cell, Column, RowCondition } from "./columns.ts";
