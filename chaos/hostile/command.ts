/** `barque chaos hostile`: a whole cluster, one hostile client for each of its listeners, and bystanders who go on. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { allParts } from "../../cluster/compose.ts";
import { logTail, runningPid } from "../../cluster/processes.ts";
import { type Cluster, startCluster } from "../../cluster/start-cluster.ts";
import { parseCommand } from "../../kit/flags.ts";
import { append } from "../../kit/lists.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import { connectStore } from "../../store/client/client.ts";
import { attacks } from "./attacks.ts";
import { apiBystander, type Bystander, probe, storeBystander } from "./bystanders.ts";
import { type Listener, listenersOf } from "./listeners.ts";

const say = (text: string) => void process.stdout.write(`${text}\n`);
/** Attacks that go on at the same time. */
const attackers = 6;
/** So many probes of one listener that go wrong one after the other are wrong: one may fall into a connection's refusal. */
const wrongInARow = 3;

/** Resolves to the exit code: 0 nothing wrong, 1 something ended, answered wrongly or was lost, 2 wrong flags. */
export async function runHostile(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(
		{
			name: "barque chaos hostile",
			summary: "Attacks every listener of a whole cluster while clients of the store and of the API go on.",
			flags: {
				time: { type: "duration", default: 300_000, help: "how long the attacks go on" },
				quiet: { type: "duration", default: 10_000, help: "how long clients work before them, to compare with" },
				seed: { type: "integer", min: 1, help: "plans the attacks; by default drawn and printed" },
			},
			examples: ["barque chaos hostile --time 5m"],
		},
		argv,
	);
	if ("exit" in parsed) return parsed.exit;
	const { time, quiet, seed = 1 + Math.floor(Math.random() * 1_000_000) } = parsed.values;
	say(`seed ${seed}; again: barque chaos hostile --time ${time / 1000}s --quiet ${quiet / 1000}s --seed ${seed}`);
	const cluster = await startCluster({ masters: 3, nodes: 1, onProgress: say });
	try {
		const problems = await attackCluster(cluster, { time, quiet, random: seededRandom(seed) });
		for (const problem of problems) say(`WRONG: ${problem}`);
		say(
			problems.length === 0
				? "nothing ended, no probe was answered wrongly, nothing acknowledged is gone"
				: `${problems.length} wrong`,
		);
		return problems.length === 0 ? 0 : 1;
	} finally {
		await cluster.stop();
	}
}

interface Plan {
	readonly time: number;
	readonly quiet: number;
	readonly random: Random;
}

async function attackCluster(cluster: Cluster, { time, quiet, random }: Plan): Promise<string[]> {
	const { endpoints: layout, dir } = cluster;
	const listeners = await listenersOf(layout);
	const [ca, cert, key] = await Promise.all(
		[layout.pki.storeClientCa, layout.pki.storeClientCert, layout.pki.storeClientKey].map((file) =>
			readFile(file, "utf8"),
		),
	);
	const store = connectStore({
		endpoints: layout.masters.map((master) => master.store.clientUrl),
		tls: { ca, cert, key },
	});
	const bystanders = [storeBystander(store), apiBystander(cluster.client)];
	const parts = allParts(dir, layout).map((part) => part.name);
	const pids = new Map(await Promise.all(parts.map(async (part) => [part, await runningPid(dir, part)] as const)));
	const stopping = new AbortController();
	const problems: string[] = [];
	let phase: "before" | "during" = "before";
	const working = bystanders.map((bystander) => goOn(bystander, () => phase, stopping.signal));
	const probing = listeners
		.filter((listener) => listener.livez !== undefined)
		.map((one) => goOnProbing(one, problems, stopping.signal));
	await delay(quiet);
	phase = "during";
	say(`attacks on ${listeners.length} listeners for ${time / 1000} s`);
	const counts = await attack(listeners, random, time);
	stopping.abort();
	await Promise.all([...working, ...probing]);
	for (const part of parts) {
		const pid = await runningPid(dir, part);
		if (pid !== undefined && pid === pids.get(part)) continue;
		problems.push(`${part} ended:\n${await logTail(dir, part, 20)}`);
	}
	for (const bystander of bystanders)
		append(
			problems,
			(await bystander.lost()).map((what) => `acknowledged and gone: ${what}`),
		);
	say([...counts].map(([name, count]) => `${count} ${name}`).join(", "));
	for (const { latencies } of bystanders) say(latencyLine(latencies));
	await store.close();
	return problems;
}

function latencyLine(latencies: Bystander["latencies"]): string {
	const of = (phase: "before" | "during") => {
		const ms = (share: number) => `${latencies.quantile(phase, share).toFixed(1)} ms`;
		return `p50 ${ms(0.5)}, p99 ${ms(0.99)} of ${latencies.count(phase)}`;
	};
	return `${latencies.name}: before ${of("before")}; during ${of("during")}; ${latencies.failed} failed`;
}

async function goOn(bystander: Bystander, phase: () => "before" | "during", signal: AbortSignal): Promise<void> {
	for (let i = 0; !signal.aborted; i++) {
		const [begun, of] = [performance.now(), phase()];
		try {
			await bystander.work(i);
			bystander.latencies.record(of, performance.now() - begun);
		} catch {
			// Refused or unknown: counted; what was acknowledged is looked for at the end.
			bystander.latencies.failed++;
		}
		await delay(20);
	}
}

async function goOnProbing(listener: Listener, problems: string[], signal: AbortSignal): Promise<void> {
	let wrong = 0;
	while (!signal.aborted) {
		const answer = await probe(listener);
		wrong = answer === 200 ? 0 : wrong + 1;
		if (wrong === wrongInARow) problems.push(`${listener.name} ${listener.livez}: ${answer}, ${wrong} times in a row`);
		await delay(500);
	}
}

/** How many of each attack were run. */
async function attack(listeners: readonly Listener[], random: Random, time: number): Promise<Map<string, number>> {
	const counts = new Map<string, number>();
	const signal = AbortSignal.timeout(time);
	// Every listener meets every attack in turn, in an order of the seed's.
	let queue: (readonly [Listener, (typeof attacks)[number]])[] = [];
	const next = () => {
		if (queue.length === 0) queue = listeners.flatMap((listener) => attacks.map((one) => [listener, one] as const));
		return queue.splice(random.int(queue.length), 1)[0];
	};
	const attacker = async () => {
		while (!signal.aborted) {
			const [listener, one] = next() ?? [];
			if (listener === undefined || one === undefined) return;
			await one.run(listener, random, signal);
			counts.set(one.name, (counts.get(one.name) ?? 0) + 1);
		}
	};
	await Promise.all(Array.from({ length: attackers }, attacker));
	return counts;
}
