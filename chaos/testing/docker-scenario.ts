/**
 * What `places/docker.test.ts` runs where the engine's networks are: three members of the store in containers, harmed in
 * every way the place can. Prints a line for each step that went well; what fails is thrown. With `--abandon` it dies in
 * the middle; with `--only-clean-up` it starts the place and closes it.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { connectStore } from "../../store/client/client.ts";
import { startDockerPlace } from "../places/docker.ts";
import { connectDocker, loadTestcontainers } from "../places/docker-client.ts";
import type { Host, Place } from "../places/place.ts";
import { StoreSystem } from "../targets/store-system.ts";
import { clientUrl } from "../targets/system.ts";

const patienceMs = 30_000;
const answerMs = 1000;
const system = new StoreSystem();

const started = performance.now();
function done(step: string): void {
	process.stdout.write(`ok ${step}\n`);
	if (process.env["BARQUE_TIMES"] !== undefined) {
		process.stderr.write(`${((performance.now() - started) / 1000).toFixed(2)} s ${step}\n`);
	}
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
	const deadline = performance.now() + patienceMs;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error(`not within ${patienceMs / 1000} s: ${what}`);
		await delay(50);
	}
}

const clientOf = (host: Host) => connectStore({ endpoints: [clientUrl(host)], requestTimeoutMs: answerMs });

/** A member that is alone thinks about it for much longer than this. */
function soon(work: Promise<unknown>): Promise<boolean> {
	const late = delay(answerMs, false, { ref: false });
	return Promise.race([work.then(() => true), late]).catch(() => false);
}

async function put(host: Host, key: string): Promise<boolean> {
	const client = clientOf(host);
	try {
		return await soon(client.put({ key: Buffer.from(key), value: Buffer.from("v"), lease: 0n }));
	} finally {
		await client.close();
	}
}

/** As this member alone knows it; undefined: no answer. */
async function has(host: Host, key: string): Promise<boolean | undefined> {
	const client = clientOf(host);
	try {
		let found: boolean | undefined;
		await soon(
			client.range({ key: Buffer.from(key), serializable: true }).then(({ kvs }) => {
				found = kvs.length > 0;
			}),
		);
		return found;
	} finally {
		await client.close();
	}
}

async function startMember(host: Host, place: Place): Promise<void> {
	await host.run(system.command(host, place));
	await until(`${host.name} answers\n${host.output}`, async () => {
		assert.equal(host.isRunning, true, host.output);
		return (await system.version(clientUrl(host))) !== undefined;
	});
}

async function leaderOf(hosts: readonly Host[]): Promise<Host> {
	let name: string | undefined;
	await until("there is a leader", async () => {
		name = (await system.leader(hosts))?.name;
		return name !== undefined;
	});
	return hosts.find((host) => host.name === name)!;
}

async function harm(place: Place): Promise<void> {
	const { hosts, network } = place;
	assert.deepEqual(
		hosts.map(({ name }) => name),
		["m1", "m2", "m3"],
	);
	done(`place: ${place.description}`);
	const [first] = hosts as [Host, Host, Host];
	await assert.rejects(first.run({ program: "/no/such/program", args: [] }), /cannot start \/no\/such\/program/);
	assert.equal(first.isRunning, false);
	await Promise.all(hosts.map((host) => startMember(host, place)));
	assert.match(first.output, /ready/);
	await until("a put is answered", () => put(first, "before"));
	done("three members answer over the control network");
	if (process.argv.includes("--abandon")) process.kill(process.pid, "SIGKILL");

	const alone = await leaderOf(hosts);
	const rest = hosts.filter((host) => host !== alone) as [Host, Host];
	await network!.cut(rest.flatMap(({ name }) => [[name, alone.name] as const, [alone.name, name] as const]));
	await until("the majority has a leader and writes", () => put(rest[0], "during"));
	assert.equal(await put(alone, "alone"), false);
	assert.equal(await has(alone, "during"), false, "clients reach it, peers do not");
	done("the majority goes on without the leader that was cut off");

	await alone.end("SIGKILL");
	assert.equal(alone.isRunning, false);
	await startMember(alone, place);
	assert.equal(await has(alone, "before"), true, "its data has outlived its process");
	assert.equal(await put(alone, "alone"), false);
	done("a member that is killed and started is still cut off");

	await network!.heal();
	await until("it catches up", async () => (await has(alone, "during")) === true);
	await until("it writes", () => put(alone, "after"));
	done("healed, it catches up");

	await network!.slow([[rest[0].name, rest[1].name]], 20, 5);
	await network!.lose([[rest[1].name, rest[0].name]], 20);
	await until("it writes over slow links that lose packets", () => put(rest[0], "slow"));
	await network!.heal();
	done("links are slow and lose packets");

	const paused = rest[0];
	await paused.pause();
	assert.equal(await has(paused, "before"), undefined);
	await until("the others write", () => put(rest[1], "paused"));
	await paused.resume();
	await until("it catches up after the pause", async () => (await has(paused, "paused")) === true);
	done("paused and resumed");

	await paused.pause();
	await paused.end("SIGKILL");
	assert.equal(paused.isRunning, false);
	await startMember(paused, place);
	done("killed while paused");

	await paused.end("SIGTERM");
	assert.equal(paused.isRunning, false);
	await startMember(paused, place);
	await until("the data is there", async () => (await has(paused, "paused")) === true);
	done("stopped by SIGTERM and started");

	// Another command is another container with the same data.
	await paused.end("SIGTERM");
	const { program, args } = system.command(paused, place);
	await paused.run({ program, args: [...args, "--snapshot-count=400"] });
	await until("it has its data", async () => (await has(paused, "paused")) === true);
	done("another command keeps the data");
}

const place = await startDockerPlace({ size: 3 });
try {
	if (!process.argv.includes("--only-clean-up")) await harm(place);
} finally {
	await system.close();
	await place.close();
}

const docker = await connectDocker(await loadTestcontainers());
const filters = { label: ["barque.chaos.run"] };
assert.deepEqual(await docker.listContainers({ all: true, filters }), []);
assert.deepEqual(await docker.listNetworks({ filters }), []);
assert.deepEqual((await docker.listVolumes({ filters })).Volumes ?? [], []);
done("nothing is left");
