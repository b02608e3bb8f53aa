/**
 * `barque bench watch-fanout`: many watchers of one ConfigMap's namespace on an apiserver, one writer; the latency is from
 * the moment the writer sends its update until a watcher has the event's line, all on this process's clock.
 */

import { existsSync } from "node:fs";
import https from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { loadKubeconfig } from "../apiserver/client/kubeconfig.ts";
import { configMaps, namespaces } from "../apiserver/client/resources.ts";
import { createApiClient } from "../apiserver/client/rest.ts";
import type { ApiClient } from "../apiserver/client/types.ts";
import type { ConfigMap, Namespace } from "../apiserver/scheme/types.gen.ts";
import { type FlagSpecs, parseCommand } from "../kit/flags.ts";
import { Histogram, type LatencySummary, renderLatency } from "./histogram.ts";

const flags = {
	kubeconfig: { type: "string", default: ".barque/admin.kubeconfig", help: "Cluster to measure, and the credentials." },
	server: { type: "string", default: "", help: "One apiserver's URL instead of the kubeconfig's (the balancer)." },
	watchers: { type: "integer", default: 200, min: 1, max: 20_000, help: "Watches, each on a connection of its own." },
	updates: { type: "integer", default: 200, min: 1, max: 1_000_000, help: "Updates in all." },
	rate: { type: "number", default: 20, min: 0.1, max: 100_000, help: "Updates a second." },
	"value-size": { type: "integer", default: 256, min: 1, max: 900_000, help: "Bytes of the ConfigMap's value." },
	output: { type: "string", choices: ["text", "json"], default: "text", help: "Form of the result." },
} as const satisfies FlagSpecs;

const namespace = "barque-bench";
const name = "fanout";
const connectAtOnce = 50;
const settleMs = 10_000;

interface Watcher {
	readonly ended: AbortController;
	seen: number;
}

export interface FanoutResult {
	readonly watchers: number;
	readonly updates: number;
	readonly delivered: number;
	readonly expected: number;
	readonly seconds: number;
	readonly eventsPerSecond: number;
	readonly latency: LatencySummary;
}

/** Opens one watch over HTTP/1.1 and calls `onUpdate` with each update's sequence number. */
function openWatch(
	agent: https.Agent,
	server: string,
	resourceVersion: string,
	watcher: Watcher,
	onUpdate: (sequence: number) => void,
): Promise<void> {
	const query = `watch=true&fieldSelector=metadata.name%3D${name}&resourceVersion=${resourceVersion}&timeoutSeconds=3600`;
	const url = `${server}/api/v1/namespaces/${namespace}/configmaps?${query}`;
	return new Promise((resolve, reject) => {
		const request = https.get(url, { agent, signal: watcher.ended.signal }, (response) => {
			if (response.statusCode !== 200) return reject(new Error(`watch: status ${response.statusCode}`));
			resolve();
			let rest = "";
			response.setEncoding("utf8").on("data", (text: string) => {
				const lines = (rest + text).split("\n");
				rest = lines.pop() ?? "";
				for (const line of lines) {
					const sequence = /"sequence":"(\d+)"/.exec(line)?.[1];
					if (sequence !== undefined) onUpdate(Number(sequence));
				}
			});
			response.on("error", () => response.destroy());
		});
		request.on("error", (error) => (watcher.ended.signal.aborted ? resolve() : reject(error)));
	});
}

async function prepare(client: ApiClient): Promise<string> {
	const ignoringExisting = (error: unknown) => {
		if ((error as { code?: unknown }).code !== 409) throw error;
	};
	await client
		.resource<Namespace>(namespaces)
		.create("", { metadata: { name: namespace } })
		.catch(ignoringExisting);
	const api = client.resource<ConfigMap>(configMaps);
	await api.create(namespace, { metadata: { name }, data: { sequence: "none" } }).catch(ignoringExisting);
	return (await api.get(namespace, name)).metadata.resourceVersion ?? "";
}

export interface FanoutOptions {
	readonly kubeconfig: string;
	readonly server?: string;
	readonly watchers: number;
	readonly updates: number;
	readonly rate: number;
	readonly valueSize: number;
	readonly onProgress: (text: string) => void;
}

export async function benchWatchFanout(options: FanoutOptions): Promise<FanoutResult> {
	const access = loadKubeconfig(options.kubeconfig);
	const server = options.server ?? access.server;
	const client = createApiClient({ kubeconfig: options.kubeconfig, server, userAgent: "barque-bench" });
	const agent = new https.Agent({
		ca: access.ca,
		cert: access.cert,
		key: access.key,
		maxSockets: Number.POSITIVE_INFINITY,
	});
	const watchers = Array.from({ length: options.watchers }, (): Watcher => ({ ended: new AbortController(), seen: 0 }));
	const histogram = new Histogram();
	const sentAt = new Map<number, number>();
	let delivered = 0;
	try {
		const resourceVersion = await prepare(client);
		for (let i = 0; i < watchers.length; i += connectAtOnce) {
			await Promise.all(
				watchers.slice(i, i + connectAtOnce).map((watcher) =>
					openWatch(agent, server, resourceVersion, watcher, (sequence) => {
						const sent = sentAt.get(sequence);
						if (sent === undefined) return;
						histogram.record(performance.now() - sent);
						watcher.seen++;
						delivered++;
					}),
				),
			);
			options.onProgress(`${Math.min(i + connectAtOnce, watchers.length)} of ${watchers.length} watches open`);
		}
		const started = performance.now();
		const api = client.resource<ConfigMap>(configMaps);
		const value = "x".repeat(options.valueSize);
		for (let sequence = 0; sequence < options.updates; sequence++) {
			await delay(Math.max(0, started + (sequence * 1000) / options.rate - performance.now()));
			sentAt.set(sequence, performance.now());
			await api.patch(namespace, name, "merge", { data: { sequence: String(sequence), value } });
			if (sequence % Math.ceil(options.rate * 2) === 0) options.onProgress(`${sequence} of ${options.updates} updates`);
		}
		const expected = options.updates * options.watchers;
		const deadline = performance.now() + settleMs;
		while (delivered < expected && performance.now() < deadline) await delay(20);
		const seconds = (performance.now() - started) / 1000;
		return {
			watchers: options.watchers,
			updates: options.updates,
			delivered,
			expected,
			seconds,
			eventsPerSecond: delivered / seconds,
			latency: histogram.summary(),
		};
	} finally {
		for (const watcher of watchers) watcher.ended.abort();
		agent.destroy();
		await client
			.resource<ConfigMap>(configMaps)
			.delete(namespace, name)
			.catch(() => undefined);
		await client.close();
	}
}

export async function runBenchWatchFanout(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(
		{
			name: "barque bench watch-fanout",
			summary: "Measures how long a change takes to reach each of many watchers of an apiserver.",
			flags,
			examples: ["barque bench watch-fanout --watchers 1000 --updates 300 --rate 10"],
		},
		argv,
	);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	if (!existsSync(values.kubeconfig)) {
		process.stderr.write(
			`barque bench: no kubeconfig at ${values.kubeconfig}: start a cluster with "barque up", or name one with --kubeconfig\n`,
		);
		return 1;
	}
	const result = await benchWatchFanout({
		kubeconfig: values.kubeconfig,
		...(values.server === "" ? {} : { server: values.server }),
		watchers: values.watchers,
		updates: values.updates,
		rate: values.rate,
		valueSize: values["value-size"],
		onProgress: (text) => void process.stderr.write(`${text}\n`),
	});
	if (values.output === "json") process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
	else {
		process.stdout.write(
			`${result.watchers} watchers, ${result.updates} updates: ${result.delivered} of ${result.expected} events in ${result.seconds.toFixed(1)} s (${Math.round(result.eventsPerSecond)}/s)\nlatency from the update's sending to each watcher:\n${renderLatency(result.latency)}`,
		);
	}
	return result.delivered === result.expected ? 0 : 1;
}
