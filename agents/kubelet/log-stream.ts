/** Answers a log request from a container's output file: tail, since, timestamps, byte limit, follow. */
import { watch } from "node:fs";
import { open } from "node:fs/promises";
import { readTimes, timeOf } from "./runtime/log-times.ts";
import type { ContainerLog } from "./runtime/types.ts";

export interface LogOptions {
	readonly follow: boolean;
	readonly tailLines: number | undefined;
	/** Only what was seen at or after this, ms since the epoch. */
	readonly since: number | undefined;
	readonly timestamps: boolean;
	readonly limitBytes: number | undefined;
}

export interface LogSink {
	/** Resolves when more may be written; false: the reader is gone. */
	write(chunk: Buffer): Promise<boolean>;
	readonly closed: AbortSignal;
}

const chunkBytes = 64 * 1024;
const newline = 0x0a;

/** Byte offset at which the last `lines` lines begin. */
async function tailOffset(file: Awaited<ReturnType<typeof open>>, size: number, lines: number): Promise<number> {
	if (lines <= 0) return size;
	let wanted = lines;
	const buffer = Buffer.allocUnsafe(chunkBytes);
	for (let end = size; end > 0; ) {
		const start = Math.max(0, end - chunkBytes);
		const { bytesRead } = await file.read(buffer, 0, end - start, start);
		for (let i = bytesRead - 1; i >= 0; i--) {
			// The newline that ends the file ends its last line; it does not begin another.
			if (buffer[i] !== newline || start + i === size - 1) continue;
			if (--wanted === 0) return start + i + 1;
		}
		end = start;
	}
	return 0;
}

/** Go's RFC3339Nano with as many digits as we know. */
const stamp = (ms: number) => `${new Date(ms).toISOString().replace("Z", "000000Z")} `;

/**
 * Streams the log to `sink`. With `follow` it goes on until `ended()` says the container writes no more, or the reader
 * leaves.
 */
export async function streamLog(
	log: ContainerLog,
	options: LogOptions,
	sink: LogSink,
	ended: () => boolean,
): Promise<void> {
	const file = await open(log.file, "r");
	let changed = Promise.withResolvers<void>();
	const wake = () => changed.resolve();
	const watcher = options.follow ? watch(log.file, wake) : undefined;
	const ticker = options.follow ? setInterval(wake, 500) : undefined;
	sink.closed.addEventListener("abort", wake);
	try {
		let position = await firstOffset(log, file, options);
		let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
		let pending: Buffer = Buffer.alloc(0);
		while (!sink.closed.aborted && left > 0) {
			const over = !options.follow || ended();
			changed = Promise.withResolvers<void>();
			const buffer = Buffer.allocUnsafe(chunkBytes);
			const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
			position += bytesRead;
			let out: Buffer = buffer.subarray(0, bytesRead);
			if (options.timestamps) {
				pending = Buffer.concat([pending, out]);
				const whole = bytesRead === 0 && over ? pending.length : pending.lastIndexOf(newline) + 1;
				out = await stamped(log, pending.subarray(0, whole), position - pending.length);
				pending = pending.subarray(whole);
			}
			if (out.length > left) out = out.subarray(0, left);
			left -= out.length;
			if (out.length > 0 && !(await sink.write(out))) return;
			if (bytesRead > 0) continue;
			if (over) return;
			await changed.promise;
		}
	} finally {
		clearInterval(ticker);
		watcher?.close();
		sink.closed.removeEventListener("abort", wake);
		await file.close();
	}
}

async function firstOffset(
	log: ContainerLog,
	file: Awaited<ReturnType<typeof open>>,
	options: LogOptions,
): Promise<number> {
	const { size } = await file.stat();
	let offset = options.tailLines === undefined ? 0 : await tailOffset(file, size, options.tailLines);
	if (options.since !== undefined) {
		const seen = await readTimes(log);
		const before = seen.filter((mark) => mark.time < (options.since ?? 0)).at(-1);
		offset = Math.max(offset, Math.min(size, before?.offset ?? 0));
	}
	return offset;
}

/** Puts its time before each line of `lines`, which begin at byte `start` of the log. */
async function stamped(log: ContainerLog, lines: Buffer, start: number): Promise<Buffer> {
	if (lines.length === 0) return lines;
	const seen = await readTimes(log);
	const parts: Buffer[] = [];
	for (let at = 0; at < lines.length; ) {
		const found = lines.indexOf(newline, at);
		const end = found < 0 ? lines.length : found + 1;
		parts.push(Buffer.from(stamp(timeOf(seen, start + end, Date.now()))), lines.subarray(at, end));
		at = end;
	}
	return Buffer.concat(parts);
}
