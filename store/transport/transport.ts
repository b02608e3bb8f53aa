/**
 * Real links between members: TCP or TLS, three connections each way to every member. `control` carries what must never
 * wait behind bulk data (heartbeats, votes, acknowledgements); `bulk` appends and forwarded proposals; `snapshot` exists
 * for one transfer.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import {
	checkServerIdentity,
	connect as connectTls,
	createServer as createTlsServer,
	TLSSocket,
	type TlsOptions,
} from "node:tls";
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { type Latest, serveLatest, type TlsTexts } from "../../kit/renewed.ts";
import { acceptErrors } from "../../kit/shortage.ts";
import type { PeerGate } from "../member/incarnations.ts";
import type { Forward, PeerHandlers, PeerTransport, RefusalReason } from "../member/types.ts";
import type { MemberId, Message, MessageType } from "../raft/types.ts";
import {
	type Channel,
	decodeForward,
	decodeHello,
	decodeHelloHead,
	decodeMessage,
	decodeRefuse,
	encodeBytes,
	encodeForward,
	encodeMessage,
	encodeRefusalOfVersion1,
	encodeRefuse,
	encodeWelcome,
	frameKind,
	type Hello,
	type HelloHead,
	helloBytes,
	helloHeadBytes,
	maxFrameBytes,
	protocolVersion,
} from "./codec.ts";
import { FrameError, FrameReader } from "./frames.ts";
import { beatsInSilence, Link } from "./link.ts";
import { receiveSnapshot, sendSnapshot } from "./snapshot.ts";

export interface PeerAddress {
	readonly id: MemberId;
	readonly host: string;
	readonly port: number;
	readonly tls: boolean;
}

/** PEM texts. `ca` absent: the system's authorities. */
export interface PeerTls {
	readonly cert: string;
	readonly key: string;
	readonly ca?: string | undefined;
	/** Demand from every member that connects a certificate of `ca` for the host that member is reached at. */
	readonly clientCertAuth: boolean;
	/** Gives the texts for each new connection, from files that may be renewed. Absent: the texts above never change. */
	readonly latest?: Latest<TlsTexts> | undefined;
}

export interface ListenAddress {
	readonly host: string;
	readonly port: number;
	readonly tls: boolean;
}

export interface TransportOptions {
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	readonly clusterId: bigint;
	readonly id: MemberId;
	readonly peers: readonly PeerAddress[];
	readonly listen: readonly ListenAddress[];
	readonly gate: PeerGate;
	readonly tls?: PeerTls | undefined;
	/** A peer silent for this long is dialled anew, ms. */
	readonly silenceMs: number;
	/** Incoming connections, whether or not they prove to be members. Default 256. */
	readonly maxIncoming?: number | undefined;
}

const bulkTypes: ReadonlySet<MessageType> = new Set(["append"]);
const maxBulkQueued = 32 << 20;
const maxControlQueued = 4 << 20;
const helloTimeoutMs = 5000;
const defaultIncoming = 256;
/** How often in each `silenceMs` a peer is told that its messages arrive. */
const signsOfLife = beatsInSilence;
/** A peer pings several times in each interval of `silenceMs`; after so many intervals without any its connection is closed. */
const quietIntervals = 3;
const alpn = "barque-peer/1";

interface Peer {
	readonly control: Link;
	readonly bulk: Link;
}

export class TcpTransport implements PeerTransport {
	readonly #options: TransportOptions;
	readonly #peers = new Map<MemberId, Peer>();
	readonly #addresses: ReadonlyMap<MemberId, PeerAddress>;
	readonly #servers: Server[] = [];
	readonly #sockets = new Set<Socket>();
	/** Sockets as accepted by the system, including those whose TLS handshake is not done. */
	readonly #raw = new Set<Socket>();
	/** What all links do at each beat. */
	readonly #beats = new Set<() => void>();
	#pulse: Timer | undefined;
	#handlers: PeerHandlers | undefined;
	#closed = false;

	private constructor(options: TransportOptions) {
		this.#options = options;
		this.#addresses = new Map(options.peers.filter((peer) => peer.id !== options.id).map((peer) => [peer.id, peer]));
	}

	/** Resolves once it listens on every address. Rejects with the system's error (EADDRINUSE ...). */
	static async listen(options: TransportOptions): Promise<TcpTransport> {
		const transport = new TcpTransport(options);
		try {
			for (const address of options.listen) await transport.#listen(address);
		} catch (error) {
			await transport.close();
			throw error;
		}
		return transport;
	}

	/** Ports listened on, in the order of `listen`. */
	get ports(): number[] {
		return this.#servers.map((server) => (server.address() as { port: number }).port);
	}

	start(handlers: PeerHandlers): void {
		const first = this.#handlers === undefined;
		this.#handlers = handlers;
		if (!first) return;
		const { clock, silenceMs } = this.#options;
		this.#pulse = clock.every(silenceMs / beatsInSilence, () => {
			for (const beat of [...this.#beats]) beat();
		});
		for (const address of this.#addresses.values()) this.#peers.set(address.id, this.#connect(address));
	}

	/** Tells all others our standing anew. */
	greet(): void {
		for (const { control, bulk } of this.#peers.values()) {
			control.greet();
			bulk.greet();
		}
	}

	send(messages: readonly Message[]): void {
		for (const message of messages) {
			const peer = this.#peers.get(message.to);
			if (peer === undefined) continue;
			const link = bulkTypes.has(message.type) ? peer.bulk : peer.control;
			if (!link.write(encodeMessage(message))) this.#unreachable(message.to);
		}
	}

	forward(to: MemberId, forward: Forward): boolean {
		return this.#peers.get(to)?.bulk.write(encodeForward(forward)) ?? false;
	}

	refuse(to: MemberId, id: number, reason: RefusalReason): void {
		this.#peers.get(to)?.control.write(encodeRefuse(id, reason));
	}

	async sendSnapshot(message: Message, chunks: AsyncIterable<Buffer>): Promise<void> {
		const address = this.#addresses.get(message.to);
		if (address === undefined || this.#closed) throw new Error("no such member");
		const { socket, ready } = this.#dial(address);
		this.#sockets.add(socket);
		socket.once("close", () => this.#sockets.delete(socket));
		await sendSnapshot(socket, ready, this.#hello(address.id, "snapshot"), message, chunks);
	}

	/** Members with a working connection from here. */
	get connected(): MemberId[] {
		return [...this.#peers].filter(([, peer]) => peer.control.up).map(([id]) => id);
	}

	async close(): Promise<void> {
		this.#closed = true;
		this.#pulse?.cancel();
		for (const peer of this.#peers.values()) {
			peer.control.close();
			peer.bulk.close();
		}
		for (const socket of this.#sockets) socket.destroy();
		for (const socket of this.#raw) socket.destroy();
		await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
	}

	#hello(to: MemberId, channel: Channel): Hello {
		const { clusterId, id, gate } = this.#options;
		const [minVersion, maxVersion] = [protocolVersion, protocolVersion];
		return { minVersion, maxVersion, clusterId, from: id, to, channel, standing: gate.standing() };
	}

	/** Tells Raft that a link is down or dropped a message: in a microtask of its own, never inside `send`. */
	#unreachable(id: MemberId): void {
		queueMicrotask(() => {
			if (!this.#closed) this.#handlers?.onUnreachable(id);
		});
	}

	#connect(address: PeerAddress): Peer {
		const { clock, random, logger, gate, silenceMs } = this.#options;
		const link = (channel: Channel, maxQueued: number) =>
			new Link({
				clock,
				random,
				logger,
				dial: () => this.#dial(address),
				to: address.id,
				channel,
				hello: () => this.#hello(address.id, channel),
				gate,
				pulse: (beat) => {
					this.#beats.add(beat);
					return { cancel: () => void this.#beats.delete(beat) };
				},
				maxQueued,
				silenceMs,
				onDown: () => this.#unreachable(address.id),
			});
		return { control: link("control", maxControlQueued), bulk: link("bulk", maxBulkQueued) };
	}

	#dial(address: PeerAddress): { readonly socket: Socket; readonly ready: string } {
		const { host, port } = address;
		if (!address.tls) return { socket: connect({ host, port }), ready: "connect" };
		const tls = this.#options.tls?.latest?.() ?? this.#options.tls;
		const socket = connectTls({
			host,
			port,
			cert: tls?.cert,
			key: tls?.key,
			ca: tls?.ca,
			ALPNProtocols: [alpn],
			minVersion: "TLSv1.2",
		});
		return { socket, ready: "secureConnect" };
	}

	async #listen(address: ListenAddress): Promise<void> {
		const { tls } = this.#options;
		const accept = (socket: Socket) => this.#accept(socket);
		const secure = address.tls ? createTlsServer(tlsOptions(tls), accept) : undefined;
		const server = secure ?? createServer(accept);
		if (secure !== undefined) {
			serveLatest(secure, tls?.latest, { minVersion: "TLSv1.2" });
			server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
				this.#options.logger.warn("peer's TLS handshake failed", { remote: socket.remoteAddress, error });
			});
		}
		server.on("connection", (socket: Socket) => this.#track(socket));
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(address.port, address.host, () => {
				server.off("error", reject);
				server.on("error", acceptErrors(this.#options.logger, "peers"));
				resolve();
			});
		});
		this.#servers.push(server);
	}

	#track(socket: Socket): void {
		if (this.#closed || this.#raw.size >= (this.#options.maxIncoming ?? defaultIncoming)) {
			socket.destroy();
			return;
		}
		this.#raw.add(socket);
		socket.once("close", () => this.#raw.delete(socket));
	}

	#accept(socket: Socket): void {
		if (this.#closed || socket.destroyed) {
			socket.destroy();
			return;
		}
		this.#sockets.add(socket);
		socket.once("close", () => this.#sockets.delete(socket));
		socket.setNoDelay(true);
		const { clock, logger } = this.#options;
		const remote = socket.remoteAddress;
		const timer = clock.after(helloTimeoutMs, () => socket.destroy());
		socket.once("close", () => timer.cancel());
		socket.on("error", (error: Error) => logger.debug("peer connection failed", { remote, error }));
		let first: Buffer = Buffer.alloc(0);
		let isOld = false;
		const onData = (chunk: Buffer) => {
			first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
			if (first.length < helloHeadBytes) return;
			try {
				isOld ||= decodeHelloHead(first).maxVersion < protocolVersion;
				if (!isOld && first.length < helloBytes) return;
			} catch (error) {
				logger.warn("peer connection refused", { remote, error });
				socket.destroy();
				return;
			}
			socket.off("data", onData);
			timer.cancel();
			if (isOld) this.#refuseOld(socket, decodeHelloHead(first));
			else {
				// Nothing more is read until the greeting member is known.
				socket.pause();
				this.#greet(socket, decodeHello(first), first.subarray(helloBytes)).catch((error: unknown) => {
					logger.warn("peer connection refused", { remote, error });
					socket.destroy();
				});
			}
		};
		socket.on("data", onData);
	}

	#refuseOld(socket: Socket, hello: HelloHead): void {
		const refusal = this.#refusal(hello);
		this.#options.logger.warn("peer refused", { peer: hello.from, remote: socket.remoteAddress, refusal });
		for (const piece of encodeRefusalOfVersion1(refusal)) socket.write(piece);
		socket.end();
	}

	async #greet(socket: Socket, hello: Hello, rest: Buffer): Promise<void> {
		const { gate, logger } = this.#options;
		const refuse = (kind: "refused" | "expelled", refusal: string) => {
			logger[kind === "expelled" ? "error" : "warn"]("peer refused", {
				peer: hello.from,
				remote: socket.remoteAddress,
				refusal,
			});
			for (const piece of encodeWelcome({ kind, refusal })) socket.write(piece);
			socket.resume();
			socket.end();
		};
		const refusal = this.#refusal(hello) || this.#impersonation(socket, hello.from);
		if (refusal !== "") return refuse("refused", refusal);
		const loss = await gate.meet(hello.from, hello.standing);
		if (this.#closed || socket.destroyed) return;
		if (loss !== undefined) return refuse("expelled", loss);
		for (const piece of encodeWelcome({ kind: "welcome", standing: gate.standing() })) socket.write(piece);
		if (hello.channel === "snapshot") {
			const handle = (message: Message, chunks: AsyncIterable<Buffer>) => {
				if (message.from !== hello.from) throw new FrameError("a snapshot in another member's name");
				return this.#handlers?.onSnapshot(message, chunks) ?? Promise.reject(new Error("not started"));
			};
			receiveSnapshot(socket, rest, handle).catch((error: unknown) => {
				logger.warn("snapshot not received", { from: hello.from, error });
			});
		} else {
			const peer = this.#peers.get(hello.from);
			peer?.control.peerIsBack();
			peer?.bulk.peerIsBack();
			this.#receive(socket, hello, rest);
		}
		socket.resume();
	}

	#refusal(hello: HelloHead): string {
		if (hello.minVersion > protocolVersion || hello.maxVersion < protocolVersion) {
			return `protocol versions ${hello.minVersion} to ${hello.maxVersion} are not spoken here, only ${protocolVersion}`;
		}
		if (hello.clusterId !== this.#options.clusterId) {
			return `cluster ${hello.clusterId.toString(16)} is not ours, ${this.#options.clusterId.toString(16)}`;
		}
		if (hello.to !== this.#options.id) return `this is member ${this.#options.id.toString(16)}`;
		return this.#addresses.has(hello.from) ? "" : `member ${hello.from.toString(16)} is not in the cluster`;
	}

	/** A member's certificate serves both ways, so it names the host that we would dial; another member's does not. */
	#impersonation(socket: Socket, from: MemberId): string {
		const address = this.#addresses.get(from);
		if (address === undefined || !(socket instanceof TLSSocket) || this.#options.tls?.clientCertAuth !== true)
			return "";
		const wrong = checkServerIdentity(address.host, socket.getPeerCertificate());
		return wrong === undefined ? "" : `certificate is not of member ${from.toString(16)}: ${wrong.message}`;
	}

	/** All messages of one read go to the member together. */
	#receive(socket: Socket, hello: Hello, rest: Buffer): void {
		const { clock, silenceMs, logger } = this.#options;
		// Counts beats, not time: if our own process was paused, pings are still waiting to be read.
		let quiet = 0;
		const watch = () => {
			if (++quiet > quietIntervals * beatsInSilence) socket.destroy();
		};
		this.#beats.add(watch);
		socket.once("close", () => this.#beats.delete(watch));
		let messages: Message[] = [];
		const pong = encodeBytes(frameKind.pong, Buffer.alloc(0));
		let pongedAt = clock.monotonic();
		const answer = () => {
			pongedAt = clock.monotonic();
			for (const piece of pong) socket.write(piece);
		};
		const reader = new FrameReader(maxFrameBytes, (frame) => {
			const kind = frame[0];
			if (kind === frameKind.message) {
				const message = decodeMessage(frame);
				if (message.from !== hello.from) throw new FrameError("a message in another member's name");
				messages.push(message);
			} else if (kind === frameKind.forward) this.#handlers?.onForward(hello.from, decodeForward(frame));
			else if (kind === frameKind.refuse) {
				const { id, reason } = decodeRefuse(frame);
				this.#handlers?.onRefused(hello.from, id, reason);
			} else if (kind === frameKind.ping) for (const piece of pong) socket.write(piece);
			else throw new FrameError(`unexpected kind of frame ${kind}`);
		});
		const onData = (chunk: Buffer) => {
			quiet = 0;
			try {
				reader.push(chunk);
				// Pings wait behind what was sent before them, and over a slow path that may take long.
				if (clock.monotonic() - pongedAt >= silenceMs / signsOfLife) answer();
			} catch (error) {
				logger.warn("peer connection broken", { peer: hello.from, channel: hello.channel, error });
				socket.destroy();
			}
			if (messages.length === 0) return;
			const batch = messages;
			messages = [];
			this.#handlers?.onMessages(batch);
		};
		if (rest.length > 0) onData(rest);
		socket.on("data", onData);
	}
}

function tlsOptions(tls: PeerTls | undefined): TlsOptions {
	return {
		cert: tls?.cert,
		key: tls?.key,
		ca: tls?.ca,
		requestCert: tls?.clientCertAuth === true,
		rejectUnauthorized: tls?.clientCertAuth === true,
		ALPNProtocols: [alpn],
		minVersion: "TLSv1.2",
		handshakeTimeout: helloTimeoutMs,
	};
}
