/**
 * Reads a list's JSON as it comes and gives its items one by one: neither the answer nor its text is ever in memory as a
 * whole, so a list may be longer than the longest string.
 */

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** What stands around the items is metadata of the list. */
const maxEnvelopeBytes = 1 << 20;
const maxItemBytes = 32 << 20;

/** The bytes are not those of a list, or one item or its surroundings are beyond all limits. */
export class ListFormatError extends Error {
	override name = "ListFormatError";
}

export interface ListReader {
	/** Takes the next bytes; `onItem` gets the text of each item that they complete. Throws ListFormatError. */
	push(chunk: Buffer): void;
	/** After the last bytes: the list without its items. Throws ListFormatError where something is missing. */
	end(): Record<string, unknown>;
	/** Bytes held: of the surroundings, and of the item that is not complete yet. */
	readonly held: number;
}

export function createListReader(onItem: (text: string) => void): ListReader {
	let depth = 0;
	let inString = false;
	let escaped = false;
	/** Inside the array `items` of the outermost object. */
	let inItems = false;
	/** At depth 1, the string last read: a key where a colon follows. */
	let word = "";
	let key = "";
	let wordStart = -1;
	const envelope: Buffer[] = [];
	let envelopeBytes = 0;
	let item: Buffer[] = [];
	let itemBytes = 0;

	const keepEnvelope = (part: Buffer) => {
		if (part.length === 0) return;
		envelopeBytes += part.length;
		if (envelopeBytes > maxEnvelopeBytes) {
			throw new ListFormatError(`what surrounds a list's items exceeds the limit of ${maxEnvelopeBytes} bytes`);
		}
		envelope.push(Buffer.from(part));
	};
	const keepItem = (part: Buffer, last: boolean) => {
		itemBytes += part.length;
		if (itemBytes > maxItemBytes) {
			throw new ListFormatError(`an item of a list exceeds the limit of ${maxItemBytes} bytes`);
		}
		if (!last) {
			item.push(Buffer.from(part));
			return;
		}
		const text = item.length === 0 ? part.toString("utf8") : Buffer.concat([...item, part], itemBytes).toString("utf8");
		item = [];
		itemBytes = 0;
		onItem(text);
	};

	return {
		push(chunk) {
			/** Where what is not yet handed on begins. */
			let from = 0;
			/** An item is open (from an earlier chunk, or from `from` on). */
			let open = inItems && depth >= 3;
			if (wordStart >= 0) wordStart = 0;
			for (let at = 0; at < chunk.length; at++) {
				const byte = chunk[at] as number;
				if (inString) {
					if (escaped) escaped = false;
					else if (byte === backslash) escaped = true;
					else if (byte === quote) {
						inString = false;
						if (wordStart >= 0) {
							word += chunk.toString("latin1", wordStart, at);
							wordStart = -1;
						}
					}
					continue;
				}
				switch (byte) {
					case quote:
						if (inItems && depth === 2) throw new ListFormatError("an item of a list is no object");
						inString = true;
						if (depth === 1) {
							word = "";
							wordStart = at + 1;
						}
						break;
					case colon:
						if (depth === 1) key = word;
						break;
					case openBrace:
					case openBracket:
						if (inItems && depth === 2) {
							if (byte !== openBrace) throw new ListFormatError("an item of a list is no object");
							open = true;
							from = at;
						}
						depth++;
						if (depth === 2 && byte === openBracket && key === "items" && !inItems) {
							inItems = true;
							keepEnvelope(chunk.subarray(from, at + 1));
							from = at + 1;
						}
						break;
					case closeBrace:
					case closeBracket:
						depth--;
						if (depth < 0) throw new ListFormatError("a list ends more often than it begins");
						if (inItems && depth === 2 && open) {
							keepItem(chunk.subarray(from, at + 1), true);
							open = false;
							from = at + 1;
						} else if (inItems && depth === 1) {
							inItems = false;
							from = at;
						}
						break;
					default:
						if (inItems && depth === 2 && byte !== comma && !isSpace(byte)) {
							throw new ListFormatError("an item of a list is no object");
						}
				}
			}
			if (wordStart >= 0) {
				// A key in two chunks.
				word += chunk.toString("latin1", wordStart);
				wordStart = 0;
			}
			const rest = chunk.subarray(from);
			if (open) keepItem(rest, false);
			else if (!inItems) keepEnvelope(rest);
		},
		end() {
			if (depth !== 0 || inString || envelopeBytes === 0) throw new ListFormatError("a list ended before its end");
			const text = Buffer.concat(envelope, envelopeBytes).toString("utf8");
			try {
				return JSON.parse(text) as Record<string, unknown>;
			} catch (error) {
				throw new ListFormatError("answer is not JSON", { cause: error });
			}
		},
		get held() {
			return envelopeBytes + itemBytes;
		},
	};
}
