/** `barque store`: one member of the store, with etcd's flags. */
import { readFile } from "node:fs/promises";
import { type FlagSpecs, type FlagValues, parseCommand, parseDuration } from "../../kit/flags.ts";
import { createLogger, type Level, type Logger } from "../../kit/log.ts";
import { type Latest, latestTls, type TlsTexts } from "../../kit/renewed.ts";
import { shortageOf } from "../../kit/shortage.ts";
import { ClusterConfigError, type InitialCluster, initialCluster, parseUrl } from "../member/cluster.ts";
import { relocated } from "../member/membership.ts";
import type { AutoCompaction } from "../member/types.ts";
import type { ListenerTls } from "../serve/listener.ts";
import type { PeerTls } from "../transport/transport.ts";
import { LogCorruptError } from "../wal/types.ts";
import { knownMembership } from "./data.ts";
import { StoreServer } from "./server.ts";

const member = "Member";
const clustering = "Clustering";
const security = "Security";
const logging = "Logging and metrics";

const flags = {
	name: { type: "string", default: "default", group: member, help: "Human-readable name for this member." },
	"data-dir": { type: "string", default: "", group: member, help: 'Path to the data directory. Empty: "NAME.barque".' },
	"listen-peer-urls": {
		type: "list",
		default: ["http://localhost:2380"],
		group: member,
		help: "URLs to listen on for the other members.",
	},
	"listen-client-urls": {
		type: "list",
		default: ["http://localhost:2379"],
		group: member,
		help: "URLs to listen on for clients.",
	},
	"heartbeat-interval": {
		type: "integer",
		default: 100,
		min: 1,
		group: member,
		help: "Time between the leader's heartbeats, ms.",
	},
	"election-timeout": {
		type: "integer",
		default: 1000,
		min: 10,
		max: 50_000,
		group: member,
		help: "Time without a leader before an election, ms. At least five times the heartbeat interval.",
	},
	"snapshot-count": {
		type: "integer",
		default: 10_000,
		min: 1,
		group: member,
		help: "Applied entries after which the log is released.",
	},
	"max-request-bytes": {
		type: "integer",
		default: 1.5 * 1024 * 1024,
		min: 1024,
		max: 32 << 20,
		group: member,
		help: "Largest request accepted, bytes of keys and values.",
	},
	"max-txn-ops": {
		type: "integer",
		default: 128,
		min: 1,
		max: 128,
		group: member,
		help: "Most operations in a transaction.",
	},
	"quota-backend-bytes": {
		type: "integer",
		default: 2 * 2 ** 30,
		min: 1 << 20,
		group: member,
		help: "Bytes of keys, values and uncompacted history above which puts are refused until some are compacted away.",
	},
	"unsafe-no-fsync": {
		type: "boolean",
		group: member,
		help: "Do not sync the log: a power cut loses acknowledged writes. For tests only.",
	},
	"pre-vote": {
		type: "boolean",
		default: true,
		group: member,
		help: "Ask whether an election could be won before disturbing the leader.",
	},
	"auto-compaction-mode": {
		type: "string",
		default: "periodic",
		choices: ["periodic", "revision"],
		group: member,
		help: "How --auto-compaction-retention is meant: a time or a number of revisions.",
	},
	"auto-compaction-retention": {
		type: "string",
		default: "0",
		group: member,
		help: 'History to keep: hours or a duration ("5", "30m") or, in revision mode, revisions. 0: no automatic compaction.',
	},
	"watch-progress-notify-interval": {
		type: "duration",
		default: 600_000,
		group: member,
		help: "How often a quiet watch that asked for it is told the revision.",
	},
	"initial-advertise-peer-urls": {
		type: "list",
		default: ["http://localhost:2380"],
		group: clustering,
		help: "This member's peer URLs, as the others reach it. Without meaning once the member has begun.",
	},
	"initial-cluster": {
		type: "string",
		default: "",
		group: clustering,
		help: "All members as NAME=URL,NAME=URL. Empty: this member alone. Later: where the members of these names are now.",
	},
	"initial-cluster-token": {
		type: "string",
		default: "etcd-cluster",
		group: clustering,
		help: "Tells clusters with equal URLs apart; part of all ids. Without meaning once the member has begun.",
	},
	"initial-cluster-state": {
		type: "string",
		default: "new",
		choices: ["new", "existing"],
		group: clustering,
		help: "existing: refuse to begin with an empty data directory.",
	},
	"advertise-client-urls": {
		type: "list",
		default: ["http://localhost:2379"],
		group: clustering,
		help: "This member's client URLs, written to the ready line for others to use.",
	},
	"cert-file": { type: "string", default: "", group: security, help: "Certificate for clients (PEM)." },
	"key-file": { type: "string", default: "", group: security, help: "Its key." },
	"client-cert-auth": {
		type: "boolean",
		group: security,
		help: "Demand a certificate signed by --trusted-ca-file from every client.",
	},
	"trusted-ca-file": { type: "string", default: "", group: security, help: "Authority of clients' certificates." },
	"peer-cert-file": { type: "string", default: "", group: security, help: "Certificate for members, both ways." },
	"peer-key-file": { type: "string", default: "", group: security, help: "Its key." },
	"peer-client-cert-auth": {
		type: "boolean",
		group: security,
		help: "Demand a certificate signed by --peer-trusted-ca-file, for the host of its peer URL, from every member.",
	},
	"peer-trusted-ca-file": { type: "string", default: "", group: security, help: "Authority of members' certificates." },
	"listen-metrics-urls": {
		type: "list",
		default: [],
		group: logging,
		help: "Further URLs for health and metrics alone.",
	},
	"log-level": {
		type: "string",
		default: "info",
		choices: ["debug", "info", "warn", "error"],
		group: logging,
		help: "Least severe level logged.",
	},
	"log-format": {
		type: "string",
		default: "json",
		choices: ["json", "text"],
		group: logging,
		help: "One object a line, or text.",
	},
} as const satisfies FlagSpecs;

const command = {
	name: "barque store",
	summary: "Runs one member of the replicated store. Flags carry etcd's names and meaning.",
	flags,
	env: ["BARQUE_", "ETCD_"],
	examples: [
		"barque store --data-dir=/tmp/store",
		"barque store --name=a --initial-cluster=a=https://10.0.0.1:2380,b=https://10.0.0.2:2380,c=https://10.0.0.3:2380 \\",
		"  --initial-advertise-peer-urls=https://10.0.0.1:2380 --listen-peer-urls=https://10.0.0.1:2380 \\",
		"  --peer-cert-file=a.crt --peer-key-file=a.key --peer-client-cert-auth --peer-trusted-ca-file=peers.crt",
	],
} as const;

type Values = FlagValues<typeof flags>;

/** Runs until SIGTERM or SIGINT. Exit codes: 0 after a signal, 1 when it cannot start or must not go on, 2 for wrong flags. */
export async function runStore(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(command, argv);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	const logger = createLogger({ level: values["log-level"] as Level, format: values["log-format"] as "json" | "text" });
	try {
		return await serve(values, logger);
	} catch (error) {
		if (error instanceof StoppedError) {
			logger.info("stopped before it began", { signal: error.message });
			return 0;
		}
		const wrongFlags = error instanceof ClusterConfigError;
		const shortage = shortageOf(error);
		logger.error("cannot start", {
			error,
			...(shortage === undefined ? {} : { shortage: shortage.what, remedy: shortage.remedy }),
			...(error instanceof LogCorruptError ? { file: error.file, offset: error.offset } : {}),
			...(wrongFlags ? {} : { stack: (error as Error).stack }),
		});
		const why = shortage === undefined ? "" : ` (${shortage.what}; ${shortage.remedy})`;
		process.stderr.write(`Error: ${(error as Error).message}${why}\n`);
		return wrongFlags ? 2 : 1;
	}
}

async function serve(values: Values, logger: Logger): Promise<number> {
	const name = values.name;
	const dataDir = values["data-dir"] === "" ? `${name}.barque` : values["data-dir"];
	const cluster = await clusterOf(values, dataDir, logger);
	if (values["election-timeout"] < 5 * values["heartbeat-interval"]) {
		throw new ClusterConfigError(
			`--election-timeout[${values["election-timeout"]}ms] should be at least as 5 times as --heartbeat-interval[${values["heartbeat-interval"]}ms]`,
		);
	}
	const addresses = (flag: "listen-peer-urls" | "listen-client-urls" | "listen-metrics-urls") =>
		values[flag].map((url) => parseUrl(flag, url));
	for (const url of values["advertise-client-urls"]) parseUrl("advertise-client-urls", url);
	if (values["unsafe-no-fsync"]) logger.warn("the log is not synced: a power cut loses acknowledged writes");
	const signalled = onceSignal();
	let fatal: (error: Error) => void = () => {};
	const failed = new Promise<Error>((resolve) => {
		fatal = resolve;
	});
	const stopped = new AbortController();
	void signalled.then((signal) => stopped.abort(new StoppedError(signal)));
	const server = await StoreServer.start({
		dataDir,
		cluster,
		clusterState: values["initial-cluster-state"] as "new" | "existing",
		listenPeer: addresses("listen-peer-urls"),
		listenClient: addresses("listen-client-urls"),
		listenMetrics: addresses("listen-metrics-urls"),
		peerTls: await peerTls(values, logger),
		clientTls: await clientTls(values, logger),
		heartbeatMs: values["heartbeat-interval"],
		electionMs: values["election-timeout"],
		snapshotCount: values["snapshot-count"],
		catchUpEntries: 5000,
		maxRequestBytes: values["max-request-bytes"],
		maxTxnOps: values["max-txn-ops"],
		quotaBytes: values["quota-backend-bytes"],
		unsafeNoFsync: values["unsafe-no-fsync"],
		preVote: values["pre-vote"],
		progressEveryMs: values["watch-progress-notify-interval"],
		autoCompaction: autoCompaction(values),
		version: await packageVersion(),
		logger,
		signal: stopped.signal,
		onFatal: fatal,
	});
	// Whoever started us waits for this line.
	process.stdout.write(`barque store ${name} ready: clients at ${values["advertise-client-urls"].join(",")}\n`);
	// Listeners and links may all be unreferenced; waiting for a signal keeps the process.
	const alive = setInterval(() => {}, 1 << 30);
	const signal = await Promise.race([signalled, failed]);
	clearInterval(alive);
	if (signal instanceof Error) {
		// The data directory may be damaged or gone: nothing orderly is left to do, and nothing may keep the process.
		process.exit(1);
	}
	logger.info("stopping", { signal });
	await server.stop();
	return 0;
}

/** By the flags where the member begins; by its data directory afterwards, which `--initial-cluster` may only relocate. */
async function clusterOf(values: Values, dataDir: string, logger: Logger): Promise<InitialCluster> {
	const byFlags = () =>
		initialCluster({
			name: values.name,
			initialCluster:
				values["initial-cluster"] === ""
					? values["initial-advertise-peer-urls"].map((url) => `${values.name}=${url}`).join(",")
					: values["initial-cluster"],
			token: values["initial-cluster-token"],
			advertisePeerUrls: values["initial-advertise-peer-urls"],
		});
	const known = await knownMembership(dataDir);
	if (known === undefined) return byFlags();
	const { cluster, ignored } = relocated(known, values["initial-cluster"]);
	if (!isSameMember(known, byFlags)) {
		logger.warn("the member has begun before: who it is comes from its data directory, not from --initial-... flags", {
			name: cluster.self.name,
			member: cluster.self.id,
			cluster: cluster.id,
			peers: cluster.members.map((member) => `${member.name}=${member.peerUrls.join(",")}`).join(" "),
			...(ignored.length === 0 ? {} : { "ignored-names": ignored.join(",") }),
		});
	}
	return cluster;
}

/** Whether the flags say what the data directory does; also those that could not begin a member are ignored. */
function isSameMember(known: InitialCluster, byFlags: () => InitialCluster): boolean {
	try {
		const flags = byFlags();
		return flags.id === known.id && flags.self.id === known.self.id;
	} catch (error) {
		if (error instanceof ClusterConfigError) return false;
		throw error;
	}
}

/** Asked to stop before it began. */
class StoppedError extends Error {}

const stopSignals = ["SIGTERM", "SIGINT"] as const;

/** From now on; a second signal while we stop ends the process at once, as signals do. */
function onceSignal(): Promise<string> {
	return new Promise((resolve) => {
		const onSignal = (signal: string) => {
			for (const name of stopSignals) process.off(name, onSignal);
			resolve(signal);
		};
		for (const name of stopSignals) process.on(name, onSignal);
	});
}

function autoCompaction(values: Values): AutoCompaction | undefined {
	const mode = values["auto-compaction-mode"] as AutoCompaction["mode"];
	const text = values["auto-compaction-retention"];
	if (text === "0" || text === "") return undefined;
	if (/^\d+$/.test(text)) return { mode, retention: mode === "revision" ? Number(text) : Number(text) * 3_600_000 };
	const retention = mode === "periodic" ? parseDuration(text) : undefined;
	if (retention === undefined || retention <= 0) {
		throw new ClusterConfigError(
			`--auto-compaction-retention: ${JSON.stringify(text)} is not ${mode === "periodic" ? 'a duration such as "30m" or a number of hours' : "a number of revisions"}`,
		);
	}
	return { mode, retention };
}

async function pem(flag: string, path: string): Promise<string> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		throw new ClusterConfigError(`--${flag}: ${(error as Error).message}`);
	}
}

interface TlsFlags {
	readonly cert: string;
	readonly key: string;
	readonly ca: string | undefined;
	readonly latest: Latest<TlsTexts>;
}

/** The three files of one side; undefined when none is named. */
async function tlsFiles(prefix: "" | "peer-", values: Values, logger: Logger): Promise<TlsFlags | undefined> {
	const cert = values[`${prefix}cert-file`];
	const key = values[`${prefix}key-file`];
	const ca = values[`${prefix}trusted-ca-file`];
	const auth = values[`${prefix}client-cert-auth`];
	if ((cert === "") !== (key === ""))
		throw new ClusterConfigError(`--${prefix}cert-file and --${prefix}key-file go together`);
	if (auth && ca === "") throw new ClusterConfigError(`--${prefix}client-cert-auth needs --${prefix}trusted-ca-file`);
	if (cert === "") {
		const urls = [...values[`listen-${prefix === "" ? "client" : "peer"}-urls`]];
		const secure = urls.find((url) => url.startsWith("https:"));
		if (secure !== undefined)
			throw new ClusterConfigError(`${secure} needs --${prefix}cert-file and --${prefix}key-file`);
		return undefined;
	}
	const texts = {
		cert: await pem(`${prefix}cert-file`, cert),
		key: await pem(`${prefix}key-file`, key),
		ca: ca === "" ? undefined : await pem(`${prefix}trusted-ca-file`, ca),
	};
	try {
		const keep = (error: Error) => logger.warn("renewed certificate not taken up", { file: cert, error });
		return { ...texts, latest: latestTls({ cert, key, ca }, keep) };
	} catch (error) {
		throw new ClusterConfigError(`--${prefix}cert-file, --${prefix}key-file: ${(error as Error).message}`);
	}
}

async function peerTls(values: Values, logger: Logger): Promise<PeerTls | undefined> {
	const files = await tlsFiles("peer-", values, logger);
	return files === undefined ? undefined : { ...files, clientCertAuth: values["peer-client-cert-auth"] };
}

async function clientTls(values: Values, logger: Logger): Promise<ListenerTls | undefined> {
	const files = await tlsFiles("", values, logger);
	return files === undefined ? undefined : { ...files, clientCertAuth: values["client-cert-auth"] };
}

/** From package.json: two folders above this one in the sources, three in the built package, below its `dist`. */
async function packageVersion(): Promise<string> {
	for (const path of ["../../package.json", "../../../package.json"]) {
		try {
			return (JSON.parse(await readFile(new URL(path, import.meta.url), "utf8")) as { version: string }).version;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
	throw new Error("package.json not found beside the sources");
}
