/** `barque apiserver`: one replica of the API, with kube-apiserver's flag names. */

import { readFile } from "node:fs/promises";
import { systemClock } from "../kit/clock.ts";
import { type FlagValues, parseCommand } from "../kit/flags.ts";
import { createLogger, type Level, type Logger } from "../kit/log.ts";
import { latestTls, type TlsFiles } from "../kit/renewed.ts";
import { trimOf } from "../kit/trim.ts";
import { connectStore } from "../store/client/client.ts";
import { readAdmissionConfiguration } from "./admission/configuration.ts";
import { type ApiserverOptions, defaults } from "./options.ts";
import { parseCidr } from "./registry/allocators/cidr.ts";
import { startApiserver } from "./server.ts";
import { servingFiles } from "./serving-certificate.ts";

const spec = {
	name: "barque apiserver",
	summary: "Serves the Kubernetes API over the replicated store. Any number of replicas may run at the same time.",
	flags: {
		"etcd-servers": {
			type: "list",
			help: "Client URLs of the store's members, near ones first.",
			group: "Store",
		},
		"etcd-cafile": { type: "string", help: "File with the authorities of the store's certificates.", group: "Store" },
		"etcd-certfile": { type: "string", help: "Client certificate for the store.", group: "Store" },
		"etcd-keyfile": { type: "string", help: "Key of --etcd-certfile.", group: "Store" },
		"etcd-prefix": {
			type: "string",
			default: defaults.etcdPrefix,
			help: "Prefix of all keys in the store.",
			group: "Store",
		},
		"etcd-compaction-interval": {
			type: "duration",
			default: defaults.compactionIntervalMs,
			help: "How often the store's history is compacted, to where it was one interval before. 0 turns it off.",
			group: "Store",
		},
		"event-ttl": {
			type: "duration",
			default: defaults.eventTtlSeconds * 1000,
			help: "How long events are kept.",
			group: "Store",
		},
		"bind-address": { type: "string", default: "0.0.0.0", help: "Address to listen on.", group: "Serving" },
		"secure-port": {
			type: "integer",
			default: 6443,
			min: 0,
			max: 65_535,
			help: "Port to listen on; 0 takes a free one.",
			group: "Serving",
		},
		"advertise-address": {
			type: "string",
			help: "Address told to the cluster as this server's; by default --bind-address.",
			group: "Serving",
		},
		"tls-cert-file": { type: "string", help: "Serving certificate (PEM).", group: "Serving" },
		"tls-private-key-file": { type: "string", help: "Key of --tls-cert-file.", group: "Serving" },
		"cert-dir": {
			type: "string",
			default: defaults.certDir,
			help: "Directory of apiserver.crt and apiserver.key, which are made (self-signed) and kept there when absent.\nNot looked at when --tls-cert-file and --tls-private-key-file are given.",
			group: "Serving",
		},
		"max-requests-inflight": {
			type: "integer",
			default: defaults.maxRequestsInflight,
			min: 0,
			help: "Reading requests served at the same time; 0 sets no limit.",
			group: "Serving",
		},
		"max-mutating-requests-inflight": {
			type: "integer",
			default: defaults.maxMutatingRequestsInflight,
			min: 0,
			help: "Writing requests served at the same time; 0 sets no limit.",
			group: "Serving",
		},
		"request-timeout": {
			type: "duration",
			default: defaults.requestTimeoutMs,
			help: "Time limit of a request; watches and logs excluded.",
			group: "Serving",
		},
		"min-request-timeout": {
			type: "integer",
			default: defaults.minRequestTimeoutSeconds,
			min: 1,
			help: "Seconds a watch lasts at least, and twice that at most, unless it asks for a time of its own.",
			group: "Serving",
		},
		"shutdown-delay-duration": {
			type: "duration",
			default: 0,
			help: "Time between not being ready any more and refusing connections, for balancers to notice.",
			group: "Serving",
		},
		"client-ca-file": { type: "string", help: "Authorities of client certificates (PEM).", group: "Authentication" },
		"token-auth-file": {
			type: "string",
			help: 'File with bearer tokens, a line each: token,user,uid,"group1,group2".',
			group: "Authentication",
		},
		"anonymous-auth": {
			type: "boolean",
			default: true,
			help: "Requests without credentials are system:anonymous instead of refused; never with AlwaysAllow.",
			group: "Authentication",
		},
		"service-account-issuer": {
			type: "list",
			help: `Issuers of service account tokens; the first one issues. (default ${defaults.serviceAccountIssuer})`,
			group: "Authentication",
		},
		"service-account-key-file": {
			type: "list",
			help: "Files with keys that may have signed service account tokens (PEM).",
			group: "Authentication",
		},
		"service-account-signing-key-file": {
			type: "string",
			help: "Private key that signs service account tokens (PEM).",
			group: "Authentication",
		},
		"service-account-max-token-expiration": {
			type: "duration",
			default: 0,
			help: "Longest validity of a token; 0 sets no limit.",
			group: "Authentication",
		},
		"api-audiences": {
			type: "list",
			help: "Audiences of this API's tokens; by default the issuers.",
			group: "Authentication",
		},
		"authorization-mode": {
			type: "list",
			default: defaults.authorizationModes,
			choices: ["Node", "RBAC", "AlwaysAllow", "AlwaysDeny"],
			help: "Who decides what is allowed, in order.",
			group: "Authorization and admission",
		},
		"enable-admission-plugins": {
			type: "list",
			help: "Admission plugins beside the default ones.",
			group: "Authorization and admission",
		},
		"disable-admission-plugins": {
			type: "list",
			help: "Admission plugins that do not run, also default ones.",
			group: "Authorization and admission",
		},
		"admission-control-config-file": {
			type: "string",
			help: "File with the configurations of admission plugins (an AdmissionConfiguration).",
			group: "Authorization and admission",
		},
		"default-not-ready-toleration-seconds": {
			type: "integer",
			default: defaults.tolerationSeconds,
			min: 0,
			help: "How long pods stay on a node that is not ready, unless they say otherwise.",
			group: "Authorization and admission",
		},
		"default-unreachable-toleration-seconds": {
			type: "integer",
			default: defaults.tolerationSeconds,
			min: 0,
			help: "How long pods stay on a node that cannot be reached, unless they say otherwise.",
			group: "Authorization and admission",
		},
		"allow-privileged": {
			type: "boolean",
			default: defaults.allowPrivileged,
			help: "Containers may run privileged; otherwise pods and templates that ask for it are refused.",
			group: "Cluster",
		},
		"service-cluster-ip-range": {
			type: "string",
			default: defaults.serviceClusterIpRange,
			help: "IPv4 range of the services' cluster addresses.",
			group: "Cluster",
		},
		"service-node-port-range": {
			type: "string",
			default: defaults.serviceNodePortRange,
			help: "Range of the services' node ports.",
			group: "Cluster",
		},
		"kubelet-certificate-authority": {
			type: "string",
			help: "Authorities of kubelets' serving certificates (PEM); without it they are not verified.",
			group: "Cluster",
		},
		"kubelet-client-certificate": { type: "string", help: "Client certificate for kubelets (PEM).", group: "Cluster" },
		"kubelet-client-key": { type: "string", help: "Key of --kubelet-client-certificate.", group: "Cluster" },
		"log-level": {
			type: "string",
			default: "info",
			choices: ["debug", "info", "warn", "error"],
			help: "Least severe lines that are logged.",
			group: "Logging",
		},
	},
	examples: [
		"barque apiserver --etcd-servers=https://127.0.0.1:2379 --etcd-cafile=ca.crt --etcd-certfile=client.crt \\",
		"  --etcd-keyfile=client.key --tls-cert-file=api.crt --tls-private-key-file=api.key --client-ca-file=cluster-ca.crt",
	],
} as const;

type Values = FlagValues<typeof spec.flags>;

/** The file's text; its name is in the error. */
async function read(flag: string, file: string): Promise<string> {
	try {
		return await readFile(file, "utf8");
	} catch (error) {
		throw new Error(`--${flag}: ${(error as Error).message}`);
	}
}

async function readOptional(flag: keyof Values & string, values: Values): Promise<string | undefined> {
	const file = values[flag];
	return typeof file === "string" && file !== "" ? read(flag, file) : undefined;
}

async function readKeys(values: Values) {
	const keys = await Promise.all(
		values["service-account-key-file"].map(async (name) => ({
			pem: await read("service-account-key-file", name),
			name,
		})),
	);
	const signing = await readOptional("service-account-signing-key-file", values);
	return {
		serviceAccountKeys: keys,
		serviceAccountSigningKey:
			signing === undefined ? undefined : { pem: signing, name: values["service-account-signing-key-file"] as string },
	};
}

async function readConfigurations(file: string | undefined) {
	if (file === undefined || file === "") return undefined;
	return readAdmissionConfiguration(file, (name) => read("admission-control-config-file", name));
}

/** --cert-dir's files stand in for the two flags, where those are not given. */
async function withServingFiles(values: Values): Promise<Values> {
	const certFile = values["tls-cert-file"] ?? "";
	const keyFile = values["tls-private-key-file"] ?? "";
	if ((certFile === "") !== (keyFile === "")) {
		throw new Error("--tls-cert-file and --tls-private-key-file must be given together");
	}
	if (certFile !== "") return values;
	if (values["cert-dir"] === "") throw new Error("--cert-dir or --tls-cert-file must be specified");
	const addresses = [values["advertise-address"] ?? "", values["bind-address"]];
	const made = await servingFiles(values["cert-dir"], [
		...addresses.filter((address) => !["", "0.0.0.0", "::"].includes(address)),
		"localhost",
		"127.0.0.1",
		"kubernetes.default.svc",
		"kubernetes.default",
		"kubernetes",
		parseCidr(values["service-cluster-ip-range"]).address(0),
	]);
	return { ...values, "tls-cert-file": made.cert, "tls-private-key-file": made.key };
}

/** The texts of the files that these flags name, and of those that take their place. */
function latestOf(flags: Readonly<Record<keyof TlsFiles, keyof Values & string>>, values: Values, log: Logger) {
	const files = Object.fromEntries(Object.entries(flags).map(([part, flag]) => [part, values[flag]])) as TlsFiles;
	try {
		return latestTls(files, (error) => log.warn("renewed certificate not taken up", { file: files.cert, error }));
	} catch (error) {
		throw new Error(`--${flags.cert}, --${flags.key}: ${(error as Error).message}`);
	}
}

async function readOptions(given: Values, log: Logger): Promise<Omit<ApiserverOptions, "store">> {
	const values = await withServingFiles(given);
	const tokens = await readOptional("token-auth-file", values);
	const issuers = values["service-account-issuer"];
	const audiences = values["api-audiences"];
	return {
		bindAddress: values["bind-address"],
		securePort: values["secure-port"],
		advertiseAddress: values["advertise-address"],
		tlsCert: await read("tls-cert-file", values["tls-cert-file"] as string),
		tlsKey: await read("tls-private-key-file", values["tls-private-key-file"] as string),
		clientCa: await readOptional("client-ca-file", values),
		latestTls: latestOf({ cert: "tls-cert-file", key: "tls-private-key-file", ca: "client-ca-file" }, values, log),
		tokenFile: tokens === undefined ? undefined : { text: tokens, name: values["token-auth-file"] as string },
		...(await readKeys(values)),
		serviceAccountIssuers: issuers.length === 0 ? undefined : issuers,
		serviceAccountMaxTokenExpirationSeconds: values["service-account-max-token-expiration"] / 1000,
		apiAudiences: audiences.length === 0 ? undefined : audiences,
		etcdPrefix: `/${trimOf(values["etcd-prefix"], "/")}`,
		serviceClusterIpRange: values["service-cluster-ip-range"],
		serviceNodePortRange: values["service-node-port-range"],
		authorizationModes: values["authorization-mode"],
		anonymousAuth: values["anonymous-auth"],
		enableAdmissionPlugins: values["enable-admission-plugins"],
		disableAdmissionPlugins: values["disable-admission-plugins"],
		admissionConfigurations: await readConfigurations(values["admission-control-config-file"]),
		allowPrivileged: values["allow-privileged"],
		kubeletTls: {
			ca: await readOptional("kubelet-certificate-authority", values),
			cert: await readOptional("kubelet-client-certificate", values),
			key: await readOptional("kubelet-client-key", values),
			latest: latestOf(
				{ cert: "kubelet-client-certificate", key: "kubelet-client-key", ca: "kubelet-certificate-authority" },
				values,
				log,
			),
		},
		maxRequestsInflight: values["max-requests-inflight"],
		maxMutatingRequestsInflight: values["max-mutating-requests-inflight"],
		requestTimeoutMs: values["request-timeout"],
		minRequestTimeoutSeconds: values["min-request-timeout"],
		eventTtlSeconds: Math.ceil(values["event-ttl"] / 1000),
		defaultNotReadyTolerationSeconds: values["default-not-ready-toleration-seconds"],
		defaultUnreachableTolerationSeconds: values["default-unreachable-toleration-seconds"],
		shutdownDelayMs: values["shutdown-delay-duration"],
		compactionIntervalMs: values["etcd-compaction-interval"],
	};
}

/** Runs until SIGTERM or SIGINT. Gives the exit code: 0, 1 when it cannot start, 2 for a wrong command line. */
export async function runApiserver(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(spec, argv);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	const fail = (code: number, message: string) => {
		process.stderr.write(`barque apiserver: ${message}\n`);
		return code;
	};
	if (values["etcd-servers"].length === 0) return fail(2, "--etcd-servers must be specified");
	const log = createLogger({ level: values["log-level"] as Level });
	const stopped = new Promise<string>((resolve) => {
		for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
	});
	try {
		const options = await readOptions(values, log);
		for (const url of values["etcd-servers"].filter((each) => each.startsWith("http://"))) {
			log.warn("--etcd-servers: plain HTTP, so whoever comes between reads and changes everything", { url });
		}
		const store = connectStore({
			endpoints: values["etcd-servers"],
			tls: {
				ca: await readOptional("etcd-cafile", values),
				cert: await readOptional("etcd-certfile", values),
				key: await readOptional("etcd-keyfile", values),
				latest: latestOf({ cert: "etcd-certfile", key: "etcd-keyfile", ca: "etcd-cafile" }, values, log),
			},
			clock: systemClock,
			logger: log,
		});
		const server = await startApiserver({ ...options, store, log });
		log.info("serving", { url: server.url });
		log.info("stopping", { signal: await stopped });
		await server.close();
		await store.close();
		return 0;
	} catch (error) {
		return fail(1, (error as Error).message);
	}
}
