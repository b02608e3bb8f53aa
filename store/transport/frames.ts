/** Length-prefixed frames (u32 big-endian, then that many bytes) cut out of a byte stream without copying where possible. */

/** The other side breaks the framing; the connection must be closed. */
export class FrameError extends Error {
	override name = "FrameError";
}

export class FrameReader {
	readonly #limit: number;
	readonly #onFrame: (frame: Buffer) => void;
	#pieces: Buffer[] = [];
	#have = 0;
	/** Length of the frame being collected, header included; 0 while the header itself is incomplete. */
	#want = 0;

	/** `limit`: bytes of a frame, checked before anything is allocated for it. */
	constructor(limit: number, onFrame: (frame: Buffer) => void) {
		this.#limit = limit;
		this.#onFrame = onFrame;
	}

	/** Throws FrameError on an oversized frame. Frames share memory with `chunk`. */
	push(chunk: Buffer): void {
		let rest = chunk;
		if (this.#pieces.length > 0) {
			const joined = this.#collect(rest);
			if (joined === undefined) return;
			rest = joined;
		}
		while (rest.length >= 4) {
			const length = this.#checked(rest.readUInt32BE(0));
			if (rest.length < 4 + length) {
				this.#want = 4 + length;
				break;
			}
			this.#onFrame(rest.subarray(4, 4 + length));
			rest = rest.subarray(4 + length);
		}
		if (rest.length > 0) {
			this.#pieces = [rest];
			this.#have = rest.length;
		}
	}

	/** Adds to the unfinished frame; once it is whole, all bytes so far as one buffer. */
	#collect(chunk: Buffer): Buffer | undefined {
		this.#pieces.push(chunk);
		this.#have += chunk.length;
		if (this.#want === 0) {
			if (this.#have < 4) return undefined;
			const head = Buffer.concat(this.#pieces);
			this.#pieces = [head];
			this.#want = 4 + this.#checked(head.readUInt32BE(0));
		}
		if (this.#have < this.#want) return undefined;
		const whole = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces, this.#have);
		this.#pieces = [];
		this.#have = 0;
		this.#want = 0;
		return whole;
	}

	#checked(length: number): number {
		if (length > this.#limit) throw new FrameError(`frame of ${length} bytes exceeds the limit of ${this.#limit}`);
		return length;
	}
}
