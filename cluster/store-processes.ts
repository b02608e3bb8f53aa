/** Members of the store as real processes on loopback, to be killed and damaged. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { StoreClient } from "../store/api.ts";
import { connectStore } from "../store/client/client.ts";
import type { ClientTls } from "../store/client/connector.ts";
import { launcher } from "./launcher.ts";
import { claimFreePorts, releasePorts } from "./ports.ts";

interface Member {
	readonly name: string;
	readonly clientUrl: string;
	readonly peerUrl: string;
	child: ChildProcess | undefined;
	/** Everything the latest process printed. */
	output: string;
}

export interface StoreTls {
	/** The flags of the member of that name. */
	readonly flags: (name: string) => readonly string[];
	readonly client: ClientTls;
}

const readyMs = 30_000;

export class StoreProcesses {
	readonly directory: string;
	readonly #members: readonly Member[];
	readonly #args: readonly string[];
	readonly #tls: StoreTls | undefined;
	/** Limit of open files of members that start from now on; undefined: ours. */
	descriptors: number | undefined;

	/** `tls`: the members' flags for it, and how clients reach them. */
	static async create(size: number, args: readonly string[] = [], tls?: StoreTls): Promise<StoreProcesses> {
		const directory = await mkdtemp(path.join(tmpdir(), "barque-kills-"));
		const ports = await claimFreePorts(directory, size * 2, false);
		const url = (port: number | undefined) => `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
		const members = Array.from({ length: size }, (_, i) => ({
			name: `m${i + 1}`,
			clientUrl: url(ports[2 * i]),
			peerUrl: url(ports[2 * i + 1]),
			child: undefined,
			output: "",
		}));
		return new StoreProcesses(directory, members, args, tls);
	}

	private constructor(
		directory: string,
		members: readonly Member[],
		args: readonly string[],
		tls: StoreTls | undefined,
	) {
		this.#tls = tls;
		this.directory = directory;
		this.#members = members;
		this.#args = args;
	}

	get names(): string[] {
		return this.#members.map((member) => member.name);
	}

	get endpoints(): string[] {
		return this.#members.map((member) => member.clientUrl);
	}

	connect(): StoreClient {
		const tls = this.#tls?.client;
		return connectStore({ endpoints: this.endpoints, ...(tls === undefined ? {} : { tls }) });
	}

	#member(name: string): Member {
		const member = this.#members.find((candidate) => candidate.name === name);
		if (member === undefined) throw new Error(`no member ${name}`);
		return member;
	}

	output(name: string): string {
		return this.#member(name).output;
	}

	/** Resolves when the member says that it is ready; to its exit code where it ends before. `flags`: for this start alone. */
	start(name: string, flags: readonly string[] = []): Promise<number | "ready"> {
		const member = this.#member(name);
		member.output = "";
		const own = [process.execPath, launcher, "store", ...this.#flags(member), ...flags];
		const [command = "", ...args] =
			this.descriptors === undefined ? own : ["sh", "-c", `ulimit -n ${this.descriptors}; exec "$@"`, "sh", ...own];
		const child = spawn(command, args, {
			stdio: ["ignore", "pipe", "pipe"],
		});
		member.child = child;
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`${name} not ready:\n${member.output}`)), readyMs);
			const settle = (result: number | "ready") => {
				clearTimeout(timer);
				resolve(result);
			};
			const keep = (chunk: Buffer) => {
				member.output += chunk.toString("utf8");
				if (member.output.includes(`barque store ${name} ready`)) settle("ready");
			};
			child.stdout.on("data", keep);
			child.stderr.on("data", keep);
			child.once("close", (code) => settle(code ?? -1));
		});
	}

	async startAll(): Promise<void> {
		const results = await Promise.all(this.names.map((name) => this.start(name)));
		for (const [i, result] of results.entries()) {
			const name = this.names[i] ?? "";
			if (result !== "ready") throw new Error(`${name} ended with ${result}:\n${this.output(name)}`);
		}
	}

	#flags(member: Member): string[] {
		return [
			`--name=${member.name}`,
			`--data-dir=${this.dataDir(member.name)}`,
			`--listen-client-urls=${member.clientUrl}`,
			`--advertise-client-urls=${member.clientUrl}`,
			`--listen-peer-urls=${member.peerUrl}`,
			`--initial-advertise-peer-urls=${member.peerUrl}`,
			`--initial-cluster=${this.#members.map((m) => `${m.name}=${m.peerUrl}`).join(",")}`,
			...(this.#tls?.flags(member.name) ?? []),
			...this.#args,
		];
	}

	/** SIGKILL; resolves when the process is gone. */
	async kill(name: string): Promise<void> {
		const child = this.#member(name).child;
		if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
	}

	/** SIGTERM. */
	terminate(name: string): void {
		this.#member(name).child?.kill("SIGTERM");
	}

	/** SIGSTOP: it stands still, its sockets stay open. */
	pause(name: string): void {
		this.#member(name).child?.kill("SIGSTOP");
	}

	/** SIGCONT. */
	resume(name: string): void {
		this.#member(name).child?.kill("SIGCONT");
	}

	/** The address of each member's clients, in the order of `names`. */
	get clientUrls(): string[] {
		return this.#members.map((member) => member.clientUrl);
	}

	async killAll(): Promise<void> {
		await Promise.all(this.names.map((name) => this.kill(name)));
	}

	dataDir(name: string): string {
		return path.join(this.directory, name);
	}

	/** Process ids of the latest start of each, in the order of `names`. */
	get pids(): number[] {
		return this.#members.map((member) => member.child?.pid ?? 0);
	}

	/** Empties its data directory. */
	wipe(name: string): Promise<void> {
		return rm(this.dataDir(name), { recursive: true, force: true });
	}

	/** The name of a member that says it leads; undefined: none does. */
	async leader(): Promise<string | undefined> {
		for (const { name, clientUrl } of this.#members) {
			const metrics = await fetch(`${clientUrl}/metrics`).then(
				(answer) => answer.text(),
				() => "",
			);
			if (/^etcd_server_is_leader(\{.*\})? 1$/m.test(metrics)) return name;
		}
		return undefined;
	}

	/** The member's log segments, oldest first. */
	async segments(name: string): Promise<string[]> {
		const folder = path.join(this.directory, name, "member", "wal");
		return (await readdir(folder))
			.filter((file) => file.endsWith(".wal"))
			.sort()
			.map((file) => path.join(folder, file));
	}

	async close(): Promise<void> {
		await this.killAll();
		releasePorts(this.directory);
		await rm(this.directory, { recursive: true, force: true });
	}
}
