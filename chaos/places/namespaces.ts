/**
 * Network namespaces joined by a bridge in one of their own, with a leg for this machine. None has a name: each is held by a
 * process that ends with its standard input, so the kernel takes them all away when we end, even by SIGKILL.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { type Command, MissingToolError } from "./place.ts";
import { runTool, type Tools, toolEnvironment } from "./tools.ts";

export const namespaceTools: Tools = { ip: "iproute2", unshare: "util-linux", nsenter: "util-linux" };

/** Frames between namespaces are not for the machine's own packet filters, which the kernel would ask by default. */
const holderScript = `
for filter in /proc/sys/net/bridge/bridge-nf-call-*tables; do
	[ -w "$filter" ] && echo 0 > "$filter"
done 2> /dev/null
echo ready
exec cat`;

export class Namespace {
	readonly pid: number;
	readonly #holder: ChildProcess;

	/** Throws MissingToolError where the kernel refuses it. */
	static async open(): Promise<Namespace> {
		// In a session of its own: Ctrl-C is for us, and the namespace stays until we have cleaned up.
		const options = { stdio: "pipe", detached: true, env: toolEnvironment() } as const;
		const holder = spawn("unshare", ["--net", "sh", "-c", holderScript], options);
		let complaint = "";
		holder.stderr.on("data", (chunk: Buffer) => {
			complaint += chunk.toString("utf8");
		});
		holder.stdin.on("error", () => {});
		const ended = once(holder, "close").then(() => false);
		const isReady = await Promise.race([once(holder.stdout, "data").then(() => true), ended]);
		if (!isReady) throw new MissingToolError(`cannot make a network namespace: ${complaint.trim()}`);
		return new Namespace(holder);
	}

	private constructor(holder: ChildProcess) {
		this.#holder = holder;
		this.pid = holder.pid!;
	}

	/** What runs this command in here and becomes it, under the same process id; mounts and all else are the machine's. */
	enter({ program, args }: Command): Command {
		return { program: "nsenter", args: [`--net=/proc/${this.pid}/ns/net`, "--", program, ...args] };
	}

	/** Nobody needs to be in it any more. */
	async close(): Promise<void> {
		if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
		const gone = once(this.#holder, "exit");
		this.#holder.stdin?.end();
		await gone;
	}
}

/** `a.b.c.0/24`. */
interface Subnet {
	readonly prefix: string;
}

/** The namespaces of members and the bridge between them. */
export class Fabric {
	readonly namespaces: readonly Namespace[];
	/** Of each namespace, in their order. */
	readonly addresses: readonly string[];
	readonly #bridge: Namespace;
	readonly #hostLink: string;

	/** Leaves nothing behind when it fails. */
	static async create(size: number): Promise<Fabric> {
		const opened = await Promise.allSettled(Array.from({ length: size + 1 }, () => Namespace.open()));
		const namespaces = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
		const hostLink = `barque${randomBytes(4).toString("hex")}`;
		try {
			for (const each of opened) if (each.status === "rejected") throw each.reason;
			const [bridge, ...members] = namespaces as [Namespace, ...Namespace[]];
			await plugIn(bridge, members, hostLink);
			const subnet = await joinSubnet(hostLink);
			const addresses = members.map((_, i) => `${subnet.prefix}.${i + 1}`);
			await Promise.all(
				members.map((member, i) =>
					configure(member, ["link set lo up", `addr add ${addresses[i]}/24 dev eth0`, "link set eth0 up"]),
				),
			);
			return new Fabric(bridge, members, addresses, hostLink);
		} catch (error) {
			await remove(namespaces, hostLink);
			throw error;
		}
	}

	private constructor(
		bridge: Namespace,
		namespaces: readonly Namespace[],
		addresses: readonly string[],
		hostLink: string,
	) {
		this.#bridge = bridge;
		this.namespaces = namespaces;
		this.addresses = addresses;
		this.#hostLink = hostLink;
	}

	/** To be called when nothing runs in it any more. */
	close(): Promise<void> {
		return remove([this.#bridge, ...this.namespaces], this.#hostLink);
	}
}

/** Runs `ip` with these commands in a namespace, or on the machine itself. */
async function configure(where: Namespace | undefined, commands: readonly string[]): Promise<void> {
	const batch = { program: "ip", args: ["-batch", "-"] };
	await runTool(where === undefined ? batch : where.enter(batch), `${commands.join("\n")}\n`);
}

/** A cable from the machine and from each member to the bridge. */
async function plugIn(bridge: Namespace, members: readonly Namespace[], hostLink: string): Promise<void> {
	const ports = members.map((_, i) => `member${i + 1}`);
	await configure(undefined, [
		`link add ${hostLink} type veth peer name host netns ${bridge.pid}`,
		...members.map(({ pid }, i) => `link add eth0 netns ${pid} type veth peer name ${ports[i]} netns ${bridge.pid}`),
		`link set ${hostLink} up`,
	]);
	await configure(bridge, [
		"link set lo up",
		"link add bridge type bridge",
		"link set bridge up",
		...["host", ...ports].flatMap((port) => [`link set ${port} master bridge`, `link set ${port} up`]),
	]);
}

async function remove(namespaces: readonly Namespace[], hostLink: string): Promise<void> {
	// It would go with the bridge's namespace, but some time later.
	const removal = runTool({ program: "ip", args: ["link", "delete", hostLink] }).catch((error: Error) => {
		if (!/Cannot find device/.test(error.message)) throw error;
	});
	const results = await Promise.allSettled([removal, ...namespaces.map((each) => each.close())]);
	for (const result of results) if (result.status === "rejected") throw result.reason;
}

/**
 * Where addresses come from: 198.18.0.0/15 is set aside for tests of network devices (RFC 2544), so that hardly any network
 * uses it; then a private one.
 */
const pools = [
	{ prefixes: ["198.18", "198.19"], attempts: 8 },
	{ prefixes: ["172.31"], attempts: 8 },
];

/** Gives the machine's leg an address in a /24 that nothing else here uses. */
async function joinSubnet(hostLink: string): Promise<Subnet> {
	for (const { prefixes, attempts } of pools) {
		for (let attempt = 0; attempt < attempts; attempt++) {
			const prefix = `${prefixes[randomInt(prefixes.length)]}.${randomInt(256)}`;
			if (overlaps(prefix, await routes())) continue;
			const address = `${prefix}.254/24 dev ${hostLink}`;
			await configure(undefined, [`addr add ${address}`]);
			// Another run may have drawn the same one at the same time.
			const others = (await routes()).filter(({ device }) => device !== hostLink);
			if (!overlaps(prefix, others)) return { prefix };
			await configure(undefined, [`addr delete ${address}`]);
		}
	}
	throw new Error("found no subnet that is not in use on this machine, in 198.18.0.0/15 and 172.31.0.0/16");
}

interface Route {
	/** First address, and how many bits of it count. */
	readonly base: number;
	readonly bits: number;
	readonly device: string;
}

async function routes(): Promise<Route[]> {
	const text = await runTool({ program: "ip", args: ["-json", "-4", "route", "show", "table", "all"] });
	const list = JSON.parse(text === "" ? "[]" : text) as { dst: string; dev?: string }[];
	return list
		.filter(({ dst }) => dst !== "default")
		.map(({ dst, dev = "" }) => {
			const [address = "", bits = "32"] = dst.split("/");
			return { base: numberOf(address), bits: Number(bits), device: dev };
		});
}

/** Routes of half the world are a default by another name, and ours is more specific. */
const defaultBits = 4;

function overlaps(prefix: string, others: readonly Route[]): boolean {
	const mine = numberOf(`${prefix}.0`);
	return others.some(({ base, bits }) => {
		if (bits < defaultBits) return false;
		const size = 2 ** (32 - Math.min(bits, 24));
		return Math.floor(mine / size) === Math.floor(base / size);
	});
}

function numberOf(address: string): number {
	return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}
