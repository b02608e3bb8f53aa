/** Reads a kubeconfig file (kubectl's format): one context's server, trust and credentials. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";

/** What is wrong with a kubeconfig, naming the file and the field. */
export class KubeconfigError extends Error {
	override name = "KubeconfigError";
}

/** Everything needed to speak to one API server as one user. */
export interface ClusterAccess {
	/** `https://host:port[/path]`. */
	readonly server: string;
	/** PEM. */
	readonly ca?: Buffer | undefined;
	/** PEM. */
	readonly cert?: Buffer | undefined;
	/** PEM. */
	readonly key?: Buffer | undefined;
	readonly token?: string | undefined;
	/** Read again when it changes; wins over `token`. */
	readonly tokenFile?: string | undefined;
	readonly insecureSkipTlsVerify?: boolean | undefined;
	readonly tlsServerName?: string | undefined;
	/** The context's default namespace. */
	readonly namespace?: string | undefined;
	/** The files all this was read from, each of which may be replaced by a renewed one. */
	readonly files?: readonly string[] | undefined;
}

type Entry = Record<string, unknown>;

function asEntry(value: unknown, file: string, field: string): Entry {
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		throw new KubeconfigError(`${file}: ${field}: must be an object`);
	}
	return value as Entry;
}

function text(entry: Entry, field: string, file: string, path: string): string | undefined {
	const value = entry[field];
	if (value === undefined || value === null || value === "") return undefined;
	if (typeof value !== "string") throw new KubeconfigError(`${file}: ${path}.${field}: must be a string`);
	return value;
}

function named(config: Entry, list: string, inner: string, name: string, file: string): Entry {
	const entries = config[list];
	if (!Array.isArray(entries)) throw new KubeconfigError(`${file}: ${list}: must be a list`);
	for (const [i, item] of entries.entries()) {
		const entry = asEntry(item, file, `${list}[${i}]`);
		if (entry["name"] === name) return asEntry(entry[inner] ?? {}, file, `${list}[${i}].${inner}`);
	}
	throw new KubeconfigError(`${file}: ${list}: no entry named ${JSON.stringify(name)}`);
}

const besides = (file: string, at: string) => (isAbsolute(at) ? at : join(dirname(file), at));

/** The files that the fields name where they have no data of their own. */
function filesOf(entry: Entry, fields: readonly string[], file: string, path: string): string[] {
	return fields.flatMap((field) => {
		const at = text(entry, field, file, path);
		return at === undefined || text(entry, `${field}-data`, file, path) !== undefined ? [] : [besides(file, at)];
	});
}

/** `<field>-data` (base64) or the file `<field>` names, relative to the kubeconfig. */
function material(entry: Entry, field: string, file: string, path: string): Buffer | undefined {
	const data = text(entry, `${field}-data`, file, path);
	if (data !== undefined) return Buffer.from(data, "base64");
	const at = text(entry, field, file, path);
	if (at === undefined) return undefined;
	const whole = besides(file, at);
	try {
		return readFileSync(whole);
	} catch (error) {
		throw new KubeconfigError(`${file}: ${path}.${field}: cannot read ${whole}: ${(error as Error).message}`);
	}
}

/** Reads `file` and resolves one context (by default `current-context`). Throws KubeconfigError. */
export function loadKubeconfig(file: string, context?: string): ClusterAccess {
	let source: string;
	try {
		source = readFileSync(file, "utf8");
	} catch (error) {
		throw new KubeconfigError(`cannot read kubeconfig ${file}: ${(error as Error).message}`);
	}
	return parseKubeconfig(source, file, context);
}

/** As `loadKubeconfig`, from text; `file` names it in errors and anchors relative paths. */
export function parseKubeconfig(source: string, file: string, context?: string): ClusterAccess {
	let document: unknown;
	try {
		document = parse(source);
	} catch (error) {
		throw new KubeconfigError(`${file}: not valid YAML: ${(error as Error).message}`);
	}
	const config = asEntry(document, file, "kubeconfig");
	const contextName = context ?? text(config, "current-context", file, "kubeconfig");
	if (contextName === undefined) throw new KubeconfigError(`${file}: current-context: must be set`);
	const ctx = named(config, "contexts", "context", contextName, file);
	const at = `contexts[${contextName}].context`;
	const clusterName = text(ctx, "cluster", file, at);
	if (clusterName === undefined) throw new KubeconfigError(`${file}: ${at}.cluster: must be set`);
	const cluster = named(config, "clusters", "cluster", clusterName, file);
	const clusterAt = `clusters[${clusterName}].cluster`;
	const server = text(cluster, "server", file, clusterAt);
	if (server === undefined) throw new KubeconfigError(`${file}: ${clusterAt}.server: must be set`);
	const userName = text(ctx, "user", file, at);
	const user = userName === undefined ? {} : named(config, "users", "user", userName, file);
	const userAt = `users[${userName ?? ""}].user`;
	for (const plugin of ["exec", "auth-provider"]) {
		if (user[plugin] !== undefined && user[plugin] !== null) {
			throw new KubeconfigError(`${file}: ${userAt}.${plugin}: credential plugins cannot be used here`);
		}
	}
	const tokenFile = text(user, "tokenFile", file, userAt);
	return {
		server,
		ca: material(cluster, "certificate-authority", file, clusterAt),
		insecureSkipTlsVerify: cluster["insecure-skip-tls-verify"] === true,
		tlsServerName: text(cluster, "tls-server-name", file, clusterAt),
		cert: material(user, "client-certificate", file, userAt),
		key: material(user, "client-key", file, userAt),
		token: text(user, "token", file, userAt),
		tokenFile: tokenFile === undefined ? undefined : besides(file, tokenFile),
		namespace: text(ctx, "namespace", file, at),
		files: [
			file,
			...filesOf(cluster, ["certificate-authority"], file, clusterAt),
			...filesOf(user, ["client-certificate", "client-key"], file, userAt),
		],
	};
}
