/**
 * A container's mounts as one tree, before anything is made: which directories are the container's own, and which files and
 * directories of this machine appear where. Nothing is ever made, written or removed below a place of this machine to hold
 * a mount: where a mount point is missing below another mount, that directory is taken apart instead, into a directory of
 * the container's own in which each entry of the original appears.
 */
import type { Dirent, Stats } from "node:fs";
import path from "node:path";

/** One file or directory of this machine at an absolute path of the container. */
export interface Mount {
	readonly mountPath: string;
	readonly hostPath: string;
	readonly readOnly: boolean;
}

/** What is asked of this machine's file system; errors other than "not there" reject. */
export interface HostFiles {
	/** Undefined: there is nothing. Symbolic links are not followed. */
	lstat(file: string): Promise<Pick<Stats, "isDirectory" | "isSymbolicLink"> | undefined>;
	/** Follows links. Undefined: there is nothing. */
	stat(file: string): Promise<Pick<Stats, "isDirectory"> | undefined>;
	readdir(directory: string): Promise<readonly Pick<Dirent, "name" | "isDirectory" | "isSymbolicLink">[]>;
	readlink(file: string): Promise<string>;
	/** Where all links are followed to. Undefined: there is nothing. */
	realpath(file: string): Promise<string | undefined>;
}

/** A directory of the container's own. */
export interface Own {
	readonly kind: "own";
	readonly children: Map<string, Node>;
}
/** A symbolic link in a directory of the container's own. */
export interface Link {
	readonly kind: "link";
	readonly target: string;
}
/**
 * A file or directory of this machine. `mounted`: it appears by a mount of its own; otherwise through the one above it, and
 * stands here only for its children. Invariant: children are empty for a file.
 */
export interface Bound {
	readonly kind: "bound";
	readonly hostPath: string;
	readonly isDirectory: boolean;
	readonly readOnly: boolean;
	readonly mounted: boolean;
	readonly children: Map<string, Node>;
}
export type Node = Own | Link | Bound;

/** A mount that cannot be made; the container waits with the message. */
export class MountTableError extends Error {
	override name = "MountTableError";
}

export interface MountTableOptions {
	readonly files: HostFiles;
	/**
	 * Whether a mount may lie over what is below another mount. False where mounts are symbolic links: then every directory
	 * above a mount is taken apart.
	 */
	readonly overmount: boolean;
	/** What the root holds before any mount. */
	readonly base?: Own;
}

const linksMax = 40;

export const ownDirectory = (): Own => ({ kind: "own", children: new Map() });

export function boundTo(hostPath: string, isDirectory: boolean, readOnly: boolean, mounted = true): Bound {
	return { kind: "bound", hostPath, isDirectory, readOnly, mounted, children: new Map() };
}

/** `/a//b/../c/` → `["a", "c"]`. */
const componentsOf = (absolute: string): string[] => path.posix.resolve("/", absolute).split("/").filter(Boolean);

/** A directory of the container's own in which every entry of this machine's directory appears. */
export async function takenApart(files: HostFiles, hostPath: string, readOnly: boolean): Promise<Own> {
	const own = ownDirectory();
	for (const entry of await files.readdir(hostPath)) {
		const from = path.join(hostPath, entry.name);
		const node: Node = entry.isSymbolicLink()
			? { kind: "link", target: await files.readlink(from) }
			: boundTo(from, entry.isDirectory(), readOnly);
		own.children.set(entry.name, node);
	}
	return own;
}

/** The root of a container with these mounts. Rejects with MountTableError. */
export async function buildMountTable(mounts: readonly Mount[], options: MountTableOptions): Promise<Own> {
	const root = options.base ?? ownDirectory();
	// A mount is placed before those below it, whatever the order in which they were given.
	const depth = (mount: Mount) => componentsOf(mount.mountPath).length;
	for (const mount of mounts.toSorted((a, b) => depth(a) - depth(b))) {
		const source = await options.files.stat(mount.hostPath);
		if (source === undefined) throw new MountTableError(`mount ${mount.mountPath}: ${mount.hostPath} does not exist`);
		const leaf = boundTo(mount.hostPath, source.isDirectory(), mount.readOnly);
		await new Placement(mount.mountPath, leaf, root, options).place();
	}
	return root;
}

/** What is at a name: as placed before, or as this machine has it. */
async function childOf(files: HostFiles, node: Own | Bound, name: string): Promise<Node | undefined> {
	const placed = node.children.get(name);
	if (placed !== undefined || node.kind === "own" || !node.isDirectory) return placed;
	const from = path.join(node.hostPath, name);
	const found = await files.lstat(from);
	if (found === undefined) return undefined;
	if (found.isSymbolicLink()) return { kind: "link", target: await files.readlink(from) };
	return boundTo(from, found.isDirectory(), node.readOnly, false);
}

/** One mount on its way down the tree. */
class Placement {
	readonly #mountPath: string;
	readonly #leaf: Bound;
	readonly #root: Own;
	readonly #options: MountTableOptions;
	#links = 0;

	constructor(mountPath: string, leaf: Bound, root: Own, options: MountTableOptions) {
		this.#mountPath = mountPath;
		this.#leaf = leaf;
		this.#root = root;
		this.#options = options;
	}

	async place(): Promise<void> {
		let rest = componentsOf(this.#mountPath);
		if (rest.length === 0) throw new MountTableError(`mount ${this.#mountPath}: the root cannot be a mount`);
		if (!this.#options.overmount && (await this.#isThere(rest))) return;
		let above: string[] = [];
		let node: Own | Bound = this.#root;
		/** Where `node` hangs, so that it can be replaced when it is taken apart. */
		let parent: Own | Bound | undefined;
		while (rest.length > 0) {
			const [name = "", ...below] = rest;
			let child = await childOf(this.#options.files, node, name);
			if (child?.kind === "link") {
				// Links are followed within the container's root, never out of it.
				if (++this.#links > linksMax) throw new MountTableError(`mount ${this.#mountPath}: too many symbolic links`);
				rest = [...componentsOf(path.posix.resolve(`/${above.join("/")}`, child.target)), ...below];
				if (rest.length === 0) throw new MountTableError(`mount ${this.#mountPath}: the root cannot be a mount`);
				[above, node, parent] = [[], this.#root, undefined];
				continue;
			}
			const last = below.length === 0;
			if (!last && child?.kind === "bound" && !child.isDirectory) {
				throw new MountTableError(`mount ${this.#mountPath}: /${[...above, name].join("/")} is not a directory`);
			}
			const fits = child !== undefined && (!last || isDirectory(child) === this.#leaf.isDirectory);
			if (node.kind === "bound" && !(fits && this.#options.overmount)) {
				node = await this.#takeApart(node, parent, above.at(-1) ?? "");
				child = await childOf(this.#options.files, node, name);
			}
			if (last) {
				node.children.set(name, this.#leaf);
				return;
			}
			const next: Own | Bound = child === undefined || child.kind === "link" ? ownDirectory() : child;
			node.children.set(name, next);
			[above, parent, node, rest] = [[...above, name], node, next, below];
		}
	}

	/** Whether the volume above holds this very mount as a link (`nested-mounts.ts`). */
	async #isThere(components: readonly string[]): Promise<boolean> {
		let node: Own | Bound = this.#root;
		for (const name of components.slice(0, -1)) {
			const child: Node | undefined = await childOf(this.#options.files, node, name);
			if (child === undefined || child.kind === "link") return false;
			node = child;
		}
		const last = await childOf(this.#options.files, node, components.at(-1) ?? "");
		return last?.kind === "link" && this.#leadsToLeaf(last);
	}

	async #leadsToLeaf({ target }: Link): Promise<boolean> {
		if (!path.isAbsolute(target)) return false;
		const { realpath } = this.#options.files;
		const [there, wanted] = await Promise.all([realpath(target), realpath(this.#leaf.hostPath)]);
		return there !== undefined && there === wanted;
	}

	async #takeApart(node: Bound, parent: Own | Bound | undefined, name: string): Promise<Own> {
		const own = await takenApart(this.#options.files, node.hostPath, node.readOnly);
		for (const [key, child] of node.children) {
			// A child that appeared through the mount above no longer does, so it needs a mount of its own.
			own.children.set(key, child.kind === "bound" && !child.mounted ? { ...child, mounted: true } : child);
		}
		parent?.children.set(name, own);
		return own;
	}
}

const isDirectory = (node: Node): boolean => node.kind === "own" || (node.kind === "bound" && node.isDirectory);

/**
 * Where a path of the container is on this machine, links followed within the container: `own` is a directory that only the
 * container has; undefined where there is nothing.
 */
export async function locate(root: Own, wanted: string, files: HostFiles): Promise<string | "own" | undefined> {
	let rest = componentsOf(wanted);
	let above: string[] = [];
	let node: Own | Bound = root;
	for (let links = 0; rest.length > 0; ) {
		const [name = "", ...below]: string[] = rest;
		const child: Node | undefined = await childOf(files, node, name);
		if (child === undefined) return undefined;
		if (child.kind === "link") {
			if (++links > linksMax) return undefined;
			rest = [...componentsOf(path.posix.resolve(`/${above.join("/")}`, child.target)), ...below];
			[above, node] = [[], root];
			continue;
		}
		[above, node, rest] = [[...above, name], child, below];
	}
	return node.kind === "own" ? "own" : node.hostPath;
}
