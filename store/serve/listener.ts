/**
 * The client URL: one port for every protocol, told apart by its first bytes: the native protocol's magic, or HTTP/1 for
 * health and metrics.
 */
import {
	createServer as createHttpServer,
	type Server as HttpServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Clock } from "../../kit/clock.ts";
import type { ConnectionLimit } from "../../kit/descriptors.ts";
import { guarded } from "../../kit/guarded.ts";
import type { Logger } from "../../kit/log.ts";
import { type Latest, serveLatest, type TlsTexts } from "../../kit/renewed.ts";
import { acceptErrors } from "../../kit/shortage.ts";
import { nativeAlpn, nativeMagic } from "../native/protocol.ts";
import { SocketChannel } from "../native/socket-channel.ts";
import { NativeConnection, type NativeServerOptions } from "./native.ts";

export interface ListenerTls {
	readonly cert: string;
	readonly key: string;
	/** Authorities of clients; absent: the system's. */
	readonly ca?: string | undefined;
	readonly clientCertAuth: boolean;
	/** Gives the texts for each new connection, from files that may be renewed. Absent: the texts above never change. */
	readonly latest?: Latest<TlsTexts> | undefined;
}

export interface ListenerOptions {
	readonly clock: Clock;
	readonly logger: Logger;
	readonly addresses: readonly { readonly host: string; readonly port: number; readonly tls: boolean }[];
	readonly tls?: ListenerTls | undefined;
	/** Absent: only HTTP is spoken here (a metrics port). */
	readonly native?: NativeServerOptions | undefined;
	readonly http: (request: IncomingMessage, response: ServerResponse) => unknown;
	/** Longest frame a client may send: the request limit and some for its frame. */
	readonly maxFrameBytes: number;
	/** Shared by all listeners of the process. Absent: no limit. */
	readonly connectionLimit?: ConnectionLimit | undefined;
	/** How long a connection may take to say what it is, ms. Default 10 s. */
	readonly firstBytesMs?: number | undefined;
}

const firstBytesMs = 10_000;

export class Listener {
	readonly #options: ListenerOptions;
	readonly #servers: Server[] = [];
	readonly #http: HttpServer;
	/** Sockets as accepted by the system, including those whose TLS handshake is not done. */
	readonly #raw = new Set<Socket>();
	readonly #sockets = new Set<Socket>();
	#closed = false;
	readonly #connections = new Set<NativeConnection>();

	private constructor(options: ListenerOptions) {
		this.#options = options;
		this.#http = createHttpServer(
			{
				requestTimeout: 30_000,
				headersTimeout: options.firstBytesMs ?? firstBytesMs,
				connectionsCheckingInterval: Math.min(5000, options.firstBytesMs ?? firstBytesMs),
				maxHeaderSize: 16 << 10,
			},
			guarded(options.logger, options.http),
		);
		// It listens nowhere and is handed its connections; only this event makes it look at their time limits.
		this.#http.emit("listening");
	}

	/** Resolves once every address is listened on. */
	static async open(options: ListenerOptions): Promise<Listener> {
		const listener = new Listener(options);
		try {
			for (const address of options.addresses) await listener.#listen(address);
		} catch (error) {
			await listener.close();
			throw error;
		}
		return listener;
	}

	get ports(): number[] {
		return this.#servers.map((server) => (server.address() as { port: number }).port);
	}

	get connections(): number {
		return this.#connections.size;
	}

	leaderChanged(leader: bigint): void {
		for (const connection of this.#connections) connection.leaderChanged(leader);
	}

	goingAway(why: string): void {
		for (const connection of this.#connections) connection.goingAway(why);
	}

	async close(): Promise<void> {
		this.#closed = true;
		const closed = Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
		this.#http.closeAllConnections();
		this.#http.close();
		for (const socket of this.#sockets) socket.destroy();
		for (const socket of this.#raw) socket.destroy();
		await closed;
	}

	async #listen(address: { readonly host: string; readonly port: number; readonly tls: boolean }): Promise<void> {
		const { tls, logger } = this.#options;
		const accept = (socket: Socket) => this.#accept(socket);
		let server: Server;
		if (!address.tls) server = createServer(accept);
		else {
			if (tls === undefined) throw new Error("an https address needs a certificate and a key");
			const secure = createTlsServer(
				{
					cert: tls.cert,
					key: tls.key,
					ca: tls.ca,
					requestCert: tls.clientCertAuth,
					rejectUnauthorized: tls.clientCertAuth,
					ALPNProtocols: [nativeAlpn, "http/1.1"],
					minVersion: "TLSv1.2",
					handshakeTimeout: this.#options.firstBytesMs ?? firstBytesMs,
				},
				accept,
			);
			serveLatest(secure, tls.latest, { minVersion: "TLSv1.2" });
			server = secure;
			server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
				logger.warn("client's TLS handshake failed", { remote: socket.remoteAddress, error });
			});
		}
		server.on("connection", (socket: Socket) => this.#track(socket));
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(address.port, address.host, () => {
				server.off("error", reject);
				server.on("error", acceptErrors(logger, "clients"));
				resolve();
			});
		});
		this.#servers.push(server);
	}

	#track(socket: Socket): void {
		if (this.#closed) {
			socket.destroy();
			return;
		}
		if (this.#options.connectionLimit?.enter(socket) === false) return;
		this.#raw.add(socket);
		socket.once("close", () => this.#raw.delete(socket));
	}

	#accept(socket: Socket): void {
		if (this.#closed || socket.destroyed) {
			socket.destroy();
			return;
		}
		this.#sockets.add(socket);
		const timer = this.#options.clock.after(this.#options.firstBytesMs ?? firstBytesMs, () => socket.destroy());
		const ignore = () => undefined;
		// The close event that follows tells all there is to do; without a listener an error would end the process.
		socket.on("error", ignore);
		socket.once("close", () => {
			this.#sockets.delete(socket);
			timer.cancel();
		});
		let first: Buffer = Buffer.alloc(0);
		const onData = (chunk: Buffer) => {
			first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
			if (first.length < nativeMagic.length && nativeMagic.subarray(0, first.length).equals(first)) return;
			socket.off("data", onData);
			timer.cancel();
			this.#options.connectionLimit?.asked(socket);
			this.#serve(socket, first);
		};
		socket.on("data", onData);
	}

	#serve(socket: Socket, first: Buffer): void {
		const { native, maxFrameBytes } = this.#options;
		if (first.subarray(0, nativeMagic.length).equals(nativeMagic)) {
			if (native === undefined) {
				socket.destroy();
				return;
			}
			const channel = new SocketChannel(socket, maxFrameBytes, first.subarray(nativeMagic.length));
			const connection = new NativeConnection(channel, native, () => this.#connections.delete(connection));
			this.#connections.add(connection);
			return;
		}
		// Methods of HTTP begin with a capital letter; anything else is not for us.
		const letter = first[0] ?? 0;
		if (letter < 0x41 || letter > 0x5a) {
			socket.destroy();
			return;
		}
		socket.pause();
		socket.unshift(first);
		this.#http.emit("connection", socket);
		socket.resume();
	}
}
