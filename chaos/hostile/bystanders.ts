/** Those who only want their work done: their answers are timed, and what they were told is remembered. */

import http from "node:http";
import https from "node:https";
import type { ApiClient } from "../../apiserver/client/types.ts";
import type { StoreClient } from "../../store/api.ts";
import type { Listener } from "./listeners.ts";

/** Answers of one bystander, with and without attacks going on. */
export class Latencies {
	readonly name: string;
	readonly #ms = { before: [] as number[], during: [] as number[] };
	failed = 0;

	constructor(name: string) {
		this.name = name;
	}

	record(phase: "before" | "during", ms: number): void {
		this.#ms[phase].push(ms);
	}

	count(phase: "before" | "during"): number {
		return this.#ms[phase].length;
	}

	/** `share` of the answers took at most so long, ms; NaN without answers. */
	quantile(phase: "before" | "during", share: number): number {
		const sorted = this.#ms[phase].toSorted((a, b) => a - b);
		return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
	}
}

export interface Bystander {
	readonly latencies: Latencies;
	/** One piece of work; throws where it is refused or its outcome unknown. */
	work(i: number): Promise<void>;
	/** What was acknowledged and is gone. */
	lost(): Promise<string[]>;
}

export function storeBystander(client: StoreClient): Bystander {
	const acknowledged = new Map<string, string>();
	const key = (name: string) => Buffer.from(`hostile/${name}`);
	return {
		latencies: new Latencies("store client: put and get"),
		async work(i) {
			const [name, value] = [String(i), `v${i}`];
			await client.put({ key: key(name), value: Buffer.from(value) });
			acknowledged.set(name, value);
			const { kvs } = await client.range({ key: key(name) });
			if (kvs[0]?.value.toString() !== value) throw new Error(`${name} is not what was acknowledged`);
		},
		async lost() {
			const { kvs } = await client.range({ key: key(""), rangeEnd: Buffer.from("hostile0") });
			const found = new Map(kvs.map((kv) => [kv.key.toString().slice("hostile/".length), kv.value.toString()]));
			return [...acknowledged]
				.filter(([name, value]) => found.get(name) !== value)
				.map(([name]) => `store key ${name}`);
		},
	};
}

export function apiBystander(client: ApiClient): Bystander {
	const maps = client.resource<object>({ group: "", version: "v1", resource: "configmaps" });
	const acknowledged = new Set<string>();
	const nameOf = (i: number) => `hostile-${i}`;
	return {
		latencies: new Latencies("kubectl's way: create and get"),
		async work(i) {
			const metadata = { name: nameOf(i), namespace: "default" };
			await maps.create("default", { metadata, data: { i: String(i) } });
			acknowledged.add(nameOf(i));
			await maps.get("default", nameOf(i));
		},
		async lost() {
			const { items } = await maps.list("default");
			const found = new Set(items.map(({ metadata }) => metadata.name));
			return [...acknowledged].filter((name) => !found.has(name)).map((name) => `configmap ${name}`);
		},
	};
}

const probeMs = 10_000;

/** The status a process that lives answers its probe with, or why none came. */
export function probe({ host, port, tls, livez }: Listener): Promise<number | string> {
	return new Promise((resolve) => {
		const options = { host, port, path: livez ?? "/livez", timeout: probeMs, agent: false } as const;
		const answered = (response: http.IncomingMessage) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		};
		const request =
			tls === undefined
				? http.get(options, answered)
				: https.get({ ...options, rejectUnauthorized: false, cert: tls.cert, key: tls.key }, answered);
		request.on("timeout", () => request.destroy(new Error("no answer in time")));
		request.on("error", (error) => resolve(error.message));
	});
}
