/** The initial cluster as etcd's flags describe it, and the ids computed from it: equal flags give equal ids everywhere. */
import { createHash } from "node:crypto";

export interface ClusterMember {
	readonly id: bigint;
	readonly name: string;
	readonly peerUrls: readonly string[];
}

export interface InitialCluster {
	readonly id: bigint;
	readonly members: readonly ClusterMember[];
	readonly self: ClusterMember;
}

/** How a member is called in texts for people. */
export function memberNames({ members }: InitialCluster): (id: bigint) => string {
	return (id) => {
		const name = members.find((member) => member.id === id)?.name;
		return name === undefined ? `member ${id.toString(16)}` : `member ${name} (${id.toString(16)})`;
	};
}

/** What is wrong with the flags, naming them. */
export class ClusterConfigError extends Error {
	override name = "ClusterConfigError";
}

export interface Address {
	readonly host: string;
	readonly port: number;
	readonly tls: boolean;
}

/** `http(s)://HOST:PORT`, nothing more. Throws ClusterConfigError naming `flag`. */
export function parseUrl(flag: string, text: string): Address {
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		throw new ClusterConfigError(`--${flag}: ${JSON.stringify(text)} is not a URL of the form http(s)://HOST:PORT`);
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new ClusterConfigError(`--${flag}: ${JSON.stringify(text)}: scheme must be http or https`);
	}
	const port = /^[a-z]+:\/\/[^/]*:(\d+)(?:\/|$)/i.exec(text)?.[1];
	if (port === undefined) throw new ClusterConfigError(`--${flag}: ${JSON.stringify(text)}: a port must be given`);
	if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
		throw new ClusterConfigError(`--${flag}: ${JSON.stringify(text)}: a path is not allowed`);
	}
	return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(port), tls: url.protocol === "https:" };
}

/** First 8 bytes of a SHA-1, as etcd derives its ids; never 0n. */
function hashId(data: Buffer): bigint {
	const id = createHash("sha1").update(data).digest().readBigUInt64BE(0);
	return id === 0n ? 1n : id;
}

function memberId(peerUrls: readonly string[], token: string): bigint {
	return hashId(Buffer.from([...peerUrls].sort().join("") + token));
}

/** `name=url` pairs, a name with several URLs repeated (etcd's `--initial-cluster`). */
export function parseInitialCluster(text: string): Map<string, string[]> {
	const urls = new Map<string, string[]>();
	for (const pair of text.split(",").filter((part) => part.trim() !== "")) {
		const at = pair.indexOf("=");
		if (at <= 0) throw new ClusterConfigError(`--initial-cluster: ${JSON.stringify(pair)} is not of the form NAME=URL`);
		const name = pair.slice(0, at).trim();
		const url = pair.slice(at + 1).trim();
		parseUrl("initial-cluster", url);
		urls.set(name, [...(urls.get(name) ?? []), url]);
	}
	return urls;
}

export function initialCluster(options: {
	readonly name: string;
	readonly initialCluster: string;
	readonly token: string;
	readonly advertisePeerUrls: readonly string[];
}): InitialCluster {
	const urls = parseInitialCluster(options.initialCluster);
	const members = [...urls]
		.map(([name, peerUrls]) => ({ name, peerUrls, id: memberId(peerUrls, options.token) }))
		.sort((a, b) => (a.id < b.id ? -1 : 1));
	const self = members.find((member) => member.name === options.name);
	if (self === undefined) {
		throw new ClusterConfigError(
			`--initial-cluster: couldn't find local name ${JSON.stringify(options.name)} in ${JSON.stringify(options.initialCluster)}`,
		);
	}
	const same = [...self.peerUrls].sort().join(",") === [...options.advertisePeerUrls].sort().join(",");
	if (!same) {
		throw new ClusterConfigError(
			`--initial-cluster has ${self.name}=${self.peerUrls.join(",")} but --initial-advertise-peer-urls is ${options.advertisePeerUrls.join(",")}`,
		);
	}
	for (const [i, member] of members.entries()) {
		if (member.id === members[i + 1]?.id) {
			throw new ClusterConfigError(
				`--initial-cluster: ${member.name} and ${members[i + 1]?.name} have the same peer URLs`,
			);
		}
	}
	const ids = Buffer.alloc(8 * members.length);
	for (const [i, member] of members.entries()) ids.writeBigUInt64BE(member.id, 8 * i);
	return { id: hashId(ids), members, self };
}
