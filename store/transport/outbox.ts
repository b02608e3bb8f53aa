/**
 * What a turn writes to a socket, kept until the turn's end and written at once: many small pieces as one buffer (cheaper
 * than as many entries of a writev), large ones as they are, without copying.
 */
import type { Socket } from "node:net";

/** Pieces up to this size are joined with their neighbours. */
const joinBelow = 4096;

export class Outbox {
	readonly #socket: Socket;
	#pieces: Buffer[] = [];
	#bytes = 0;

	constructor(socket: Socket) {
		this.#socket = socket;
	}

	/** Bytes here and in the socket. */
	get backlog(): number {
		return this.#bytes + this.#socket.writableLength;
	}

	push(piece: Buffer): void {
		if (this.#pieces.length === 0) process.nextTick(() => this.flush());
		this.#pieces.push(piece);
		this.#bytes += piece.length;
	}

	/** Also called by itself at the end of the turn. */
	flush(): void {
		const pieces = this.#pieces;
		if (pieces.length === 0) return;
		this.#pieces = [];
		this.#bytes = 0;
		const socket = this.#socket;
		if (socket.destroyed) return;
		if (pieces.length === 1) {
			socket.write(pieces[0] as Buffer);
			return;
		}
		const joined = joinSmall(pieces);
		socket.cork();
		for (const piece of joined) socket.write(piece);
		socket.uncork();
	}
}

function joinSmall(pieces: readonly Buffer[]): Buffer[] {
	const joined: Buffer[] = [];
	let from = 0;
	while (from < pieces.length) {
		let to = from;
		let bytes = 0;
		while (to < pieces.length && (pieces[to] as Buffer).length < joinBelow) bytes += (pieces[to++] as Buffer).length;
		if (to - from > 1) joined.push(Buffer.concat(pieces.slice(from, to), bytes));
		else if (to > from) joined.push(pieces[from] as Buffer);
		if (to < pieces.length) joined.push(pieces[to++] as Buffer);
		from = to;
	}
	return joined;
}
