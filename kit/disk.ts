/**
 * The file operations the store needs, as a dependency: the real ones, or a simulated disk that loses what was not synced.
 * Paths are absolute or relative to the process; errors are Node's (`code` ENOENT, ENOSPC, EIO ...).
 */
export interface DiskFile {
	/** Bytes read into `target` at `position`; fewer than asked at the end of the file. */
	read(target: Buffer, position: number): Promise<number>;
	/** Writes all of `data` at `position`. Durable only after `sync`. */
	write(data: Buffer, position: number): Promise<void>;
	/** fdatasync: when it resolves, everything written before is on the medium. */
	sync(): Promise<void>;
	truncate(size: number): Promise<void>;
	size(): Promise<number>;
	close(): Promise<void>;
}

export interface Disk {
	/** `create`: made if absent, and then durable only after `syncDirectory`. Opened for reading and writing, mode 0600. */
	open(path: string, options?: { create?: boolean }): Promise<DiskFile>;
	/** Names in the directory, sorted. */
	list(path: string): Promise<string[]>;
	makeDirectory(path: string): Promise<void>;
	/** Atomic; durable after `syncDirectory` of the parent. */
	rename(from: string, to: string): Promise<void>;
	remove(path: string): Promise<void>;
	syncDirectory(path: string): Promise<void>;
}
