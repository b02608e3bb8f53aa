/**
 * The network of a simulation: datagrams between members that are lost, repeated, delayed and overtaken, and ordered
 * streams (clients' connections, snapshots) that break. Everything crosses it as bytes of the production codecs.
 */

import type { Random } from "../../kit/random.ts";
import type { ClockView, VirtualClock } from "../../kit/sim/clock.ts";
import type { Greeter } from "../../store/member/bootstrap.ts";
import type { PeerGate } from "../../store/member/incarnations.ts";
import type { Forward, PeerHandlers, PeerTransport, RefusalReason } from "../../store/member/types.ts";
import type { FrameChannel, FrameHandlers } from "../../store/native/protocol.ts";
import type { MemberId, Message } from "../../store/raft/types.ts";
import {
	decodeForward,
	decodeMessage,
	decodeRefuse,
	encodeForward,
	encodeMessage,
	encodeRefuse,
	type Pieces,
} from "../../store/transport/codec.ts";

/** Members are named n1, n2, n3; clients c1 and so on. */
export type NodeName = string;

/** How bad the network is at the moment. */
export interface Weather {
	/** Probability that a datagram is lost. */
	loss: number;
	/** Probability that one arrives twice. */
	duplicate: number;
	/** Probability that one takes `slowMs` on top. */
	slow: number;
	slowMs: number;
}

export const fairWeather: Weather = { loss: 0, duplicate: 0, slow: 0, slowMs: 0 };

const minDelayMs = 0.2;
const jitterMs = 1.5;
/** A stream into a cut is given up by both ends after this long, and up to as much again. */
const breakAfterMs = 150;
/** A repeated snapshot comes up to this much later. */
const lateSnapshotMs = 600;
/** Each frame costs the receiver four bytes of length before it. */
const lengthBytes = 4;

/** A process with its links. */
interface Peer {
	readonly node: NodeName;
	readonly gate: PeerGate;
	handlers: PeerHandlers | undefined;
	/** Processes that have greeted it and were let in, and those that just greet. */
	readonly met: WeakSet<Peer>;
	readonly greeting: WeakSet<Peer>;
}

export class SimNetwork {
	readonly clock: VirtualClock;
	readonly random: Random;
	weather: Weather = fairWeather;
	/** Sees every datagram as it is sent. */
	onDatagram: ((from: NodeName, message: Message) => void) | undefined;
	readonly #names: ReadonlyMap<MemberId, NodeName>;
	readonly #peers = new Map<NodeName, Peer>();
	readonly #servers = new Map<NodeName, (channel: FrameChannel) => void>();
	/** How many faults cut each way. */
	readonly #cuts = new Map<string, number>();
	/** What waits on each clogged way. */
	readonly #clogs = new Map<string, (() => void)[]>();
	/** Clocks of processes, which may be paused. */
	readonly #views = new Map<NodeName, ClockView>();
	/** The weather all along. */
	readonly climate: Weather;
	#streams: Stream[] = [];

	constructor(clock: VirtualClock, random: Random, names: ReadonlyMap<MemberId, NodeName>, climate = fairWeather) {
		this.clock = clock;
		this.random = random;
		this.#names = names;
		this.climate = climate;
		this.weather = climate;
	}

	/** Nothing goes from `from` to `to` until the function returned is called. */
	cut(from: NodeName, to: NodeName): () => void {
		const way = `${from}>${to}`;
		this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
		return once(() => {
			const left = (this.#cuts.get(way) ?? 1) - 1;
			if (left > 0) this.#cuts.set(way, left);
			else this.#cuts.delete(way);
		});
	}

	/** What goes from `from` to `to` waits, and arrives in a burst when the function returned is called. */
	clog(from: NodeName, to: NodeName): () => void {
		const way = `${from}>${to}`;
		if (!this.#clogs.has(way)) this.#clogs.set(way, []);
		return once(() => {
			const waiting = this.#clogs.get(way) ?? [];
			this.#clogs.delete(way);
			for (const arrive of waiting) this.clock.after(this.random.float(), arrive);
		});
	}

	/** Whatever arrives at the node waits while this clock is paused. */
	up(node: NodeName, view: ClockView): void {
		this.#views.set(node, view);
	}

	/** Delivers at the receiver, unless a clogged path or a paused receiver holds it up. */
	arrive(from: NodeName, to: NodeName, deliver: () => void): void {
		const waiting = this.#clogs.get(`${from}>${to}`);
		if (waiting !== undefined) {
			waiting.push(() => this.arrive(from, to, deliver));
			return;
		}
		const view = this.#views.get(to);
		if (view?.paused === true) view.run(deliver);
		else deliver();
	}

	isCut(from: NodeName, to: NodeName): boolean {
		return this.#cuts.has(`${from}>${to}`);
	}

	/** The node's process is gone: what was on its way out still travels, what arrives finds nobody. */
	down(node: NodeName): void {
		this.#peers.delete(node);
		this.#servers.delete(node);
		this.#views.delete(node);
		for (const stream of this.#streams) stream.endpointDied(node);
		this.#streams = this.#streams.filter((stream) => !stream.broken);
	}

	listen(node: NodeName, onChannel: (channel: FrameChannel) => void): void {
		this.#servers.set(node, onChannel);
	}

	delay(): number {
		const { slow, slowMs } = this.weather;
		const extra = slow > 0 && this.random.float() < slow ? this.random.float() * slowMs : 0;
		return minDelayMs + this.random.float() * jitterMs + extra;
	}

	/** A client's way to a member, by the member's name as endpoint. */
	async connect(from: NodeName, to: NodeName): Promise<FrameChannel> {
		const { promise, resolve, reject } = Promise.withResolvers<FrameChannel>();
		this.clock.after(this.delay(), () => {
			const server = this.#servers.get(to);
			if (server === undefined || this.isCut(from, to) || this.isCut(to, from)) {
				reject(new Error(`${to}: connection refused`));
				return;
			}
			const stream = new Stream(this, from, to);
			this.#streams.push(stream);
			server(stream.right);
			resolve(stream.left);
		});
		return promise;
	}

	/** One process's transport; dies with `down`. */
	transport(node: NodeName, gate: PeerGate): PeerTransport & Greeter {
		const peer: Peer = { node, gate, handlers: undefined, met: new WeakSet(), greeting: new WeakSet() };
		return {
			start: (handlers) => {
				peer.handlers = handlers;
				this.#peers.set(node, peer);
			},
			greet: () => {
				for (const receiver of this.#peers.values()) receiver.met.delete(peer);
				for (const to of this.#names.values()) if (to !== node) this.#reach(peer, to, () => {});
			},
			send: (messages) => {
				for (const message of messages) this.#sendMessage(peer, message);
			},
			forward: (to, forward) => this.#forward(peer, to, forward),
			refuse: (to, id, reason) => this.#refuse(peer, to, id, reason),
			sendSnapshot: (message, chunks) => this.#sendSnapshot(peer, message, chunks),
			close: async () => this.down(node),
		};
	}

	/**
	 * Over a link: what arrives before it is greeted is lost, as before a connection is there. A link is between two
	 * processes; each new one is greeted anew.
	 */
	#reach(from: Peer, to: NodeName, deliver: (handlers: PeerHandlers) => void): void {
		const receiver = this.#peers.get(to);
		if (receiver?.handlers === undefined || this.isCut(from.node, to)) return;
		if (receiver.met.has(from)) deliver(receiver.handlers);
		else this.#greet(from, receiver);
	}

	/** The receiver meets the greeter, answers, and is met; a message lost on the way ends it. */
	#greet(from: Peer, to: Peer): void {
		if (to.greeting.has(from)) return;
		to.greeting.add(from);
		const [fromId, toId] = [this.#id(from.node), this.#id(to.node)];
		const end = () => void to.greeting.delete(from);
		const answer = (work: () => void) => {
			if (this.isCut(to.node, from.node) || this.random.float() < this.weather.loss) return end();
			this.clock.after(this.delay(), () =>
				this.arrive(to.node, from.node, () => {
					if (this.#peers.get(from.node) === from) work();
					else end();
				}),
			);
		};
		const hello = from.gate.standing();
		to.gate.meet(fromId, hello).then((loss) => {
			if (this.#peers.get(to.node) !== to) return end();
			if (loss !== undefined) {
				answer(() => {
					end();
					from.gate.expelled(toId, loss);
				});
				return;
			}
			const standing = to.gate.standing();
			answer(() => {
				from.gate.meet(toId, standing).then((refusal) => {
					end();
					const isOver = this.#peers.get(from.node) !== from || from.gate.standing().begun !== hello.begun;
					if (refusal !== undefined || isOver) return;
					to.met.add(from);
					from.gate.answered(toId, standing);
				}, end);
			});
		}, end);
	}

	#name(id: MemberId): NodeName {
		return this.#names.get(id)!;
	}

	#id(name: NodeName): MemberId {
		for (const [id, each] of this.#names) if (each === name) return id;
		throw new Error(`no member is named ${name}`);
	}

	/** Delivers to whichever process of the node listens when it arrives. */
	#datagram(sender: Peer, to: NodeName, mayRepeat: boolean, deliver: (handlers: PeerHandlers) => void): void {
		const from = sender.node;
		if (this.isCut(from, to) || this.random.float() < this.weather.loss) return;
		const copies = mayRepeat && this.random.float() < this.weather.duplicate ? 2 : 1;
		for (let i = 0; i < copies; i++) {
			this.clock.after(this.delay(), () => {
				this.arrive(from, to, () => this.#reach(sender, to, deliver));
			});
		}
	}

	#sendMessage(sender: Peer, message: Message): void {
		const from = sender.node;
		const to = this.#name(message.to);
		this.onDatagram?.(from, message);
		const frame = join(encodeMessage(message));
		if (this.isCut(from, to) && this.random.int(4) === 0) {
			this.clock.after(this.delay(), () => this.#peers.get(from)?.handlers?.onUnreachable(message.to));
		}
		this.#datagram(sender, to, true, (handlers) => handlers.onMessages([decodeMessage(Buffer.from(frame))]));
	}

	#forward(sender: Peer, toId: MemberId, forward: Forward): boolean {
		const to = this.#name(toId);
		if (this.isCut(sender.node, to) && this.random.int(2) === 0) return false;
		const frame = join(encodeForward(forward));
		const from = this.#id(sender.node);
		this.#datagram(sender, to, false, (handlers) => handlers.onForward(from, decodeForward(frame)));
		return true;
	}

	#refuse(sender: Peer, toId: MemberId, id: number, reason: RefusalReason): void {
		const frame = join(encodeRefuse(id, reason));
		const from = this.#id(sender.node);
		this.#datagram(sender, this.#name(toId), false, (handlers) => {
			const refusal = decodeRefuse(frame);
			handlers.onRefused(from, refusal.id, refusal.reason);
		});
	}

	async #sendSnapshot(sender: Peer, message: Message, chunks: AsyncIterable<Buffer>): Promise<void> {
		const from = sender.node;
		const to = this.#name(message.to);
		this.onDatagram?.(from, message);
		const stream = new Stream(this, from, to);
		this.#streams.push(stream);
		const received = new ChunkReader(stream.right);
		const answer = new ChunkReader(stream.left);
		const frame = join(encodeMessage(message));
		this.clock.after(this.delay(), () =>
			this.arrive(from, to, () => this.#takeSnapshot(sender, frame, stream, received)),
		);
		const sent: Buffer[] = [];
		for await (const chunk of chunks) {
			stream.left.send(chunk);
			sent.push(Buffer.from(chunk));
		}
		stream.left.send(Buffer.alloc(0));
		if (this.random.float() < this.weather.duplicate) this.#repeatSnapshot(sender, to, frame, sent);
		const reply = (await answer.next()).toString();
		stream.left.close();
		if (reply !== "ok") throw new Error(reply);
	}

	#takeSnapshot(sender: Peer, frame: Buffer, stream: Stream, received: ChunkReader): void {
		const [from, to] = [stream.left.node, stream.right.node];
		const peer = this.#peers.get(to);
		if (
			peer?.handlers === undefined ||
			!peer.met.has(sender) ||
			stream.broken ||
			stream.right.dead ||
			this.isCut(from, to) ||
			this.isCut(to, from)
		) {
			stream.break("connection refused");
			return;
		}
		peer.handlers.onSnapshot(decodeMessage(frame), received).then(
			() => stream.right.send(Buffer.from("ok")),
			(error: Error) => stream.right.send(Buffer.from(error.message)),
		);
	}

	/** Sends the same snapshot again, perhaps much later, like a sender that never got the answer. */
	#repeatSnapshot(sender: Peer, to: NodeName, frame: Buffer, chunks: readonly Buffer[]): void {
		this.clock.after(this.random.float() * lateSnapshotMs, () => {
			const again = async function* () {
				for (const chunk of chunks) yield Buffer.from(chunk);
			};
			const refused = () => undefined;
			const peer = this.#peers.get(to);
			if (peer?.met.has(sender) !== true) return;
			peer.handlers?.onSnapshot(decodeMessage(frame), again()).catch(refused);
		});
	}
}

function once(undo: () => void): () => void {
	let done = false;
	return () => {
		if (!done) undo();
		done = true;
	};
}

function join(pieces: Pieces): Buffer {
	return Buffer.concat(pieces).subarray(lengthBytes);
}

/** Two ends of an ordered connection. */
class Stream {
	readonly left: End;
	readonly right: End;
	readonly #network: SimNetwork;
	broken = false;

	constructor(network: SimNetwork, left: NodeName, right: NodeName) {
		this.#network = network;
		this.left = new End(this, left);
		this.right = new End(this, right);
	}

	other(end: End): End {
		return end === this.left ? this.right : this.left;
	}

	/** Arrives in order; on a cut path, or by bad luck in bad weather, never: then the connection breaks. */
	carry(from: End, deliver: (to: End) => void): void {
		const to = this.other(from);
		const { clock, random, weather } = this.#network;
		if (this.broken || from.stalled) return;
		if (this.#network.isCut(from.node, to.node) || random.float() < weather.loss / 10) {
			from.stalled = true;
			clock.after(breakAfterMs * (1 + random.float()), () => this.break("connection timed out"));
			return;
		}
		const at = Math.max(to.busyUntil, clock.time + this.#network.delay());
		to.busyUntil = at;
		clock.after(at - clock.time, () => {
			this.#network.arrive(from.node, to.node, () => {
				if (!this.broken) deliver(to);
			});
		});
	}

	break(why: string): void {
		if (this.broken) return;
		this.broken = true;
		const error = new Error(why);
		this.left.closed(error);
		this.right.closed(error);
	}

	endpointDied(node: NodeName): void {
		if (this.left.node !== node && this.right.node !== node) return;
		const dead = this.left.node === node ? this.left : this.right;
		dead.dead = true;
		this.#network.clock.after(this.#network.delay(), () => this.break("connection reset by peer"));
	}
}

class End implements FrameChannel {
	readonly node: NodeName;
	readonly #stream: Stream;
	#handlers: FrameHandlers | undefined;
	#early: Buffer[] = [];
	#closed: Error | undefined;
	#told = false;
	#backlog = 0;
	busyUntil = 0;
	stalled = false;
	/** This end's process is gone, so its handlers are no longer called. */
	dead = false;

	constructor(stream: Stream, node: NodeName) {
		this.#stream = stream;
		this.node = node;
	}

	get backlog(): number {
		return this.#backlog;
	}

	start(handlers: FrameHandlers): void {
		this.#handlers = handlers;
		for (const frame of this.#early.splice(0)) this.#take(frame);
		if (this.#closed !== undefined) this.closed(this.#closed);
	}

	send(frame: Buffer): void {
		if (this.dead) return;
		const copy = Buffer.from(frame);
		this.#backlog += copy.length;
		this.#stream.carry(this, (to) => {
			this.#backlog -= copy.length;
			to.#take(copy);
			if (this.#backlog === 0 && !this.dead) this.#handlers?.onDrain();
		});
	}

	close(): void {
		if (this.dead) return;
		this.#stream.carry(this, () => this.#stream.break("closed by the other side"));
		queueMicrotask(() => this.closed(new Error("closed")));
	}

	closed(reason: Error): void {
		this.#closed ??= reason;
		if (this.#handlers === undefined || this.#told || this.dead) return;
		this.#told = true;
		this.#handlers.onClose(this.#closed);
	}

	#take(frame: Buffer): void {
		if (this.dead || this.#closed !== undefined) return;
		if (this.#handlers === undefined) {
			this.#early.push(frame);
			return;
		}
		try {
			this.#handlers.onFrame(frame);
		} catch (error) {
			this.#stream.break((error as Error).message);
		}
	}
}

/** A snapshot's chunks out of a stream; an empty one ends them. */
class ChunkReader implements AsyncIterable<Buffer> {
	#arrived: Buffer[] = [];
	#failed: Error | undefined;
	#wake: () => void = () => {};

	constructor(channel: FrameChannel) {
		channel.start({
			onFrame: (frame) => {
				this.#arrived.push(frame);
				this.#wake();
			},
			onDrain: () => {},
			onClose: (reason) => {
				this.#failed = reason;
				this.#wake();
			},
		});
	}

	async next(): Promise<Buffer> {
		while (this.#arrived.length === 0) {
			if (this.#failed !== undefined) throw this.#failed;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
		return this.#arrived.shift()!;
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
		for (let chunk = await this.next(); chunk.length > 0; chunk = await this.next()) yield chunk;
	}
}
