/**
 * The native protocol, versions 1 and 2. A connection starts with the magic and a hello frame; every frame is a u32 length and
 * one msgpack array. Requests are pipelined and answered in any order.
 *
 *     client → server   [id, method, body, session?, sequence?, acknowledged?]      first frame: hello
 *     server → client   [id, status, ...]   id 0: notices                           first frame: welcome
 *
 * Version 2 has answers in parts, requests that are abandoned, and limits in the welcome.
 */
import { Packr, Unpackr } from "msgpackr";
import type { StoreErrorCode } from "../api.ts";

/** No HTTP method and no TLS record begins like this. */
export const nativeMagic = Buffer.from([0xb7, 0x42, 0x51, 0x01]);
export const nativeVersion = 2;
/** The oldest version spoken. */
export const oldestNativeVersion = 1;
export const nativeAlpn = "barque/1";

/** Numbers are fixed forever. */
export const method = {
	range: 1,
	put: 2,
	delete: 3,
	txn: 4,
	compact: 5,
	leaseGrant: 6,
	leaseRevoke: 7,
	leaseKeepAlive: 8,
	leaseTimeToLive: 9,
	leases: 10,
	currentRevision: 11,
	watch: 12,
	watchCancel: 13,
	watchProgress: 14,
	sessionOpen: 15,
	sessionClose: 16,
	ping: 17,
	hash: 18,
	/** `[id, abandon]`: nobody waits for the answer to request `id` any more. Is not answered. */
	abandon: 19,
} as const;

export const status = {
	/** [id, ok, revision, term, body] */
	ok: 0,
	/** [id, error, code, message, compactRevision] */
	error: 1,
	/** [id, part, bytes]: the next slice of a long answer, packed without its id. An error may still follow. */
	part: 2,
	/** [id, complete]: all slices were sent. */
	complete: 3,
} as const;

/** Kinds of notice (id 0). */
export const notice = {
	/** [0, leader, memberId (0n: none), term] */
	leader: 1,
	/** [0, watchBatch, watchId, revision, events]: events packed once more, shared by all watchers of a range. */
	watchBatch: 2,
	/** [0, watchEnd, watchId, code, message, compactRevision] */
	watchEnd: 3,
	/** [0, goingAway, why]: the server stops; requests under way are still answered. */
	goingAway: 4,
} as const;

/** Positions are fixed forever. */
export const errorCodes: readonly StoreErrorCode[] = [
	"compacted",
	"future_revision",
	"empty_key",
	"key_not_found",
	"value_provided",
	"lease_provided",
	"too_many_ops",
	"duplicate_key",
	"invalid_range",
	"request_too_large",
	"no_space",
	"lease_not_found",
	"lease_exists",
	"lease_ttl_too_large",
	"too_many_requests",
	"unavailable",
	"timeout",
	"outcome_unknown",
	"session_expired",
	"cluster_id_mismatch",
	"slow_watcher",
	"corrupt",
	"invalid_argument",
	"closed",
	"not_applied",
];

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: "bigint" });

export function pack(value: unknown): Buffer {
	return packr.pack(value);
}

/** Throws on anything but one whole msgpack value. Byte strings share memory with `frame`. */
export function unpack(frame: Buffer): unknown {
	return unpackr.unpack(frame);
}

/** The length before each frame. */
export const frameHeadBytes = 4;

/** A message stream between a client and a server: TCP or TLS in production, the simulator's network, or a loop in tests. */
export interface FrameChannel {
	/** Bytes sent that the other side has not taken yet. */
	readonly backlog: number;
	/** Called once. Frames that arrived before are kept until then. */
	start(handlers: FrameHandlers): void;
	send(frame: Buffer): void;
	/** Stops taking bytes from the other side, or goes on; frames taken already may still come. */
	setReading?(on: boolean): void;
	/** What was sent is still delivered when possible; `onClose` follows. Idempotent. */
	close(): void;
	/** Frees what the other side has not taken; `onClose` follows. Absent where `close` does so. */
	destroy?(): void;
}

export interface FrameHandlers {
	/** A throw closes the channel with that error. */
	onFrame(frame: Buffer): void;
	/** The backlog has fallen to zero after it was above zero. */
	onDrain(): void;
	/** Exactly once. */
	onClose(reason: Error): void;
}
