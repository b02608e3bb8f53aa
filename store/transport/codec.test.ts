import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import type { Entry, Message } from "../raft/types.ts";
import {
	decodeForward,
	decodeHello,
	decodeMessage,
	decodeRefuse,
	encodeForward,
	encodeHello,
	encodeMessage,
	encodeRefuse,
	type Pieces,
} from "./codec.ts";
import { FrameError, FrameReader } from "./frames.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 2 ** 31);

function frameOf(pieces: Pieces): Buffer {
	const frames: Buffer[] = [];
	new FrameReader(1 << 26, (frame) => frames.push(frame)).push(Buffer.concat(pieces));
	assert.equal(frames.length, 1);
	return frames[0] as Buffer;
}

const message: Message = {
	type: "append",
	from: 1n,
	to: 0xffff_ffff_ffff_fffen,
	term: 2 ** 40 + 3,
	logTerm: 5,
	index: 2 ** 33,
	entries: [],
	commit: 9,
	reject: true,
	rejectHint: 12,
	snapshot: undefined,
	context: 77n,
	force: false,
};

describe("store/transport/codec", () => {
	it(`carries every field of a message; BARQUE_SEED=${seed}`, () => {
		const random = seededRandom(seed);
		for (let round = 0; round < 100; round++) {
			const entries: Entry[] = Array.from({ length: random.int(6) }, (_, i) => ({
				term: 3,
				index: message.index + 1 + i,
				kind: random.int(10) === 0 ? "confchange" : "normal",
				data: random.bytes(random.int(3) === 0 ? 4096 + random.int(9000) : random.int(300)),
			}));
			const sent = { ...message, entries, force: random.int(2) === 0, reject: random.int(2) === 0 };
			assert.deepEqual(decodeMessage(frameOf(encodeMessage(sent))), sent);
			// Once more: what was encoded for one follower serves the next.
			assert.deepEqual(decodeMessage(frameOf(encodeMessage({ ...sent, to: 3n }))), { ...sent, to: 3n });
		}
		const conf = { voters: [1n, 2n], votersOutgoing: [], learners: [3n], learnersNext: [], autoLeave: true };
		const snapshot = { ...message, type: "snapshot" as const, snapshot: { index: 10, term: 2, conf } };
		assert.deepEqual(decodeMessage(frameOf(encodeMessage(snapshot))), snapshot);
	});

	it("carries forwards, refusals and greetings", () => {
		const forward = { id: 5, term: 7, commands: [Buffer.from("a"), Buffer.alloc(0), Buffer.alloc(5000, 1)] };
		assert.deepEqual(decodeForward(frameOf(encodeForward(forward))), forward);
		assert.deepEqual(decodeRefuse(frameOf(encodeRefuse(9, "overloaded"))), { id: 9, reason: "overloaded" });
		const standing = { data: 6n, starts: 7, nonce: 8n, begun: true, term: 9 };
		const hello = { minVersion: 1, maxVersion: 2, clusterId: 3n, from: 4n, to: 5n, channel: "bulk" as const, standing };
		assert.deepEqual(decodeHello(encodeHello(hello)), hello);
	});

	it(`refuses damaged frames with FrameError and nothing else; BARQUE_SEED=${seed}`, () => {
		const random = seededRandom(seed);
		const entry = { term: 3, index: 1, kind: "normal" as const, data: random.bytes(100) };
		const whole = [
			frameOf(encodeMessage({ ...message, entries: [entry, entry] })),
			frameOf(encodeForward({ id: 1, term: 1, commands: [random.bytes(50)] })),
		];
		for (let round = 0; round < 2000; round++) {
			const frame = Buffer.from(whole[round % 2] as Buffer);
			const cut = random.int(3) === 0 ? frame.subarray(0, 1 + random.int(frame.length)) : frame;
			for (let i = random.int(4); i >= 0; i--) cut[1 + random.int(cut.length)] = random.int(256);
			try {
				if (round % 2 === 0) decodeMessage(cut);
				else decodeForward(cut);
			} catch (error) {
				assert(error instanceof FrameError, String(error));
			}
		}
	});

	it("cuts frames out of any chunking, and refuses oversized ones before they arrive", () => {
		const random = seededRandom(seed);
		const bodies = Array.from({ length: 50 }, () => random.bytes(random.int(400)));
		const stream = Buffer.concat(
			bodies.flatMap((body) => {
				const head = Buffer.alloc(4);
				head.writeUInt32BE(body.length);
				return [head, body];
			}),
		);
		for (const step of [1, 3, 7, 100, 5000]) {
			const frames: Buffer[] = [];
			const reader = new FrameReader(400, (frame) => frames.push(Buffer.from(frame)));
			for (let at = 0; at < stream.length; at += step) reader.push(stream.subarray(at, at + step));
			assert.deepEqual(frames, bodies);
		}
		const reader = new FrameReader(400, () => assert.fail("no frame is whole"));
		assert.throws(() => reader.push(Buffer.from([0, 0, 1, 0x91])), FrameError);
	});
});
