/** How the client reaches a member: TCP and TLS here, the simulator's network elsewhere. */
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Latest, TlsTexts } from "../../kit/renewed.ts";
import { type FrameChannel, nativeAlpn, nativeMagic } from "../native/protocol.ts";
import { SocketChannel } from "../native/socket-channel.ts";

export interface Connector {
	/** Rejects when the endpoint cannot be reached. */
	connect(endpoint: string): Promise<FrameChannel>;
}

/** PEM texts. */
export interface ClientTls {
	/** Authorities of the store's serving certificates; absent: the system's. */
	readonly ca?: string | undefined;
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	/** Name expected in the member's certificate, when it is not the endpoint's host. */
	readonly serverName?: string | undefined;
	/** Gives the texts for each new connection, from files that may be renewed. Absent: the texts above never change. */
	readonly latest?: Latest<TlsTexts> | undefined;
}

const connectTimeoutMs = 5000;
/** Lists come back as one frame. */
const maxAnswerBytes = 1 << 30;

export function parseEndpoint(endpoint: string): {
	readonly host: string;
	readonly port: number;
	readonly tls: boolean;
} {
	let url: URL;
	try {
		url = new URL(endpoint.includes("://") ? endpoint : `http://${endpoint}`);
	} catch {
		throw new TypeError(`endpoint ${JSON.stringify(endpoint)} is not of the form http(s)://HOST:PORT`);
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new TypeError(`endpoint ${JSON.stringify(endpoint)}: scheme must be http or https`);
	}
	const port = url.port === "" ? 2379 : Number(url.port);
	return { host: url.hostname.replace(/^\[|\]$/g, ""), port, tls: url.protocol === "https:" };
}

export function socketConnector(tls: ClientTls | undefined): Connector {
	return {
		connect(endpoint) {
			const { host, port, tls: secure } = parseEndpoint(endpoint);
			const texts = tls?.latest?.() ?? tls;
			const socket = secure
				? connectTls({
						host,
						port,
						ca: texts?.ca,
						cert: texts?.cert,
						key: texts?.key,
						...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
						ALPNProtocols: [nativeAlpn],
						minVersion: "TLSv1.2",
					})
				: connect({ host, port });
			return new Promise((resolve, reject) => {
				const fail = (error: Error) => {
					socket.destroy();
					reject(error);
				};
				socket.once("error", fail);
				socket.setTimeout(connectTimeoutMs, () => fail(new Error(`${endpoint}: no answer for ${connectTimeoutMs} ms`)));
				socket.once(secure ? "secureConnect" : "connect", () => {
					socket.setTimeout(0);
					socket.off("error", fail);
					const channel = new SocketChannel(socket, maxAnswerBytes);
					channel.sendRaw(nativeMagic);
					resolve(channel);
				});
			});
		},
	};
}
