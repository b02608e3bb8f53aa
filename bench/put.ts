/** `barque bench put`: durable puts against a store, with a latency histogram. Shaped like etcd's `benchmark put`. */
import { randomFillSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock } from "../kit/clock.ts";
import { type FlagSpecs, type FlagValues, parseCommand } from "../kit/flags.ts";
import type { StoreClient } from "../store/api.ts";
import { connectStore } from "../store/client/client.ts";
import { ClientConnection } from "../store/client/connection.ts";
import { type ClientTls, socketConnector } from "../store/client/connector.ts";
import { Histogram, renderLatency } from "./histogram.ts";

const flags = {
	endpoints: { type: "list", default: ["http://127.0.0.1:2379"], help: "Client URLs of the members." },
	connections: { type: "integer", default: 1, min: 1, max: 10_000, help: "Connections to the store." },
	clients: {
		type: "integer",
		default: 1,
		min: 1,
		max: 100_000,
		help: "Writers in all, spread over the connections; each has one put under way.",
	},
	total: { type: "integer", default: 10_000, min: 1, help: "Puts in all." },
	"key-size": { type: "integer", default: 8, min: 1, max: 65_536, help: "Bytes of a key." },
	"val-size": { type: "integer", default: 8, min: 0, max: 1_500_000, help: "Bytes of a value." },
	"key-space-size": { type: "integer", default: 1, min: 1, help: "How many keys are written." },
	"sequential-keys": { type: "boolean", help: "Count through the key space instead of drawing from it." },
	"target-leader": {
		type: "boolean",
		help: "Connect to the leader alone; otherwise connections go round the endpoints.",
	},
	"ca-file": { type: "string", default: "", help: "Authority of the members' certificates (PEM)." },
	"cert-file": { type: "string", default: "", help: "Client certificate." },
	"key-file": { type: "string", default: "", help: "Its key." },
	output: { type: "string", default: "text", choices: ["text", "json"], help: "Form of the result." },
} as const satisfies FlagSpecs;

const command = {
	name: "barque bench put",
	summary:
		"Writes to a store and reports puts per second and their latency. A put counts when a quorum has it on disk.",
	flags,
	examples: [
		"barque bench put --endpoints=http://127.0.0.1:2379 --connections=100 --clients=1000 --key-size=8 --val-size=256 --total=100000",
	],
} as const;

type Values = FlagValues<typeof flags>;

async function tlsOf(values: Values): Promise<ClientTls> {
	const read = async (file: string) => (file === "" ? undefined : await readFile(file, "utf8"));
	return {
		ca: await read(values["ca-file"]),
		cert: await read(values["cert-file"]),
		key: await read(values["key-file"]),
	};
}

async function findLeader(endpoints: readonly string[], tls: ClientTls): Promise<string> {
	const connector = socketConnector(tls);
	for (const endpoint of endpoints) {
		const connection = await ClientConnection.open(await connector.connect(endpoint), {
			clock: systemClock,
			clusterId: 0n,
			onLeader: () => undefined,
			onGoingAway: () => undefined,
			onClosed: () => undefined,
		});
		const leads = connection.leader === connection.memberId;
		connection.close();
		if (leads) return endpoint;
	}
	throw new Error(`none of ${endpoints.join(", ")} is the leader`);
}

function keyMaker(values: Values): () => Buffer {
	const size = values["key-size"];
	const space = values["key-space-size"];
	let counter = 0;
	return () => {
		const number = values["sequential-keys"] ? counter++ % space : Math.floor(Math.random() * space);
		const key = Buffer.alloc(size);
		// The low bytes of the number, as etcd's benchmark writes them.
		for (let i = 0, rest = number; i < Math.min(size, 8); i++, rest = Math.floor(rest / 256)) key[i] = rest % 256;
		return key;
	};
}

interface Result {
	readonly errors: number;
	readonly seconds: number;
	readonly histogram: Histogram;
	readonly firstError: string | undefined;
}

async function load(clients: readonly StoreClient[], values: Values): Promise<Result> {
	const nextKey = keyMaker(values);
	const value = randomFillSync(Buffer.alloc(values["val-size"]));
	const histogram = new Histogram();
	let started = 0;
	let errors = 0;
	let firstError: string | undefined;
	const worker = async (client: StoreClient) => {
		while (started < values.total) {
			started++;
			const key = nextKey();
			const before = performance.now();
			try {
				await client.put({ key, value });
				histogram.record(performance.now() - before);
			} catch (error) {
				errors++;
				firstError ??= (error as Error).message;
			}
		}
	};
	const begin = performance.now();
	const progress = setInterval(() => {
		const rate = histogram.count / ((performance.now() - begin) / 1000);
		process.stderr.write(`\r${histogram.count} of ${values.total}, ${Math.round(rate)} puts/s `);
	}, 500);
	try {
		const workers = Array.from({ length: values.clients }, (_, i) =>
			worker(clients[i % clients.length] as StoreClient),
		);
		await Promise.all(workers);
	} finally {
		clearInterval(progress);
		process.stderr.write("\r\u001b[K");
	}
	return { errors, seconds: (performance.now() - begin) / 1000, histogram, firstError };
}

function report(values: Values, { errors, seconds, histogram, firstError }: Result): string {
	const latency = histogram.summary();
	const perSecond = histogram.count / seconds;
	const { connections, clients } = values;
	const sizes = { keySize: values["key-size"], valSize: values["val-size"] };
	if (values.output === "json") {
		return `${JSON.stringify({ benchmark: "put", connections, clients, ...sizes, errors, seconds, perSecond, latency })}\n`;
	}
	const failed = errors === 0 ? "" : `  errors ${errors} (first: ${firstError})\n`;
	return `${histogram.count} puts in ${seconds.toFixed(2)} s: ${Math.round(perSecond)} puts/s\n${renderLatency(latency)}${failed}`;
}

/** Exit codes: 0, 1 when a put failed or the store cannot be reached, 2 for wrong flags. */
export async function runBenchPut(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(command, argv);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	const clients: StoreClient[] = [];
	try {
		const tls = await tlsOf(values);
		const targets = values["target-leader"] ? [await findLeader(values.endpoints, tls)] : values.endpoints;
		for (let i = 0; i < values.connections; i++) {
			clients.push(connectStore({ endpoints: [targets[i % targets.length] as string], tls }));
		}
		// Connections, TLS and sessions are not what is measured.
		await Promise.all(clients.map((client) => client.put({ key: Buffer.from("\0bench"), value: Buffer.alloc(0) })));
		const result = await load(clients, values);
		process.stdout.write(report(values, result));
		return result.errors === 0 ? 0 : 1;
	} catch (error) {
		process.stderr.write(`Error: ${(error as Error).message}\n`);
		return 1;
	} finally {
		await Promise.all(clients.map((client) => client.close()));
	}
}
