/**
 * A disk that forgets: writes are visible at once, and survive a crash for certain only after `sync`. What was not
 * synced is kept, lost or torn at 512-byte sectors, by the seed. Names follow the same rule with `syncDirectory`.
 */
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import type { Disk, DiskFile } from "../disk.ts";
import type { Random } from "../random.ts";

export const sectorBytes = 512;

export type DiskOperation =
	| "open"
	| "read"
	| "write"
	| "sync"
	| "truncate"
	| "size"
	| "list"
	| "makeDirectory"
	| "rename"
	| "remove"
	| "syncDirectory";

export interface SimDiskOptions {
	readonly random: Random;
	/** Absent: operations take no time. */
	readonly clock?: Clock | undefined;
	/** Virtual ms an operation takes. */
	readonly latency?: ((operation: DiskOperation, random: Random) => number) | undefined;
	/** Bytes all files together may hold; beyond it writes fail with ENOSPC. */
	readonly capacity?: number | undefined;
}

/** A change of a file not synced yet. `lost`: a failed sync dropped it; no later sync brings it to the medium. */
type Change = { lost: boolean } & (
	| { readonly type: "write"; readonly position: number; readonly data: Buffer }
	| { readonly type: "truncate"; readonly size: number }
);

class Content {
	#bytes: Buffer = Buffer.alloc(0);
	size = 0;

	static copy(of: Content): Content {
		const content = new Content();
		content.#bytes = Buffer.from(of.#bytes.subarray(0, of.size));
		content.size = of.size;
		return content;
	}

	bytes(): Buffer {
		return this.#bytes.subarray(0, this.size);
	}

	apply(change: Change): void {
		if (change.type === "truncate") {
			this.resize(change.size);
			return;
		}
		const end = change.position + change.data.length;
		if (end > this.size) this.resize(end);
		change.data.copy(this.#bytes, change.position);
	}

	resize(size: number): void {
		if (size > this.#bytes.length) {
			const larger = Buffer.alloc(Math.max(size, 2 * this.#bytes.length));
			this.#bytes.copy(larger, 0, 0, this.size);
			this.#bytes = larger;
		} else if (size < this.size) {
			this.#bytes.fill(0, size, this.size);
		}
		this.size = size;
	}
}

class Inode {
	current = new Content();
	durable = new Content();
	changes: Change[] = [];
	/** Once damaged: what the file would hold without the damage. */
	intended: Content | undefined;

	/** `meant`: what was asked for, where the medium did something else. */
	change(change: Change, meant: Change = change): void {
		this.intended?.apply(meant);
		this.current.apply(change);
		this.changes.push(change);
	}

	repair(): void {
		if (this.intended === undefined) return;
		this.durable = Content.copy(this.intended);
		this.current = this.intended;
		this.intended = undefined;
		this.changes = [];
	}

	/** Makes durable what had been changed when the sync began. */
	synced(changes: readonly Change[]): void {
		for (const change of changes) if (!change.lost) this.durable.apply(change);
		this.changes = this.changes.filter((change) => change.lost || !changes.includes(change));
	}

	crash(random: Random): void {
		const changes = this.changes.filter((change) => !change.lost);
		this.changes = [];
		if (changes.length > 0) this.durable = survive(this.durable, changes, random);
		this.current = Content.copy(this.durable);
	}
}

/** Each touched sector reached the medium as it was after some of the changes, or not at all; so did the size. */
function survive(durable: Content, changes: readonly Change[], random: Random): Content {
	const fate = random.int(4);
	if (fate === 0) return durable;
	const result = Content.copy(durable);
	if (fate === 1) {
		for (const change of changes) result.apply(change);
		return result;
	}
	const versions = [Content.copy(durable)];
	for (const change of changes) {
		const next = Content.copy(versions.at(-1)!);
		next.apply(change);
		versions.push(next);
	}
	const sized = versions[random.int(versions.length)]!;
	result.resize(sized.size);
	for (let start = 0; start < result.size; start += sectorBytes) {
		const version = versions[random.int(versions.length)]!.bytes().subarray(start, start + sectorBytes);
		const sector = Buffer.alloc(Math.min(sectorBytes, result.size - start));
		version.copy(sector);
		result.apply({ type: "write", position: start, data: sector, lost: false });
	}
	return result;
}

interface NameChange {
	readonly directory: string;
	apply(names: Map<string, Inode>): void;
}

function failure(code: string, operation: string, path: string): Error {
	return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, syscall: operation, path });
}

export class SimDisk implements Disk {
	readonly #options: SimDiskOptions;
	#names = new Map<string, Inode>();
	#durableNames = new Map<string, Inode>();
	#nameChanges: NameChange[] = [];
	#directories = new Set<string>();
	#generation = 0;
	/** Asked before every operation: an error code makes it fail. Set by tests and nemeses. */
	fault: ((operation: DiskOperation, path: string) => string | undefined) | undefined;
	/** Asked before every read and write: where it goes instead. */
	misdirect: ((operation: "read" | "write", path: string, position: number) => number) | undefined;
	/**
	 * Asked before every write: how many of its bytes are written before the process dies, down to a whole sector. Whoever
	 * answers must see to its death.
	 */
	tear: ((path: string, bytes: number) => number | undefined) | undefined;
	/** Bytes all files together may hold; beyond it writes fail with ENOSPC. */
	capacity: number | undefined;

	constructor(options: SimDiskOptions) {
		this.#options = options;
		this.capacity = options.capacity;
	}

	/** Counts crashes and kills. */
	get generation(): number {
		return this.#generation;
	}

	/** Power is lost: open files are gone (their operations never finish), and what was not synced is at the seed's mercy. */
	crash(): void {
		this.#generation++;
		const random = this.#options.random;
		const kept = random.int(this.#nameChanges.length + 1);
		for (const change of this.#nameChanges.slice(0, kept)) change.apply(this.#durableNames);
		this.#nameChanges = [];
		this.#names = new Map(this.#durableNames);
		for (const [, inode] of [...this.#names].sort(([a], [b]) => (a < b ? -1 : 1))) inode.crash(random);
	}

	/** The process is gone but the machine goes on: open files are lost, every write that returned is kept. */
	kill(): void {
		this.#generation++;
	}

	/** What a reader sees now. */
	contents(path: string): Buffer {
		return Buffer.from(this.#inode("read", path).current.bytes());
	}

	/** Replaces a file, on the medium. */
	replace(path: string, data: Buffer): void {
		const inode = new Inode();
		inode.durable.apply({ type: "write", position: 0, data, lost: false });
		inode.current = Content.copy(inode.durable);
		this.#names.set(path, inode);
		this.#durableNames.set(path, inode);
	}

	/** Rot: the bit changes on the medium and for readers; `repair` undoes it. */
	flipBit(path: string, offset: number, bit: number): void {
		const inode = this.#inode("read", path);
		inode.intended ??= Content.copy(inode.current);
		for (const content of [inode.current, inode.durable]) {
			const bytes = content.bytes();
			if (offset < bytes.length) bytes[offset] = bytes[offset]! ^ (1 << bit);
		}
	}

	/** Undoes rot and misdirected writes: every file holds what its writers meant. */
	repair(): void {
		for (const inode of this.#names.values()) inode.repair();
	}

	/** A new, empty disk in place of this one; the function returned puts the old one back. Nothing is under way at either. */
	wipe(): () => void {
		const old = [this.#names, this.#durableNames, this.#nameChanges, this.#directories] as const;
		const put = ([names, durableNames, nameChanges, directories]: typeof old) => {
			this.#generation++;
			this.#names = names;
			this.#durableNames = durableNames;
			this.#nameChanges = nameChanges;
			this.#directories = directories;
		};
		put([new Map(), new Map(), [], new Set()]);
		return () => put(old);
	}

	used(): number {
		return this.#used();
	}

	paths(): string[] {
		return [...this.#names.keys()].sort();
	}

	async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
		await this.#begin("open", path);
		let inode = this.#names.get(path);
		if (inode === undefined) {
			if (options?.create !== true || !this.#directories.has(dirname(path))) throw failure("ENOENT", "open", path);
			const made = new Inode();
			inode = made;
			this.#rename(path, (names) => void names.set(path, made));
		}
		return this.#file(path, inode);
	}

	async list(path: string): Promise<string[]> {
		await this.#begin("list", path);
		if (!this.#directories.has(path)) throw failure("ENOENT", "scandir", path);
		const prefix = `${path}/`;
		const entries = [...this.#names.keys(), ...this.#directories].filter(
			(name) => name.startsWith(prefix) && !name.slice(prefix.length).includes("/"),
		);
		return entries.map((name) => name.slice(prefix.length)).sort();
	}

	/** Directories are durable at once: their loss would only repeat the loss of the names in them. */
	async makeDirectory(path: string): Promise<void> {
		await this.#begin("makeDirectory", path);
		for (let at = path; !this.#directories.has(at) && at !== dirname(at); at = dirname(at)) this.#directories.add(at);
	}

	async rename(from: string, to: string): Promise<void> {
		await this.#begin("rename", from);
		const inode = this.#inode("rename", from);
		this.#rename(to, (names) => {
			names.delete(from);
			names.set(to, inode);
		});
	}

	async remove(path: string): Promise<void> {
		await this.#begin("remove", path);
		this.#inode("unlink", path);
		this.#rename(path, (names) => void names.delete(path));
	}

	async syncDirectory(path: string): Promise<void> {
		const covered = this.#nameChanges.filter((change) => change.directory === path);
		await this.#begin("syncDirectory", path);
		// Names are journalled in order: one directory's sync carries all changes up to its own last.
		const last = covered.at(-1);
		if (last === undefined || !this.#nameChanges.includes(last)) return;
		const count = this.#nameChanges.indexOf(last) + 1;
		for (const change of this.#nameChanges.splice(0, count)) change.apply(this.#durableNames);
	}

	#rename(path: string, apply: (names: Map<string, Inode>) => void): void {
		apply(this.#names);
		this.#nameChanges.push({ directory: dirname(path), apply });
	}

	#inode(operation: string, path: string): Inode {
		const inode = this.#names.get(path);
		if (inode === undefined) throw failure("ENOENT", operation, path);
		return inode;
	}

	#used(): number {
		let total = 0;
		for (const inode of new Set(this.#names.values())) total += inode.current.size;
		return total;
	}

	/** Takes the operation's time; never returns after a crash; throws an injected fault. */
	async #begin(operation: DiskOperation, path: string, generation = this.#generation): Promise<void> {
		const { clock, latency, random } = this.#options;
		if (generation !== this.#generation) return new Promise(() => {});
		const code = this.fault?.(operation, path);
		const ms = latency?.(operation, random) ?? 0;
		if (clock !== undefined && ms > 0) {
			await new Promise<void>((resolve) => clock.after(ms, resolve));
			if (generation !== this.#generation) return new Promise(() => {});
		}
		if (code !== undefined) throw failure(code, operation, path);
	}

	#file(path: string, inode: Inode): DiskFile {
		const generation = this.#generation;
		const begin = (operation: DiskOperation) => this.#begin(operation, path, generation);
		const reserve = (size: number) => {
			const grown = size - inode.current.size;
			const { capacity } = this;
			if (capacity !== undefined && grown > 0 && this.#used() + grown > capacity)
				throw failure("ENOSPC", "write", path);
		};
		return {
			read: async (target, position) => {
				await begin("read");
				const at = this.misdirect?.("read", path, position) ?? position;
				return inode.current.bytes().copy(target, 0, Math.min(at, inode.current.size));
			},
			write: async (data, position) => {
				// The caller may use its buffer again only after the call, but a bug there must not depend on our latency.
				const copy = Buffer.from(data);
				await begin("write");
				reserve(position + copy.length);
				const torn = this.tear?.(path, copy.length);
				if (torn !== undefined) {
					const kept = Math.max(0, torn - ((position + torn) % sectorBytes));
					inode.change({ type: "write", position, data: copy.subarray(0, kept), lost: false });
					return new Promise(() => {});
				}
				const meant: Change = { type: "write", position, data: copy, lost: false };
				const at = this.misdirect?.("write", path, position) ?? position;
				if (at === position) inode.change(meant);
				else {
					inode.intended ??= Content.copy(inode.current);
					inode.change({ ...meant, position: at }, meant);
				}
			},
			sync: async () => {
				const covered = [...inode.changes];
				try {
					await begin("sync");
				} catch (error) {
					for (const change of covered) change.lost = true;
					throw error;
				}
				inode.synced(covered);
			},
			truncate: async (size) => {
				await begin("truncate");
				inode.change({ type: "truncate", size, lost: false });
			},
			size: async () => {
				await begin("size");
				return inode.current.size;
			},
			close: async () => {},
		};
	}
}
