/** The production LogWriter: a worker thread that owns the log's file, with groups passed in shared memory. */
import { Worker } from "node:worker_threads";
import type { ThreadReply, ThreadRequest } from "./thread-protocol.ts";
import { type DiskWriterOptions, defaultPreallocateBytes, type LogWriter } from "./writer.ts";

interface SharedBuffer {
	readonly id: number;
	readonly buffer: Buffer;
}

/** Buffers kept for reuse: one being written, one being filled. */
const maxIdleBuffers = 2;
/** A buffer larger than this goes back to the system after its use. */
const maxIdleBytes = 4 * 1024 * 1024;

class ThreadWriter implements LogWriter {
	readonly #worker: Worker;
	readonly #exited: Promise<void>;
	readonly #shared = new Map<ArrayBufferLike, SharedBuffer>();
	readonly #idle: SharedBuffer[] = [];
	#nextBuffer = 1;
	#waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
	#dead: Error | undefined;

	constructor(options: DiskWriterOptions) {
		// From the repository this file is TypeScript, from the package JavaScript; its sibling is of the same kind.
		const url = new URL(`./writer-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
		const preallocateBytes = options.preallocateBytes ?? defaultPreallocateBytes;
		this.#worker = new Worker(url, {
			name: "barque-log",
			workerData: { preallocateBytes, sync: options.sync ?? true },
		});
		this.#worker.on("message", (reply: ThreadReply) => this.#onReply(reply));
		this.#worker.on("error", (error: Error) => this.#onDeath(error));
		this.#exited = new Promise((resolve) => {
			this.#worker.once("exit", (code) => {
				this.#onDeath(new Error(`the log's thread ended with code ${code}`));
				resolve();
			});
		});
	}

	allocate(bytes: number): Buffer {
		const at = this.#idle.findIndex((candidate) => candidate.buffer.length >= bytes);
		if (at >= 0) return this.#idle.splice(at, 1)[0]!.buffer;
		const memory = new SharedArrayBuffer(bytes);
		const shared = { id: this.#nextBuffer++, buffer: Buffer.from(memory) };
		this.#shared.set(memory, shared);
		this.#post({ op: "share", buffer: shared.id, memory });
		return shared.buffer;
	}

	create(path: string, data: Buffer): Promise<void> {
		return this.#request({ op: "create", path, data: new Uint8Array(data) });
	}

	open(path: string, last: Buffer, position: number): Promise<void> {
		return this.#request({ op: "open", path, data: new Uint8Array(last), position });
	}

	async write(data: Buffer, position: number): Promise<void> {
		const shared = this.#shared.get(data.buffer);
		if (shared === undefined) throw new Error("log writer: the buffer is not from allocate()");
		await this.#request({ op: "write", buffer: shared.id, length: data.length, position });
		this.free(shared.buffer);
	}

	/** Waits for the request under way; on a hung disk, as long as it hangs. */
	async close(): Promise<void> {
		if (this.#dead === undefined) await this.#request({ op: "close" });
		await this.#exited;
	}

	free(buffer: Buffer): void {
		const shared = this.#shared.get(buffer.buffer);
		if (shared === undefined) return;
		this.#idle.push(shared);
		const surplus =
			shared.buffer.length > maxIdleBytes
				? this.#idle.pop()
				: this.#idle.length > maxIdleBuffers
					? this.#idle.shift()
					: undefined;
		if (surplus === undefined) return;
		this.#shared.delete(surplus.buffer.buffer);
		this.#post({ op: "drop", buffer: surplus.id });
	}

	#post(request: ThreadRequest): void {
		if (this.#dead === undefined) this.#worker.postMessage(request);
	}

	#request(request: ThreadRequest): Promise<void> {
		if (this.#dead !== undefined) return Promise.reject(this.#dead);
		if (this.#waiting !== undefined) return Promise.reject(new Error("log writer: a request is under way"));
		return new Promise((resolve, reject) => {
			this.#waiting = { resolve, reject };
			this.#post(request);
		});
	}

	#onReply(reply: ThreadReply): void {
		const waiting = this.#waiting;
		this.#waiting = undefined;
		if (reply === null) waiting?.resolve();
		else waiting?.reject(Object.assign(new Error(reply.message), { code: reply.code }));
	}

	#onDeath(error: Error): void {
		this.#dead ??= error;
		const waiting = this.#waiting;
		this.#waiting = undefined;
		waiting?.reject(this.#dead);
	}
}

/** Starts the log's thread; it ends with `close`. Buffers that outgrow a group are dropped with it. */
export function createThreadWriter(options: DiskWriterOptions = {}): LogWriter {
	return new ThreadWriter(options);
}
