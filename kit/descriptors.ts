/**
 * With many connections a process runs out of file descriptors first, and then its log and engine cannot open files. So
 * listeners accept only as many connections as the process's descriptor limit leaves after its other needs.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Logger } from "./log.ts";

/** Where the system does not tell: what most systems give. */
const unknownLimit = 1024;

/** Soft limit of a `/proc/PID/limits` text; Infinity for `unlimited`, undefined where it has no such line. */
export function readDescriptorLimit(limits: string): number | undefined {
	const soft = /^Max open files +(\d+|unlimited) /m.exec(limits)?.[1];
	return soft === undefined ? undefined : soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** How many descriptors this process may have open. */
export function descriptorLimit(): number {
	try {
		return readDescriptorLimit(readFileSync("/proc/self/limits", "latin1")) ?? unknownLimit;
	} catch {
		return unknownLimit;
	}
}

const otherEnd = (socket: Socket) => `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;

export interface ConnectionLimitOptions {
	readonly most: number;
	readonly logger: Logger;
	/** In the log: what connects here. */
	readonly name: string;
}

/**
 * The connections of one process's listeners together. When all places are taken, a new connection takes that of the
 * oldest that has not asked anything yet; where all have asked, it is closed.
 */
export class ConnectionLimit {
	readonly #options: ConnectionLimitOptions;
	readonly #open = new Set<Socket>();
	/** Of `#open`: those that have said nothing yet, the oldest first, by their other end: TLS puts another socket around. */
	readonly #silent = new Map<string, Socket>();
	#told = false;
	/** Closed since start because there was no place. */
	refused = 0;

	constructor(options: ConnectionLimitOptions) {
		this.#options = options;
	}

	get open(): number {
		return this.#open.size;
	}

	/** False: there is no place, and the socket is closed. */
	enter(socket: Socket): boolean {
		if (this.#open.size >= this.#options.most && !this.#makeRoom()) {
			socket.destroy();
			return false;
		}
		this.#open.add(socket);
		const end = otherEnd(socket);
		this.#silent.set(end, socket);
		socket.once("close", () => {
			this.#open.delete(socket);
			if (this.#silent.get(end) === socket) this.#silent.delete(end);
			if (this.#open.size < this.#options.most / 2) this.#told = false;
		});
		return true;
	}

	/** The connection has sent a request, so it keeps its place. */
	asked(socket: Socket): void {
		this.#silent.delete(otherEnd(socket));
	}

	#makeRoom(): boolean {
		this.refused++;
		if (!this.#told) {
			const { name, most, logger } = this.#options;
			logger.warn(`too many connections of ${name}: some are closed`, { limit: most });
			this.#told = true;
		}
		const [first] = this.#silent;
		if (first === undefined) return false;
		const [end, oldest] = first;
		this.#open.delete(oldest);
		this.#silent.delete(end);
		oldest.destroy();
		return true;
	}
}
