/**
 * A container's root as files on disk, from its mount table: directories of its own, and for each mount either an empty
 * place with a line for `mount -a` (a private mount namespace), or a symbolic link. Everything made lies in one directory,
 * which is the container's own; it is removed as a whole, without following a link.
 */
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Bound, Node, Own } from "./mount-table.ts";

/** One line for `mount -a`: what appears where, in the order in which they are mounted. */
export interface MountLine {
	readonly source: string;
	readonly target: string;
	readonly readOnly: boolean;
	/** With what is mounted below it. */
	readonly recursive: boolean;
}

export interface RootDirectory {
	readonly root: string;
	/** Empty where mounts are links. */
	readonly lines: readonly MountLine[];
}

/** As fstab(5) and /proc/self/mountinfo have paths: blanks and backslashes as octal escapes. */
export const escaped = (file: string) =>
	file.replace(/[\\ \t\n]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);

export const fstabOf = (lines: readonly MountLine[]): string =>
	lines
		.map(({ source, target, readOnly, recursive }) => {
			const options = `${recursive ? "rbind" : "bind"},${readOnly ? "ro" : "rw"}`;
			return `${escaped(source)} ${escaped(target)} none ${options} 0 0\n`;
		})
		.join("");

/** Where a container's root is in its own directory. */
export const rootIn = (base: string): string => path.join(base, "root");

const holds = (directory: string, file: string) => file === directory || file.startsWith(`${directory}${path.sep}`);

class Maker {
	readonly lines: MountLine[] = [];
	readonly #base: string;
	readonly #root: string;
	readonly #links: boolean;
	#patches = 0;

	constructor(base: string, links: boolean) {
		this.#base = base;
		this.#root = rootIn(base);
		this.#links = links;
	}

	/** `physical`: where its entries are made; `seen`: where the container will see them, from its root. */
	async own(node: Own, physical: string, seen: string): Promise<void> {
		await mkdir(physical, { recursive: true, mode: 0o755 });
		// What holds this very directory comes first: mounted later, it would show the mounts made before a second time.
		const isAbove = (child: Node) => child.kind === "bound" && holds(child.hostPath, this.#base);
		const entries = [...node.children].toSorted(([, a], [, b]) => Number(isAbove(b)) - Number(isAbove(a)));
		for (const [name, child] of entries) await this.#child(child, path.join(physical, name), path.join(seen, name));
	}

	async #child(node: Node, physical: string, seen: string): Promise<void> {
		if (node.kind === "own") return this.own(node, physical, seen);
		if (node.kind === "link") return symlink(node.target, physical);
		if (this.#links) return symlink(node.hostPath, physical);
		if (node.isDirectory) await mkdir(physical, { mode: 0o755 });
		else await writeFile(physical, "", { mode: 0o644 });
		return this.#mount(node, seen);
	}

	async #mount(node: Bound, seen: string): Promise<void> {
		if (node.mounted) this.#line(node.hostPath, seen, node.readOnly, true);
		for (const [name, child] of node.children) {
			const at = path.join(seen, name);
			// The place is there already: this machine has it, or the table would have taken the directory apart.
			if (child.kind === "bound") await this.#mount(child, at);
			else if (child.kind === "own") await this.#patch(child, at, node.readOnly);
		}
	}

	/** A directory of the container's own over one of this machine: made beside the root, and mounted. */
	async #patch(node: Own, seen: string, readOnly: boolean): Promise<void> {
		const directory = path.join(this.#base, "patches", String(this.#patches++));
		this.#line(directory, seen, readOnly, false);
		await this.own(node, directory, seen);
	}

	#line(source: string, seen: string, readOnly: boolean, recursive: boolean): void {
		this.lines.push({ source, target: path.join(this.#root, seen), readOnly, recursive });
	}
}

/** Makes the root anew under `base`, which is the container's own. Mounts are links where `links` is set. */
export async function makeRootDirectory(table: Own, base: string, links: boolean): Promise<RootDirectory> {
	const root = rootIn(base);
	for (const name of ["root", "patches"]) await rm(path.join(base, name), { recursive: true, force: true });
	const maker = new Maker(base, links);
	await maker.own(table, root, "/");
	return { root, lines: maker.lines };
}
