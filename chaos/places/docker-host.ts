/**
 * A machine made of two containers: one that only holds network addresses and sleeps, and the member's, which shares them.
 * So the machine stays when its member dies: addresses, packet filters and what peers see of them, as on a real one.
 */
import { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type Docker, refusal, type Testcontainers } from "./docker-client.ts";
import { imagePath, imageSleep } from "./docker-image.ts";
import { type Command, type Host, MissingToolError } from "./place.ts";
import type { Tasks } from "./tasks.ts";

/** What all containers of a run share. */
export interface DockerRun {
	readonly testcontainers: Testcontainers;
	readonly docker: Docker;
	readonly image: string;
	/** Begins the names of everything; unique on the engine. */
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	/** Whatever makes something that is to be removed. */
	readonly tasks: Tasks;
	/** Names of networks: one that is harmed, and one for clients. */
	readonly peers: string;
	readonly control: string;
	/** Folders of this machine that members see at the same path, and cannot write. */
	readonly shared: readonly string[];
}

type Container = ReturnType<Docker["getContainer"]>;
type Gone = Promise<void>;

const outputBytes = 64 * 1024;
/** A member that still runs this long after SIGTERM is killed, and that is an error. */
const graceMs = 30_000;
/** For the end of the output of a container that has ended. */
const lastWordsMs = 1000;
const dataRoot = "/data";
const ports = { peerPort: 2380, clientPort: 2379 };
/** Longer than any run; not every `sleep` knows infinity. */
const sleepCommand = [imageSleep, "2147483647"];

/** Starts the machine, without its member. On failure its containers may be there: whoever labelled them removes them. */
export async function startDockerHost(run: DockerRun, name: string): Promise<DockerHost> {
	const { docker, labels } = run;
	const volume = `${run.name}-${name}`;
	await docker.createVolume({ Name: volume, Labels: { ...labels } });
	const sandbox = newContainer(run, `${run.name}-${name}-net`, async (id) => {
		await docker.getNetwork(run.control).connect({ Container: id });
	});
	const started = await sandbox.withHostname(name).withNetworkMode(run.peers).withCommand(sleepCommand).start();
	const { State, NetworkSettings } = await docker.getContainer(started.getId()).inspect();
	const address = (network: string) => {
		const found = NetworkSettings.Networks[network]?.IPAddress;
		if (found === undefined || found === "") throw new Error(`the engine gave ${name} no address on ${network}`);
		return found;
	};
	return new DockerHost(run, {
		name,
		volume,
		sandbox: started.getId(),
		sandboxPid: State.Pid,
		peerAddress: address(run.peers),
		clientAddress: address(run.control),
	});
}

/** `created` is called before it starts. */
function newContainer(run: DockerRun, name: string, created: (id: string) => Promise<void>) {
	const { testcontainers, image, labels } = run;
	class ChaosContainer extends testcontainers.GenericContainer {
		constructor() {
			super(image);
			this.hostConfig.LogConfig = { Type: "json-file", Config: { "max-size": "1m", "max-file": "1" } };
		}

		protected override containerCreated(id: string): Promise<void> {
			return created(id);
		}
	}
	// No reaper: its image would have to be pulled, and whatever bears our labels is removed by us.
	return new ChaosContainer()
		.withAutoCleanup(false)
		.withPullPolicy(testcontainers.PullPolicy.neverPull())
		.withName(name)
		.withLabels({ ...labels })
		.withEnvironment({ PATH: imagePath, HOME: "/root", TMPDIR: "/tmp" });
}

interface Sandbox {
	readonly name: string;
	readonly volume: string;
	/** The container that holds the addresses. */
	readonly sandbox: string;
	/** On the engine's machine. */
	readonly sandboxPid: number;
	readonly peerAddress: string;
	readonly clientAddress: string;
}

export class DockerHost implements Host {
	readonly name: string;
	readonly peerAddress: string;
	readonly clientAddress: string;
	readonly peerPort = ports.peerPort;
	readonly clientPort = ports.clientPort;
	readonly dataDir: string;
	/** A process in the machine's network namespace, all along. */
	readonly networkPid: number;
	readonly #run: DockerRun;
	readonly #sandbox: Sandbox;
	/** Commands of containers are fixed: another command is another container, on the same data. */
	#made: { readonly container: Container; readonly command: string } | undefined;
	#running: { readonly container: Container; readonly gone: Gone } | undefined;
	#paused = false;
	#output = Buffer.alloc(0);

	constructor(run: DockerRun, sandbox: Sandbox) {
		this.name = sandbox.name;
		this.peerAddress = sandbox.peerAddress;
		this.clientAddress = sandbox.clientAddress;
		this.dataDir = `${dataRoot}/${sandbox.name}`;
		this.networkPid = sandbox.sandboxPid;
		this.#run = run;
		this.#sandbox = sandbox;
	}

	get isRunning(): boolean {
		return this.#running !== undefined;
	}

	get output(): string {
		return this.#output.toString("utf8");
	}

	run(command: Command): Promise<void> {
		return this.#run.tasks.do(() => this.#start(command));
	}

	async #start(command: Command): Promise<void> {
		if (this.#running !== undefined) throw new Error(`${this.name} runs already`);
		this.#output = Buffer.alloc(0);
		this.#paused = false;
		const key = JSON.stringify([command.program, ...command.args]);
		if (this.#made !== undefined && this.#made.command !== key) await this.#remove();
		let silent = Promise.resolve();
		let container = this.#made?.container;
		try {
			if (container !== undefined) {
				({ silent } = await this.#listen(container));
				await container.start();
			} else {
				const created = async (id: string) => {
					container = this.#run.docker.getContainer(id);
					this.#made = { container, command: key };
					({ silent } = await this.#listen(container));
				};
				await this.#create(command, created).start();
			}
		} catch (error) {
			await this.#remove();
			throw startError(command.program, error);
		}
		if (container === undefined) throw new Error("a container was started but never created");
		this.#running = { container, gone: this.#untilGone(container, silent) };
	}

	#create(command: Command, created: (id: string) => Promise<void>) {
		const { name, shared } = this.#run;
		return newContainer(this.#run, `${name}-${this.name}`, created)
			.withNetworkMode(`container:${this.#sandbox.sandbox}`)
			.withBindMounts([
				{ source: this.#sandbox.volume, target: dataRoot, mode: "rw" },
				...shared.map((folder) => ({ source: folder, target: folder, mode: "ro" as const })),
			])
			.withCommand([command.program, ...command.args]);
	}

	async #remove(): Promise<void> {
		const made = this.#made;
		this.#made = undefined;
		await made?.container.remove({ force: true, v: true });
	}

	/** Keeps what it prints from now on. Resolves once listening; `silent` is the end of its output. */
	async #listen(container: Container): Promise<{ readonly silent: Promise<void> }> {
		const stream = await container.attach({ stream: true, stdout: true, stderr: true });
		const keep = new Writable({
			write: (chunk: Buffer, _encoding, done) => {
				if (this.#made?.container === container) this.#keep(chunk);
				done();
			},
		});
		this.#run.docker.modem.demuxStream(stream, keep, keep);
		const silent = new Promise<void>((resolve) => {
			for (const event of ["end", "close", "error"]) stream.once(event, () => resolve());
		});
		return { silent };
	}

	#keep(chunk: Buffer): void {
		const all = Buffer.concat([this.#output, chunk]);
		this.#output = all.subarray(Math.max(0, all.length - outputBytes));
	}

	async #untilGone(container: Container, silent: Promise<void>): Promise<void> {
		try {
			await container.wait();
		} catch (error) {
			// Removed before it ended, or the engine itself has ended: both leave no member.
			if (refusal(error) !== 404) {
				this.#keep(Buffer.from(`\nengine: ${(error as Error).message}\n`));
			}
		}
		const timer = new AbortController();
		await Promise.race([silent.then(() => timer.abort()), delay(lastWordsMs, undefined, timer).catch(() => {})]);
		if (this.#running?.container === container) this.#running = undefined;
	}

	async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
		if (this.#running === undefined) return;
		const { container, gone } = this.#running;
		// The engine refuses other signals to a paused container, and a frozen one does not die of SIGKILL everywhere.
		if (signal === "SIGTERM") await this.resume();
		await unlessEnded(container.kill({ signal }));
		if (signal === "SIGKILL") {
			await this.resume();
			return gone;
		}
		const timer = new AbortController();
		const late = delay(graceMs, true, timer).catch(() => false);
		const isLate = await Promise.race([gone.then(() => false), late]);
		timer.abort();
		if (!isLate) return;
		await unlessEnded(container.kill({ signal: "SIGKILL" }));
		await gone;
		throw new Error(`${this.name} was still running ${graceMs / 1000} s after SIGTERM, and was killed`);
	}

	async pause(): Promise<void> {
		if (this.#running === undefined || this.#paused) return;
		this.#paused = true;
		await unlessEnded(this.#running.container.pause());
	}

	async resume(): Promise<void> {
		if (this.#running === undefined || !this.#paused) return;
		this.#paused = false;
		await unlessEnded(this.#running.container.unpause());
	}
}

/** 409 and, of older engines, 500: it is not running, or not paused, any more. */
async function unlessEnded(request: Promise<unknown>): Promise<void> {
	try {
		await request;
	} catch (error) {
		const isOver = /is not (running|paused)/i.test((error as Error).message);
		if (!isOver) throw error;
	}
}

function startError(program: string, error: unknown): Error {
	const { message } = error as Error;
	if (/executable file not found|no such file or directory|permission denied/i.test(message)) {
		return new MissingToolError(`cannot start ${program} in a container: ${message}`);
	}
	return new Error(`cannot start ${program} in a container`, { cause: error });
}
