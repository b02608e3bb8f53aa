/** Members in network namespaces of their own on this machine, so that their network can be harmed. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../cluster/launcher.ts";
import { LinkRules, linkTools } from "./links.ts";
import { MachineFaults } from "./machine-faults.ts";
import { Fabric, namespaceTools } from "./namespaces.ts";
import type { Place, PlaceOptions } from "./place.ts";
import { withEnv } from "./preload.ts";
import { ProcessHost, untilOurEnd } from "./process-host.ts";
import { requireRootAndTools, toolEnvironment } from "./tools.ts";
import { type Undo, withUndo } from "./undo.ts";

const peerPort = 2380;
const clientPort = 2379;

/** Needs root. Throws MissingToolError where this machine cannot do it. */
export async function startNetnsPlace(options: PlaceOptions): Promise<Place> {
	const { size } = options;
	if (!(size >= 1 && size <= 7)) throw new RangeError(`size: ${size} is not between 1 and 7`);
	await requireRootAndTools("network namespaces", { ...namespaceTools, ...linkTools, setpriv: "util-linux" });
	return withUndo((undo) => start(options, undo));
}

async function start(options: PlaceOptions, undo: Undo): Promise<Place> {
	const folder = await mkdtemp(path.join(tmpdir(), "barque-netns-"));
	const removeFolder = () => rmSync(folder, { recursive: true, force: true });
	process.on("exit", removeFolder);
	undo.add(async () => {
		await rm(folder, { recursive: true, force: true });
		process.off("exit", removeFolder);
	});
	const names = Array.from({ length: options.size }, (_, i) => `m${i + 1}`);
	const faults = await MachineFaults.create(names, options);
	undo.add(() => faults.close());
	const fabric = await Fabric.create(options.size);
	undo.add(() => fabric.close());
	const members = names.map((name, i) => {
		const dataDir = faults.dataDir(name) ?? path.join(folder, name);
		return { name, address: fabric.addresses[i]!, namespace: fabric.namespaces[i]!, dataDir };
	});
	const hosts = members.map(
		({ name, address, namespace, dataDir }) =>
			new ProcessHost({
				name,
				peerAddress: address,
				clientAddress: address,
				peerPort,
				clientPort,
				dataDir,
				wrap: (command) => namespace.enter(command),
				env: () => ({ ...withoutProxies(), ...faults.env(name, dataDir) }),
			}),
	);
	const network = new LinkRules(
		members.map(({ name, address, namespace }) => {
			return { name, address, enter: (command) => namespace.enter(command) };
		}),
	);
	undo.add(async () => {
		await Promise.all([network.close(), ...hosts.map((host) => host.close())]);
	});
	return {
		description: "network namespaces on this machine",
		hosts,
		node: process.execPath,
		launcher,
		network,
		clocks: faults.clocks,
		disks: (kill) => faults.disks(kill),
		enter: async (name, command) => {
			const member = members.find((each) => each.name === name);
			if (member === undefined) throw new RangeError(`no host ${name}; there are ${names.join(", ")}`);
			return member.namespace.enter(await untilOurEnd(withEnv(faults.env(name, member.dataDir), command)));
		},
		beforeClose: (end) => undo.add(end),
		close: () => undo.run(),
	};
}

/** Members reach each other and nothing else, a proxy least of all. */
function withoutProxies(): NodeJS.ProcessEnv {
	const entries = Object.entries(toolEnvironment()).filter(([name]) => !/^(https?|all)_proxy$/i.test(name));
	return Object.fromEntries(entries);
}
