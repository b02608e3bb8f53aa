/** Making messages, and judging those of others: whatever a peer sends must neither throw nor corrupt. */
import { isValidConf } from "./confchange.ts";
import { noEntries } from "./log.ts";
import { type Entry, type MemberId, type Message, type MessageType, none, type SnapshotMeta } from "./types.ts";

/** Terms and indexes stay far below 2^53, so that adding to them is always exact. */
const maxNumber = 2 ** 52;

/** Every field present and in this order: one hidden class for all messages. */
export function makeMessage(
	type: MessageType,
	from: MemberId,
	to: MemberId,
	term: number,
	fields: {
		readonly logTerm?: number;
		readonly index?: number;
		readonly entries?: readonly Entry[];
		readonly commit?: number;
		readonly reject?: boolean;
		readonly rejectHint?: number;
		readonly snapshot?: SnapshotMeta;
		readonly context?: bigint;
		readonly force?: boolean;
	},
): Message {
	return {
		type,
		from,
		to,
		term,
		logTerm: fields.logTerm ?? 0,
		index: fields.index ?? 0,
		entries: fields.entries ?? noEntries,
		commit: fields.commit ?? 0,
		reject: fields.reject ?? false,
		rejectHint: fields.rejectHint ?? 0,
		snapshot: fields.snapshot,
		context: fields.context ?? 0n,
		force: fields.force ?? false,
	};
}

function isCount(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0 && value <= maxNumber;
}

/** The fields that every message has. */
export function isWellFormed(message: Message): boolean {
	return (
		typeof message.from === "bigint" &&
		message.from !== none &&
		isCount(message.term) &&
		isCount(message.logTerm) &&
		isCount(message.index) &&
		isCount(message.commit) &&
		isCount(message.rejectHint) &&
		typeof message.context === "bigint"
	);
}

/** An append's entries: consecutive after `index`, terms never falling and none beyond the sender's. */
export function hasValidEntries(message: Message): boolean {
	if (!Array.isArray(message.entries)) return false;
	let index = message.index;
	let term = message.logTerm;
	for (const entry of message.entries as readonly Entry[]) {
		if (entry.index !== index + 1 || !isCount(entry.term) || entry.term < term || entry.term === 0) return false;
		if (!Buffer.isBuffer(entry.data) || (entry.kind !== "normal" && entry.kind !== "confchange")) return false;
		({ index, term } = entry);
	}
	return term <= message.term && index <= maxNumber;
}

export function isValidSnapshot(snapshot: SnapshotMeta | undefined, term: number): snapshot is SnapshotMeta {
	return (
		snapshot !== undefined &&
		isCount(snapshot.index) &&
		snapshot.index > 0 &&
		isCount(snapshot.term) &&
		snapshot.term > 0 &&
		snapshot.term <= term &&
		isValidConf(snapshot.conf)
	);
}
