/** One member of the store as a running server: data directory, log, machine, links, listeners. Composes the rooms of `store/`. */
import { join } from "node:path";
import type { Clock } from "../../kit/clock.ts";
import { systemClock } from "../../kit/clock.ts";
import { ConnectionLimit } from "../../kit/descriptors.ts";
import type { Logger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { defaultSendBudget, SendBudget } from "../../kit/send-budget.ts";
import type { Machine } from "../machine/machine.ts";
import { askToBegin } from "../member/bootstrap.ts";
import { type Address, type InitialCluster, memberNames, parseUrl } from "../member/cluster.ts";
import type { Incarnations } from "../member/incarnations.ts";
import { Member } from "../member/member.ts";
import { Requests } from "../member/requests.ts";
import type { AutoCompaction } from "../member/types.ts";
import { httpHandler } from "../serve/http.ts";
import { Listener, type ListenerTls } from "../serve/listener.ts";
import { createStoreMetrics, type StoreMetrics } from "../serve/metrics.ts";
import { Turns } from "../serve/turns.ts";
import { type PeerTls, TcpTransport } from "../transport/transport.ts";
import type { OpenedLog } from "../wal/wal.ts";
import { engineFileBytes, openData } from "./data.ts";
import { shareDescriptors } from "./descriptors.ts";
import { fileSpool } from "./file-spool.ts";

export interface StoreServerOptions {
	readonly dataDir: string;
	readonly cluster: InitialCluster;
	/** `existing`: refuse to begin an empty data directory. */
	readonly clusterState: "new" | "existing";
	readonly listenPeer: readonly Address[];
	readonly listenClient: readonly Address[];
	/** Health and metrics beside the client addresses. */
	readonly listenMetrics?: readonly Address[];
	/** The log is not synced: for tests only. */
	readonly unsafeNoFsync?: boolean | undefined;
	readonly peerTls?: PeerTls | undefined;
	readonly clientTls?: ListenerTls | undefined;
	readonly heartbeatMs: number;
	readonly electionMs: number;
	readonly snapshotCount: number;
	readonly catchUpEntries: number;
	readonly maxRequestBytes: number;
	readonly maxTxnOps: number;
	/** Bytes of keys, values and history above which writes that add to them are refused. */
	readonly quotaBytes: number;
	readonly preVote: boolean;
	/** Bytes that may wait for slow clients, of all connections together. Default: by the process's memory. */
	readonly sendBudgetBytes?: number | undefined;
	readonly progressEveryMs: number;
	readonly autoCompaction?: AutoCompaction | undefined;
	readonly version: string;
	readonly logger: Logger;
	/** Gives up a start that waits for the other members. */
	readonly signal?: AbortSignal | undefined;
	/** The member stopped itself; the process should end. */
	readonly onFatal: (error: Error) => void;
}

/** etcd's allowance for what surrounds a request's keys and values. */
const requestOverheadBytes = 512 << 10;

interface Opened {
	readonly machine: Machine;
	readonly log: OpenedLog;
	readonly incarnations: Incarnations;
}

export class StoreServer {
	readonly member: Member;
	readonly #transport: TcpTransport;
	readonly #listeners: readonly Listener[];
	readonly #logger: Logger;
	#stopping: string | undefined;

	private constructor(member: Member, transport: TcpTransport, listeners: readonly Listener[], logger: Logger) {
		this.member = member;
		this.#transport = transport;
		this.#listeners = listeners;
		this.#logger = logger;
	}

	/** Resolves once the member runs and its client addresses are listened on; a leader may not be known yet. */
	static async start(options: StoreServerOptions): Promise<StoreServer> {
		const { cluster, logger } = options;
		const metrics = createStoreMetrics();
		// The machine is opened before its member; a failure of its engine must still reach the member.
		const broken: { fail: (error: unknown) => void } = { fail: options.onFatal as (error: unknown) => void };
		const data = await openData(options, metrics, (error) => broken.fail(error));
		const { machine, incarnations } = data;
		const undo: (() => Promise<unknown>)[] = [() => data.close()];
		try {
			const transport = await TcpTransport.listen({
				maxIncoming: shareDescriptors().peers,
				clock: systemClock,
				random: systemRandom,
				logger,
				clusterId: cluster.id,
				id: cluster.self.id,
				peers: cluster.members.map((member) => ({
					id: member.id,
					...parseUrl("initial-cluster", member.peerUrls[0] ?? ""),
				})),
				listen: options.listenPeer,
				gate: incarnations,
				tls: options.peerTls,
				// Longer than a passing hitch, and not much longer than members wait before they elect another leader.
				silenceMs: Math.max(1000, 1.5 * options.electionMs),
			});
			undo.unshift(() => transport.close());
			if (!incarnations.begun) {
				await askToBegin({
					clock: systemClock,
					logger,
					others: cluster.members.filter((member) => member !== cluster.self).map((member) => member.id),
					nameOf: memberNames(cluster),
					incarnations,
					transport,
					askEveryMs: options.electionMs,
					signal: options.signal,
				});
			}
			const asked = !incarnations.begun;
			const log = await data.log();
			await data.keepMembership();
			// Nobody counts on what we say before it is known durably there that we have begun.
			if (asked) transport.greet();
			const server = await assemble(options, { machine, log, incarnations }, transport, metrics, undo);
			broken.fail = (error) => server.member.fail(error);
			logger.info("store member started", {
				name: cluster.self.name,
				member: cluster.self.id,
				cluster: cluster.id,
				applied: machine.appliedIndex,
				revision: machine.revision,
				"client-ports": server.clientPorts,
			});
			return server;
		} catch (error) {
			for (const close of undo) await close();
			throw error;
		}
	}

	/** @internal */
	static of(member: Member, transport: TcpTransport, listeners: readonly Listener[], logger: Logger): StoreServer {
		return new StoreServer(member, transport, listeners, logger);
	}

	get clientPorts(): number[] {
		return this.#listeners[0]?.ports ?? [];
	}

	get peerPorts(): number[] {
		return this.#transport.ports;
	}

	get stopping(): string | undefined {
		return this.#stopping;
	}

	/** Says good-bye to clients, hands leadership over, finishes what is under way, closes the files. */
	async stop(): Promise<void> {
		if (this.#stopping !== undefined) return;
		this.#stopping = "server is stopping";
		for (const listener of this.#listeners) listener.goingAway(this.#stopping);
		await this.member.transferLeadership();
		await Promise.all(this.#listeners.map((listener) => listener.close()));
		await this.member.close();
		this.#logger.info("store member stopped");
	}

	/** Answers nothing more, as the member must after a fatal error. The files stay open. */
	async abort(why: string): Promise<void> {
		this.#stopping = why;
		this.member.crash();
		await Promise.all(this.#listeners.map((listener) => listener.close()));
		await this.#transport.close();
	}

	/** In mid-air, for tests that cannot kill a process: links break at once, then files are closed so that they can be opened again. */
	async kill(): Promise<void> {
		await this.abort("killed");
		await this.member.close();
	}
}

async function assemble(
	options: StoreServerOptions,
	{ machine, log, incarnations }: Opened,
	transport: TcpTransport,
	metrics: StoreMetrics,
	undo: (() => Promise<unknown>)[],
): Promise<StoreServer> {
	const { cluster, logger } = options;
	const listeners: Listener[] = [];
	let server: StoreServer | undefined;
	const member = await Member.open({
		config: {
			id: cluster.self.id,
			clusterId: cluster.id,
			name: cluster.self.name,
			voters: cluster.members.map((one) => one.id),
			heartbeatMs: options.heartbeatMs,
			electionMs: options.electionMs,
			preVote: options.preVote,
			snapshotCount: options.snapshotCount,
			catchUpEntries: options.catchUpEntries,
			autoCompaction: options.autoCompaction,
		},
		clock: systemClock,
		random: systemRandom,
		logger,
		log: log.log,
		recovered: log.recovered,
		machine,
		transport,
		openSpool: () => fileSpool(join(options.dataDir, "member", "snap", "incoming.tmp")),
		endOfTurn: (callback) => void setImmediate(callback),
		onFatal: (error) => {
			void server?.abort(error.message).catch(() => undefined);
			options.onFatal(error);
		},
		observer: {
			onSoftState: (leader) => {
				for (const listener of listeners) listener.leaderChanged(leader);
			},
		},
	});
	undo.splice(0, undo.length, () => member.close());
	incarnations.term = () => member.term;
	incarnations.onExpelled = (error) => member.fail(error);
	let watchers = 0;
	const turns = new Turns((work) => void setImmediate(work));
	const usedBytes = () => machine.stats.trackedBytes;
	const limits = {
		maxRequestBytes: options.maxRequestBytes,
		maxTxnOps: options.maxTxnOps,
		minLeaseTtl: Math.ceil((1.5 * options.electionMs) / 1000),
		quotaBytes: options.quotaBytes,
		usedBytes,
		onSpace: (exceeded: boolean, used: number) => {
			const fields = { "used-bytes": used, "quota-bytes": options.quotaBytes };
			if (exceeded)
				logger.error("alarm NOSPACE: puts are refused until history is compacted or keys are deleted", fields);
			else logger.warn("alarm NOSPACE is over: puts are taken again", fields);
		},
		turn: () => turns.take(),
	};
	const requests = new Requests(member, limits);
	const http = httpHandler({
		requests,
		leader: () => member.leader,
		stopping: () => server?.stopping,
		version: options.version,
		registry: metrics.registry,
	});
	const sendBudget = new SendBudget({
		most: options.sendBudgetBytes ?? defaultSendBudget(),
		name: "clients",
		logger,
	});
	const connectionLimit = new ConnectionLimit({ most: shareDescriptors().clients, name: "clients", logger });
	const common = { clock: systemClock as Clock, logger, tls: options.clientTls, http, connectionLimit };
	const maxFrameBytes = options.maxRequestBytes + requestOverheadBytes;
	const native = {
		requests,
		clock: systemClock,
		logger,
		serverVersion: options.version,
		leader: () => member.leader,
		onWatchers: (change: number) => {
			watchers += change;
		},
		maxFrameBytes,
		sendBudget,
		limits: { progressEveryMs: options.progressEveryMs },
	};
	const clients = await Listener.open({ ...common, addresses: options.listenClient, native, maxFrameBytes });
	listeners.push(clients);
	undo.unshift(() => clients.close());
	if (options.listenMetrics !== undefined && options.listenMetrics.length > 0) {
		listeners.push(await Listener.open({ ...common, addresses: options.listenMetrics, maxFrameBytes: 0 }));
	}
	metrics.start({
		member,
		version: options.version,
		connections: () => clients.connections,
		watchers: () => watchers,
		sendBudget,
		quotaBytes: options.quotaBytes,
		usedBytes,
		fileBytes: () => engineFileBytes(options.dataDir),
		spaceExceeded: () => requests.spaceExceeded,
	});
	server = StoreServer.of(member, transport, listeners, logger);
	return server;
}
