/** Three members of a real etcd on loopback, from the machine's own package. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "../kills/store-processes.ts";
import { TargetError } from "../workloads/target.ts";
import { EtcdGateway } from "./etcd-gateway.ts";
import { type Members, rotated } from "./members.ts";
import type { ClusterOptions } from "./processes.ts";

const readyMs = 30_000;
const askMs = 1000;
const maxOutput = 64 * 1024;

class EtcdMember {
	readonly name: string;
	readonly clientUrl: string;
	readonly peerUrl: string;
	child: ChildProcess | undefined;
	/** The end of what the latest process printed. */
	output = "";

	constructor(name: string, clientUrl: string, peerUrl: string) {
		this.name = name;
		this.clientUrl = clientUrl;
		this.peerUrl = peerUrl;
	}

	spawn(program: string, args: readonly string[]): void {
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
		this.child = child;
		this.output = "";
		const keep = (chunk: Buffer) => {
			this.output = (this.output + chunk.toString("utf8")).slice(-maxOutput);
		};
		child.stdout.on("data", keep);
		child.stderr.on("data", keep);
		child.once("error", (error) => {
			this.output += error.message;
			this.child = undefined;
		});
	}

	get isRunning(): boolean {
		const { child } = this;
		return child !== undefined && child.exitCode === null && child.signalCode === null;
	}

	async kill(): Promise<void> {
		const { child } = this;
		if (child === undefined || !this.isRunning) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
	}

	gateway(requestTimeoutMs: number): EtcdGateway {
		return new EtcdGateway({ endpoints: [this.clientUrl], requestTimeoutMs });
	}
}

export interface EtcdOptions extends ClusterOptions {
	/** The program: a path, or a name on PATH. */
	readonly program: string;
}

export async function startEtcdMembers(options: EtcdOptions): Promise<Members> {
	const ports = await freePorts(options.size * 2);
	const url = (port: number | undefined) => `http://127.0.0.1:${port}`;
	const members = Array.from(
		{ length: options.size },
		(_, i) => new EtcdMember(`m${i + 1}`, url(ports[2 * i]), url(ports[2 * i + 1])),
	);
	const directory = await mkdtemp(path.join(tmpdir(), "barque-etcd-"));
	const cluster = members.map((member) => `${member.name}=${member.peerUrl}`).join(",");
	const member = (name: string) => members.find((each) => each.name === name)!;
	const launch = (each: EtcdMember) =>
		each.spawn(options.program, [
			`--name=${each.name}`,
			`--data-dir=${path.join(directory, each.name)}`,
			`--listen-client-urls=${each.clientUrl}`,
			`--advertise-client-urls=${each.clientUrl}`,
			`--listen-peer-urls=${each.peerUrl}`,
			`--initial-advertise-peer-urls=${each.peerUrl}`,
			`--initial-cluster=${cluster}`,
			"--snapshot-count=500",
		]);
	const close = async () => {
		await Promise.all(members.map((each) => each.kill()));
		await rm(directory, { recursive: true, force: true });
	};
	let version: string;
	try {
		for (const each of members) launch(each);
		version = (await Promise.all(members.map(whenReady)))[0] ?? "";
	} catch (error) {
		await close();
		throw error;
	}
	return {
		description: `${options.size} members of etcd ${version}`,
		names: members.map((each) => each.name),
		kill: (name) => member(name).kill(),
		start: async (name) => {
			launch(member(name));
			await whenReady(member(name));
		},
		pause: (name) => void member(name).child?.kill("SIGSTOP"),
		resume: (name) => void member(name).child?.kill("SIGCONT"),
		leader: () => findLeader(members),
		connect: (index) => {
			const { requestTimeoutMs, serializableReads } = options;
			const endpoints = rotated(
				members.map((each) => each.clientUrl),
				index,
			);
			return new EtcdGateway({ endpoints, requestTimeoutMs, serializableReads });
		},
		close,
	};
}

/** Resolves to etcd's version once the member answers. */
async function whenReady(member: EtcdMember): Promise<string> {
	const deadline = performance.now() + readyMs;
	const gateway = member.gateway(askMs);
	for (;;) {
		if (!member.isRunning) throw new Error(`etcd ${member.name} ended:\n${member.output}`);
		try {
			const { version } = await gateway.status();
			return version;
		} catch (error) {
			if (!(error instanceof TargetError)) throw error;
			if (performance.now() > deadline) throw new Error(`etcd ${member.name} is not ready:\n${member.output}`);
		}
		await delay(100);
	}
}

async function findLeader(members: readonly EtcdMember[]): Promise<string | undefined> {
	const statuses = await Promise.all(
		members.map(async ({ name, clientUrl }) => {
			const gateway = new EtcdGateway({ endpoints: [clientUrl], requestTimeoutMs: askMs });
			try {
				return { name, ...(await gateway.status()) };
			} catch (error) {
				if (error instanceof TargetError) return undefined;
				throw error;
			}
		}),
	);
	return statuses.find((status) => status !== undefined && status.member === status.leader)?.name;
}
