/** Who imports whom: arrows between rooms, between the folders of a room, and circles, those of types included. */
import path from "node:path";
import { arrows, isTest, layers } from "./rooms.ts";
import type { Violation } from "./violation.ts";

export interface Import {
	readonly line: number;
	/** The imported file's path from the repository root. */
	readonly target: string;
}

/** A static, dynamic, type-only or re-exporting import, or a thread's file. */
const importPattern = /(?:\bfrom|\bimport|\bnew URL)\s*\(?\s*"(\.[^"]+\.[jt]s)"/g;

/** The imports of files of ours in one file's text. */
export function importsOf(file: string, text: string): Import[] {
	return text.split("\n").flatMap((content, index) =>
		[...content.matchAll(importPattern)].map(([, specifier = ""]) => ({
			line: index + 1,
			target: path.posix.join(path.posix.dirname(file), specifier),
		})),
	);
}

const roomOf = (file: string) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");

/** The folder of its room that a file is in; undefined: it lies in the room itself. */
function folderOf(file: string): string | undefined {
	const [, folder, ...rest] = file.split("/");
	return rest.length === 0 ? undefined : folder;
}

/** What the file may import beyond its room: the entry of the longest prefix of its path. */
function allowedFor(file: string): readonly string[] | undefined {
	const prefixes = Object.keys(arrows).filter((prefix) => file.startsWith(prefix));
	return arrows[prefixes.sort((a, b) => b.length - a.length)[0] ?? ""];
}

const layerOf = (room: string, folder: string) => (layers[room] ?? []).findIndex((layer) => layer.includes(folder));

/** Why the file is where it may not be; undefined: the plan has its room and folder. */
function homeless(file: string): string | undefined {
	const [room, folder] = [roomOf(file), folderOf(file)];
	if (allowedFor(file) === undefined) return `${room}/ has no place in test/house/rooms.ts: say what it may import`;
	if (room === "test" || room === "" || folder === undefined || layerOf(room, folder) !== -1) return undefined;
	return `${room}/${folder}/ has no place in test/house/rooms.ts: give it a layer`;
}

/** Why one file may not import another; undefined: it may. */
function refusal(file: string, target: string): string | undefined {
	const room = roomOf(file);
	if (isTest(target) && !isTest(file)) return `the program may not import ${target}: it is the tests'`;
	if (room !== roomOf(target) || room === "") {
		const allowed = allowedFor(file) ?? [];
		if (allowed.some((prefix) => target.startsWith(prefix))) return undefined;
		return `${room === "" ? file : `${room}/`} may not import ${target}; allowed: ${allowed.join(", ") || "nothing of ours"}`;
	}
	const [from, to] = [folderOf(file), folderOf(target)];
	if (room === "test" || from === undefined || to === undefined || from === to) return undefined;
	if (layerOf(room, to) !== -1 && layerOf(room, to) < layerOf(room, from)) return undefined;
	return `${room}/${from}/ may not import ${target}: ${room}/${to}/ stands beside or above it`;
}

/** Arrows of one file that the plan does not have. A room's own tests may look wherever they must. */
export function backwardArrows(file: string, imports: readonly Import[]): Violation[] {
	if (isTest(file) && !file.startsWith("test/")) return [];
	const why = homeless(file);
	if (why !== undefined) return [{ file, line: 1, message: why }];
	return imports.flatMap(({ line, target }) => {
		const message = refusal(file, target);
		return message === undefined ? [] : [{ file, line, message }];
	});
}

type Graph = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Tarjan's strongly connected components of more than one node. */
function circlesOf(graph: Graph): string[][] {
	const index = new Map<string, number>();
	const low = new Map<string, number>();
	const open: string[] = [];
	const circles: string[][] = [];
	const visit = (node: string): void => {
		index.set(node, index.size);
		low.set(node, index.get(node)!);
		open.push(node);
		for (const next of graph.get(node)?.keys() ?? []) {
			if (!index.has(next)) visit(next);
			if (open.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
		}
		if (low.get(node) !== index.get(node)) return;
		const circle = open.splice(open.indexOf(node));
		if (circle.length > 1) circles.push(circle);
	};
	for (const node of graph.keys()) if (!index.has(node)) visit(node);
	return circles;
}

/** The graph among the children of one folder, its files and its folders, each arrow with an import that makes it. */
function childrenOf(folder: string, files: ReadonlyMap<string, readonly Import[]>): Graph {
	const child = (file: string) =>
		file.startsWith(folder) ? folder + (file.slice(folder.length).split("/")[0] ?? "") : undefined;
	const graph = new Map<string, Map<string, string>>();
	for (const [file, imports] of files) {
		const from = child(file);
		if (from === undefined) continue;
		const arrowsFrom = graph.get(from) ?? new Map<string, string>();
		graph.set(from, arrowsFrom);
		for (const { target } of imports) {
			const to = child(target);
			if (to !== undefined && to !== from && files.has(target)) arrowsFrom.set(to, `${file} imports ${target}`);
		}
	}
	return graph;
}

/**
 * Circles among the children of each folder. A circle of files shows in the folder that holds them all, so this finds circles
 * of files and of folders alike. `files`: every file's imports.
 */
export function importCircles(files: ReadonlyMap<string, readonly Import[]>): Violation[] {
	const production = new Map([...files].filter(([file]) => !isTest(file)));
	const folders = new Set<string>([""]);
	for (const file of production.keys()) {
		for (let at = file.indexOf("/"); at !== -1; at = file.indexOf("/", at + 1)) folders.add(file.slice(0, at + 1));
	}
	const violations: Violation[] = [];
	for (const folder of folders) {
		const graph = childrenOf(folder, production);
		for (const circle of circlesOf(graph)) {
			const members = new Set(circle);
			const why = circle.flatMap((node) =>
				[...(graph.get(node) ?? [])].filter(([to]) => members.has(to)).map(([, example]) => example),
			);
			violations.push({
				file: circle.sort()[0]!,
				line: 1,
				message: `import circle of ${circle.join(", ")}: ${why.join("; ")}`,
			});
		}
	}
	return violations;
}
