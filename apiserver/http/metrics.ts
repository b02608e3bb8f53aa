/** The apiserver's metrics, by upstream's names. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RequestInfo } from "./request-info.ts";

const durationBuckets = [
	0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const storeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10];

export interface WatcherCount {
	readonly group: string;
	readonly version: string;
	readonly kind: string;
	readonly count: number;
}

export class Metrics {
	readonly registry = new Registry();
	readonly #requests = new Counter({
		name: "apiserver_request_total",
		help: "Requests by verb, resource, scope and HTTP response code.",
		labelNames: ["verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component", "code"],
		registers: [this.registry],
	});
	readonly #durations = new Histogram({
		name: "apiserver_request_duration_seconds",
		help: "Response latency in seconds by verb, resource and scope; watches and other long-running requests excluded.",
		labelNames: ["verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component"],
		buckets: durationBuckets,
		registers: [this.registry],
	});
	readonly #store = new Histogram({
		name: "etcd_request_duration_seconds",
		help: "Latency of requests to the store in seconds, by operation.",
		labelNames: ["operation"],
		buckets: storeBuckets,
		registers: [this.registry],
	});

	constructor(sources: {
		readonly inflight: () => { readonly readOnly: number; readonly mutating: number };
		readonly watchers: () => Iterable<WatcherCount>;
		readonly objects: () => Iterable<readonly [resource: string, count: number]>;
		readonly historyBytes: () => number;
	}) {
		collectDefaultMetrics({ register: this.registry });
		new Gauge({
			name: "apiserver_current_inflight_requests",
			help: "Requests being served, by kind; long-running ones excluded.",
			labelNames: ["request_kind"],
			registers: [this.registry],
			collect() {
				const { readOnly, mutating } = sources.inflight();
				this.set({ request_kind: "readOnly" }, readOnly);
				this.set({ request_kind: "mutating" }, mutating);
			},
		});
		new Gauge({
			name: "apiserver_registered_watchers",
			help: "Open watches, by resource.",
			labelNames: ["group", "version", "kind"],
			registers: [this.registry],
			collect() {
				this.reset();
				for (const { count, ...labels } of sources.watchers()) this.set(labels, count);
			},
		});
		new Gauge({
			name: "apiserver_storage_objects",
			help: "Stored objects, by resource.",
			labelNames: ["resource"],
			registers: [this.registry],
			collect() {
				for (const [resource, count] of sources.objects()) this.set({ resource }, count);
			},
		});
		new Gauge({
			name: "apiserver_watch_cache_history_bytes",
			help: "Bytes kept so that watches can resume.",
			registers: [this.registry],
			collect() {
				this.set(sources.historyBytes());
			},
		});
	}

	request(info: RequestInfo, code: number, seconds: number, options: { dryRun: boolean; longRunning: boolean }): void {
		const labels = {
			verb: info.isResource ? (verbLabels[info.verb] ?? info.verb.toUpperCase()) : info.verb.toUpperCase(),
			dry_run: options.dryRun ? "All" : "",
			group: info.group,
			version: info.version,
			resource: info.resource,
			subresource: info.isResource ? info.subresource : nonResourceLabel(info.path),
			scope: scopeOf(info),
			component: "apiserver",
		};
		this.#requests.inc({ ...labels, code: String(code) });
		if (!options.longRunning) this.#durations.observe(labels, seconds);
	}

	store(operation: string, seconds: number): void {
		this.#store.observe({ operation }, seconds);
	}
}

const verbLabels: Readonly<Record<string, string>> = {
	create: "POST",
	update: "PUT",
	patch: "PATCH",
	delete: "DELETE",
	deletecollection: "DELETECOLLECTION",
	get: "GET",
	list: "LIST",
	watch: "WATCH",
};

/** Few values, whatever paths clients think of. */
const nonResourceLabel = (path: string) => {
	const first = path.split("/")[1] ?? "";
	return ["healthz", "livez", "readyz", "metrics", "version", "api", "apis", "openapi", "openid"].includes(first)
		? `/${first}`
		: "";
};

function scopeOf(info: RequestInfo): string {
	if (!info.isResource) return "";
	if (info.name !== "") return "resource";
	return info.namespace === "" ? "cluster" : "namespace";
}
