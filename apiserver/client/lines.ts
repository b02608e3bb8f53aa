/** Splits a byte stream into lines, holding at most one line of bounded size. */

/** A line grew over its limit; the stream cannot be read on. */
export class LineTooLongError extends Error {
	override name = "LineTooLongError";
}

export interface LineSplitter {
	/** The lines completed by `chunk`, without their ends; empty lines are left out. */
	push(chunk: Buffer): Buffer[];
	/** Bytes of an unfinished line. */
	readonly pending: number;
}

export function createLineSplitter(maxBytes: number): LineSplitter {
	let parts: Buffer[] = [];
	let held = 0;
	const hold = (part: Buffer) => {
		if (held + part.length > maxBytes) {
			throw new LineTooLongError(`line of at least ${held + part.length} bytes exceeds the limit of ${maxBytes} bytes`);
		}
		parts.push(part);
		held += part.length;
	};
	return {
		push(chunk) {
			const lines: Buffer[] = [];
			let from = 0;
			for (let at = chunk.indexOf(10, from); at >= 0; at = chunk.indexOf(10, from)) {
				hold(chunk.subarray(from, at));
				const line = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, held);
				if (line.length > 0) lines.push(line);
				parts = [];
				held = 0;
				from = at + 1;
			}
			if (from < chunk.length) hold(chunk.subarray(from));
			return lines;
		},
		get pending() {
			return held;
		},
	};
}
