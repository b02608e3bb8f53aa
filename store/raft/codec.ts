/** The body of a confchange entry: format (1 byte), change type (1 byte), member id (8 bytes, big endian), context. */
import { type ConfChange, type ConfChangeType, RaftInvariantError } from "./types.ts";

const format = 1;
const headerBytes = 10;
/** Numbers are fixed forever. */
const typeNumbers: Readonly<Record<ConfChangeType, number>> = { add_voter: 0, remove: 1, update: 2, add_learner: 3 };
const typesByNumber: readonly ConfChangeType[] = ["add_voter", "remove", "update", "add_learner"];

export function encodeConfChange(change: ConfChange): Buffer {
	const data = Buffer.allocUnsafe(headerBytes + change.context.length);
	data[0] = format;
	data[1] = typeNumbers[change.type];
	data.writeBigUInt64BE(change.id, 2);
	change.context.copy(data, headerBytes);
	return data;
}

/** Throws RaftInvariantError for what no known version writes: the member cannot go on applying. */
export function decodeConfChange(data: Buffer): ConfChange {
	if (data.length < headerBytes)
		throw new RaftInvariantError(`confchange entry: ${data.length} bytes, fewer than ${headerBytes}`);
	if (data[0] !== format) throw new RaftInvariantError(`confchange entry: unknown format ${data[0]}`);
	const type = typesByNumber[data[1]!];
	if (type === undefined) throw new RaftInvariantError(`confchange entry: unknown type ${data[1]}`);
	return { type, id: data.readBigUInt64BE(2), context: data.subarray(headerBytes) };
}
