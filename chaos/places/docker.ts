/** Members in containers of a Docker engine that runs on this machine. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import path from "node:path";
import { launcher } from "../../cluster/launcher.ts";
import { packageRoot } from "../../cluster/package-root.ts";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import { connectDocker, type Docker, loadTestcontainers, refusal } from "./docker-client.ts";
import { type DockerHost, type DockerRun, startDockerHost } from "./docker-host.ts";
import { findProgram, imageNode, memberImage } from "./docker-image.ts";
import { LinkRules, linkTools } from "./links.ts";
import { isGone, ownerMark } from "./owner.ts";
import { type Command, MissingToolError, type Place, type PlaceOptions } from "./place.ts";
import { untilOurEnd } from "./process-host.ts";
import { Tasks } from "./tasks.ts";
import { requireRootAndTools } from "./tools.ts";

/** On everything we make: the run, and who made it. */
const runLabel = "barque.chaos.run";
const ownerLabel = "barque.chaos.owner";

export interface DockerOptions extends PlaceOptions {
	/**
	 * What members run besides our own program: names on this machine's PATH, or paths. They have the same in containers. By
	 * default etcd where there is one.
	 */
	readonly programs?: readonly string[] | undefined;
}

/**
 * Clocks and disks of containers are those of the machine: the place has neither, whatever is asked for. Throws
 * MissingToolError where no engine can be used.
 */
export async function startDockerPlace(options: DockerOptions): Promise<Place> {
	const testcontainers = await loadTestcontainers();
	const docker = await connectDocker(testcontainers);
	await removeAbandoned(docker);
	const image = await memberImage(
		docker,
		options.programs ?? ((await findProgram("etcd")) === undefined ? [] : ["etcd"]),
	);
	const { Version } = await docker.version();
	const id = randomBytes(4).toString("hex");
	const name = `barque-chaos-${id}`;
	const run: DockerRun = {
		testcontainers,
		docker,
		image,
		name,
		labels: { [runLabel]: id, [ownerLabel]: ownerMark() },
		peers: `${name}-peers`,
		control: `${name}-control`,
		tasks: new Tasks(),
		shared: [sharedFolder()],
	};
	let network: LinkRules | undefined;
	const guests: (() => Promise<void>)[] = [];
	const close = async () => {
		await run.tasks.close();
		const ends = await Promise.allSettled(guests.map((end) => end()));
		await network?.close();
		await removeLabelled(docker, `${runLabel}=${id}`);
		for (const end of ends) if (end.status === "rejected") throw end.reason;
	};
	const takeBack = cleanUpOnInterrupt(close);
	try {
		const hosts = await run.tasks.do(() => startAll(run, options.size));
		await requireReachable(docker, run.control);
		network = new LinkRules(hosts.map(linkEnd));
		return {
			description: `containers of Docker ${Version}`,
			hosts,
			node: imageNode,
			launcher,
			network,
			enter: async (name, command) => {
				const host = hosts.find((each) => each.name === name);
				if (host === undefined)
					throw new RangeError(`no host ${name}; there are ${hosts.map((each) => each.name).join(", ")}`);
				return enterNetwork(host, await untilOurEnd(command));
			},
			beforeClose: (end) => {
				if (run.tasks.isClosed) throw new Error("the containers are being removed");
				guests.push(end);
			},
			close: async () => {
				await close();
				takeBack();
			},
		};
	} catch (error) {
		await close();
		takeBack();
		throw error;
	}
}

/** Our program and the packages it needs: of an installed one these lie beside it, in the outermost node_modules. */
function sharedFolder(): string {
	const parts = packageRoot.split(path.sep);
	const at = parts.indexOf("node_modules");
	return at === -1 ? packageRoot : parts.slice(0, at + 1).join(path.sep);
}

/** Members have no business outside. */
async function createNetwork({ docker, labels }: DockerRun, name: string): Promise<void> {
	await docker.createNetwork({ Name: name, Driver: "bridge", Internal: true, Labels: { ...labels } });
}

/**
 * An engine elsewhere, in a virtual machine or in another network namespace, has its networks there. A network's address on
 * this machine shows once a container is on it.
 */
async function requireReachable(docker: Docker, network: string): Promise<void> {
	const { IPAM } = (await docker.getNetwork(network).inspect()) as { IPAM?: { Config?: { Gateway?: string }[] } };
	const gateways = (IPAM?.Config ?? []).map(({ Gateway }) => Gateway);
	const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []);
	if (gateways.some((gateway) => gateway !== undefined && own.includes(gateway))) return;
	throw new MissingToolError(
		"the Docker engine's networks are not on this machine, so clients could not reach members: run barque chaos where the engine runs, or unset DOCKER_HOST",
	);
}

async function startAll(run: DockerRun, size: number): Promise<DockerHost[]> {
	for (const network of [run.peers, run.control]) await createNetwork(run, network);
	const names = Array.from({ length: size }, (_, index) => `m${index + 1}`);
	// All of them must have ended, well or not, before anything can be removed.
	const results = await Promise.allSettled(names.map((name) => startDockerHost(run, name)));
	const failure = results.find((result) => result.status === "rejected");
	if (failure !== undefined) throw failure.reason as Error;
	return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

function linkEnd(host: DockerHost) {
	const { name, peerAddress: address } = host;
	return { name, address, enter: (command: Command) => enterNetwork(host, command) };
}

async function enterNetwork({ name, networkPid }: DockerHost, { program, args }: Command): Promise<Command> {
	await requireRootAndTools("the networks of containers", linkTools);
	await requireProcess(networkPid, name);
	return { program: "nsenter", args: [`--target=${networkPid}`, "--net", program, ...args] };
}

/** Packet filters of whatever else has that process id here would be the wrong ones. */
async function requireProcess(pid: number, name: string): Promise<void> {
	const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
	if (path.basename(commandLine.split("\0")[0] ?? "") === "sleep") return;
	throw new MissingToolError(
		`the container of ${name} is not a process of this machine, so its network is out of reach: run barque chaos where the engine runs`,
	);
}

/** What runs left whose processes died without a chance to clean up. */
async function removeAbandoned(docker: Docker): Promise<void> {
	const filters = { label: [ownerLabel] };
	const containers = await docker.listContainers({ all: true, filters });
	const networks = await docker.listNetworks({ filters });
	const { Volumes } = await docker.listVolumes({ filters });
	const marks = [...containers, ...networks, ...(Volumes ?? [])].map(({ Labels }) => Labels?.[ownerLabel] ?? "");
	for (const mark of new Set(marks)) if (isGone(mark)) await removeLabelled(docker, `${ownerLabel}=${mark}`);
}

/** Containers, then what they used. */
async function removeLabelled(docker: Docker, label: string): Promise<void> {
	const filters = { label: [label] };
	const containers = await docker.listContainers({ all: true, filters });
	await Promise.all(containers.map(({ Id }) => unlessGone(docker.getContainer(Id).remove({ force: true, v: true }))));
	const networks = await docker.listNetworks({ filters });
	await Promise.all(networks.map(({ Id }) => unlessGone(docker.getNetwork(Id).remove())));
	const { Volumes } = await docker.listVolumes({ filters });
	await Promise.all((Volumes ?? []).map(({ Name }) => unlessGone(docker.getVolume(Name).remove())));
}

/** Somebody else may remove the same: the interruption of a run that was just closing. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
	try {
		await removal;
	} catch (error) {
		const isOver = refusal(error) === 404 || /removal .* is already in progress/i.test((error as Error).message);
		if (!isOver) throw error;
	}
}
