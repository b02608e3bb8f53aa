/**
 * The TCP balancer in front of the apiservers: new connections go round robin to those that answer /readyz; a
 * connection that cannot be made goes to the next one. TLS passes through untouched.
 */
import https from "node:https";
import net from "node:net";
import { type Clock, systemClock } from "../kit/clock.ts";
import { ConnectionLimit, descriptorLimit } from "../kit/descriptors.ts";
import { parseCommand } from "../kit/flags.ts";
import { createLogger, type Logger, silentLogger } from "../kit/log.ts";
import { type Latest, latestTls, type TlsTexts } from "../kit/renewed.ts";
import { defaultSendBudget, SendBudget } from "../kit/send-budget.ts";
import { acceptErrors } from "../kit/shortage.ts";
import { keepRenewed } from "./renewal.ts";

const probeIntervalMs = 500;
const probeTimeoutMs = 2_000;
const connectTimeoutMs = 1_000;
/** A connection has this long to say its first bytes. */
const firstBytesMs = 10_000;
/** Runtime, probes, listener. */
const reservedDescriptors = 64;

interface Backend {
	readonly host: string;
	readonly port: number;
	ready: boolean;
}

export interface BalancerOptions {
	readonly host: string;
	readonly port: number;
	/** "host:port" of each apiserver. */
	readonly backends: readonly string[];
	/** PEM bundle the apiservers' certificates are checked against, as it is now. */
	readonly ca: Latest<TlsTexts>;
	readonly clock?: Clock;
	readonly logger?: Logger;
	/** How long a connection may say nothing, ms. Default 10 s. */
	readonly firstBytesMs?: number;
	/** Bytes that may wait for slow ends, of all connections together. Default: by the process's memory. */
	readonly sendBudgetBytes?: number;
}

function probe(backend: Backend, ca: string | undefined): Promise<boolean> {
	return new Promise((resolve) => {
		const request = https.get(
			{ host: backend.host, port: backend.port, path: "/readyz", ca, timeout: probeTimeoutMs, agent: false },
			(response) => {
				response.resume();
				resolve(response.statusCode === 200);
			},
		);
		request.on("timeout", () => request.destroy(new Error("timeout")));
		request.on("error", () => resolve(false));
	});
}

function connect(backend: Backend): Promise<net.Socket> {
	return new Promise((resolve, reject) => {
		const socket = net.connect({ host: backend.host, port: backend.port, noDelay: true, allowHalfOpen: true });
		socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error("connect timeout")));
		socket.once("error", reject);
		socket.once("connect", () => {
			socket.setTimeout(0);
			socket.off("error", reject);
			resolve(socket);
		});
	});
}

/** Resolves to true when something can be read, which is left to be read; to false when it took too long or ended. */
function speaks(client: net.Socket, clock: Clock, ms: number): Promise<boolean> {
	return new Promise((resolve) => {
		const settle = (spoke: boolean) => {
			timer.cancel();
			client.off("readable", onReadable).off("close", onClose);
			resolve(spoke && !client.destroyed);
		};
		const onReadable = () => settle(client.readableLength > 0);
		const onClose = () => settle(false);
		const timer = clock.after(ms, () => settle(false));
		client.on("readable", onReadable).on("close", onClose);
	});
}

/** Joins two sockets until either ends; an error of one ends the other. What waits in both counts against the budget. */
function join(client: net.Socket, server: net.Socket, budget: SendBudget): void {
	const end = () => {
		client.destroy();
		server.destroy();
	};
	client.on("error", end).on("close", end);
	server.on("error", end).on("close", end);
	client.pipe(server);
	server.pipe(client);
	const buffered = () => client.writableLength + server.writableLength;
	const account = budget.enter({ buffered, end });
	client.once("close", account.leave);
	// After the pipes', so that what has come is written already.
	for (const from of [client, server]) from.on("data", ({ length }: Buffer) => account.wrote(length, buffered()));
}

export async function startBalancer(
	options: BalancerOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
	const clock = options.clock ?? systemClock;
	const backends: Backend[] = options.backends.map((text) => {
		const at = text.lastIndexOf(":");
		return { host: text.slice(0, at), port: Number(text.slice(at + 1)), ready: true };
	});
	let turn = 0;
	/** Ready backends first, each list beginning one further on at every connection. */
	const candidates = () => {
		turn = (turn + 1) % backends.length;
		const rotated = [...backends.slice(turn), ...backends.slice(0, turn)];
		return [...rotated.filter((backend) => backend.ready), ...rotated.filter((backend) => !backend.ready)];
	};
	const sockets = new Set<net.Socket>();
	// A connection takes two descriptors: its own and the one to the apiserver.
	const limit = new ConnectionLimit({
		most: Math.max(8, Math.min(20_000, Math.floor((descriptorLimit() - reservedDescriptors) / 2))),
		name: "the balancer's clients",
		logger: options.logger ?? silentLogger,
	});
	const budget = new SendBudget({
		most: options.sendBudgetBytes ?? defaultSendBudget(),
		name: "connections",
		logger: options.logger ?? silentLogger,
	});
	const serve = async (client: net.Socket) => {
		sockets.add(client);
		client.once("close", () => sockets.delete(client));
		client.on("error", () => client.destroy());
		// A client of TLS speaks first: one that says nothing costs no apiserver anything.
		if (!(await speaks(client, clock, options.firstBytesMs ?? firstBytesMs))) {
			client.destroy();
			return;
		}
		limit.asked(client);
		for (const backend of candidates()) {
			try {
				const server = await connect(backend);
				if (client.destroyed) server.destroy();
				else join(client, server, budget);
				return;
			} catch (error) {
				if (backend.ready) options.logger?.warn("backend refused", { port: backend.port, error });
				backend.ready = false;
			}
		}
		client.destroy();
	};
	const server = net.createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: false }, (client) => {
		client.pause();
		if (!limit.enter(client)) return;
		serve(client).catch((error: unknown) => {
			options.logger?.warn("connection failed", { error });
			client.destroy();
		});
	});
	let probing = false;
	const probeAll = async () => {
		if (probing) return;
		probing = true;
		const { ca } = options.ca();
		await Promise.all(
			backends.map(async (backend) => {
				const ready = await probe(backend, ca);
				if (ready !== backend.ready)
					options.logger?.info(ready ? "backend ready" : "backend away", { port: backend.port });
				backend.ready = ready;
			}),
		);
		probing = false;
	};
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.host, resolve);
	});
	server.on("error", acceptErrors(options.logger ?? silentLogger, "balancer"));
	const timer = clock.every(probeIntervalMs, () => void probeAll());
	return {
		port: (server.address() as net.AddressInfo).port,
		async close() {
			timer.cancel();
			const closed = new Promise((resolve) => server.close(resolve));
			for (const socket of sockets) socket.destroy();
			await closed;
		},
	};
}

export async function runBalancer(argv: readonly string[]): Promise<number> {
	const flags = parseCommand(
		{
			name: "barque balancer",
			summary: "Spreads TCP connections over the apiservers that are ready.",
			flags: {
				listen: { type: "string", required: true, placeholder: "HOST:PORT", help: "Address to listen on." },
				backends: { type: "list", required: true, placeholder: "HOST:PORT,...", help: "The apiservers." } as const,
				"ca-file": {
					type: "string",
					required: true,
					help: "PEM file the apiservers' certificates are checked against.",
				},
				"cluster-dir": {
					type: "string",
					default: "",
					help: "The directory of a cluster whose certificates are renewed before they end. Empty: of none.",
				},
			},
			examples: [
				"barque balancer --listen 127.0.0.1:6443 --backends 127.0.0.1:6444,127.0.0.1:6445 --ca-file pki/cluster-ca.crt",
			],
		},
		argv,
	);
	if ("exit" in flags) return flags.exit;
	const logger = createLogger().with({ component: "balancer" });
	const at = flags.values.listen.lastIndexOf(":");
	const file = flags.values["ca-file"];
	const balancer = await startBalancer({
		host: flags.values.listen.slice(0, at),
		port: Number(flags.values.listen.slice(at + 1)),
		backends: flags.values.backends,
		ca: latestTls({ ca: file }, (error) => logger.warn("renewed authorities not taken up", { file, error })),
		logger,
	});
	const dir = flags.values["cluster-dir"];
	const renewal = dir === "" ? undefined : await keepRenewed(dir, systemClock, logger);
	logger.info("serving", { port: balancer.port, backends: flags.values.backends });
	await new Promise<void>((resolve) => {
		process.once("SIGTERM", resolve);
		process.once("SIGINT", resolve);
	});
	renewal?.cancel();
	await balancer.close();
	return 0;
}
