/** Members in network namespaces of their own on this machine, so that their network can be harmed. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../bin/cluster/launcher.ts";
import { LinkRules, linkTools } from "../faults/links.ts";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import { Fabric, namespaceTools } from "./namespaces.ts";
import type { Place, PlaceOptions } from "./place.ts";
import { ProcessHost } from "./process-host.ts";
import { requireRootAndTools, toolEnvironment } from "./tools.ts";

const peerPort = 2380;
const clientPort = 2379;

/** Needs root. Throws MissingToolError where this machine cannot do it. */
export async function startNetnsPlace(options: PlaceOptions): Promise<Place> {
	const { size } = options;
	if (!(size >= 1 && size <= 7)) throw new RangeError(`size: ${size} is not between 1 and 7`);
	for (const fault of ["clocks", "disks", "powerLoss"] as const) {
		if (options[fault]) throw new RangeError(`${fault}: only with --target processes`);
	}
	await requireRootAndTools("network namespaces", { ...namespaceTools, ...linkTools, setpriv: "util-linux" });
	const undo = new Undo();
	try {
		return await start(size, undo);
	} catch (error) {
		await undo.run();
		throw error;
	}
}

async function start(size: number, undo: Undo): Promise<Place> {
	const folder = await mkdtemp(path.join(tmpdir(), "barque-netns-"));
	const removeFolder = () => rmSync(folder, { recursive: true, force: true });
	process.on("exit", removeFolder);
	undo.add(async () => {
		await rm(folder, { recursive: true, force: true });
		process.off("exit", removeFolder);
	});
	const fabric = await Fabric.create(size);
	undo.add(() => fabric.close());
	const members = fabric.namespaces.map((namespace, i) => {
		return { name: `m${i + 1}`, address: fabric.addresses[i]!, namespace };
	});
	const hosts = members.map(
		({ name, address, namespace }) =>
			new ProcessHost({
				name,
				peerAddress: address,
				clientAddress: address,
				peerPort,
				clientPort,
				dataDir: path.join(folder, name),
				// A member that we can no longer end ends with us.
				wrap: ({ program, args }) =>
					namespace.enter({ program: "setpriv", args: ["--pdeathsig", "KILL", "--", program, ...args] }),
				env: withoutProxies,
			}),
	);
	const network = new LinkRules(
		members.map(({ name, address, namespace }) => {
			return { name, address, enter: (command) => namespace.enter(command) };
		}),
	);
	undo.add(async () => {
		await Promise.all([network.close(), ...hosts.map((host) => host.end("SIGKILL"))]);
	});
	return {
		description: "network namespaces on this machine",
		hosts,
		node: process.execPath,
		launcher,
		network,
		close: () => undo.run(),
	};
}

/** Members reach each other and nothing else, a proxy least of all. */
function withoutProxies(): NodeJS.ProcessEnv {
	const entries = Object.entries(toolEnvironment()).filter(([name]) => !/^(https?|all)_proxy$/i.test(name));
	return Object.fromEntries(entries);
}

/** What takes back what was done, the latest first; once, and also when the run is interrupted. */
class Undo {
	readonly #steps: (() => Promise<void>)[] = [];
	readonly #forget = cleanUpOnInterrupt(() => this.run());
	#result: Promise<void> | undefined;

	add(step: () => Promise<void>): void {
		this.#steps.unshift(step);
	}

	/** Every step is taken, whatever became of those before; then it rejects with the first failure. */
	run(): Promise<void> {
		this.#result ??= this.#take();
		return this.#result;
	}

	async #take(): Promise<void> {
		const failures: unknown[] = [];
		// An interrupted start may still add steps while these are taken.
		for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
			await step().catch((error: unknown) => failures.push(error));
		}
		this.#forget();
		if (failures.length > 0) throw failures[0];
	}
}
