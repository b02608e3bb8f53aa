/** Members as processes on loopback. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../cluster/launcher.ts";
import { claimFreePorts, releasePorts } from "../../cluster/ports.ts";
import { MachineFaults } from "./machine-faults.ts";
import type { Place, PlaceOptions } from "./place.ts";
import { withEnv } from "./preload.ts";
import { ProcessHost, untilOurEnd } from "./process-host.ts";
import { type Undo, withUndo } from "./undo.ts";

/** Throws MissingToolError where this machine cannot do what is asked for. */
export function startProcessPlace(options: PlaceOptions): Promise<Place> {
	return withUndo((undo) => start(options, undo));
}

async function start(options: PlaceOptions, undo: Undo): Promise<Place> {
	const names = Array.from({ length: options.size }, (_, i) => `m${i + 1}`);
	const faults = await MachineFaults.create(names, options);
	undo.add(() => faults.close());
	const directory = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
	undo.add(() => rm(directory, { recursive: true, force: true }));
	undo.add(async () => releasePorts(directory));
	const ports = await claimFreePorts(directory, options.size * 2, false);
	const dataDirOf = (name: string) => faults.dataDir(name) ?? path.join(directory, name);
	const hosts = names.map(
		(name, i) =>
			new ProcessHost({
				name,
				peerAddress: "127.0.0.1",
				clientAddress: "127.0.0.1",
				peerPort: ports[2 * i]!,
				clientPort: ports[2 * i + 1]!,
				dataDir: dataDirOf(name),
				env: () => ({ ...process.env, ...faults.env(name, dataDirOf(name)) }),
			}),
	);
	undo.add(async () => {
		await Promise.all(hosts.map((host) => host.close()));
	});
	return {
		description: "processes on this machine",
		hosts,
		node: process.execPath,
		launcher,
		clocks: faults.clocks,
		disks: (kill) => faults.disks(kill),
		enter: async (name, command) => {
			if (!names.includes(name)) throw new RangeError(`no host ${name}; there are ${names.join(", ")}`);
			return untilOurEnd(withEnv(faults.env(name, dataDirOf(name)), command));
		},
		beforeClose: (end) => undo.add(end),
		close: () => undo.run(),
	};
}
