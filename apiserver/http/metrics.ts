/** The apiserver's metrics, by upstream's names. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { registerBuildInfo } from "../../kit/build-info.ts";
import type { SendBudget } from "../../kit/send-budget.ts";
import { kubernetesVersion } from "../scheme/kubernetes-version.ts";
import { findResource } from "../scheme/resources.ts";
import type { RequestInfo } from "./request-info.ts";

const durationBuckets = [
	0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
/** Of the latency that objectives are about: without the shortest. */
const sliBuckets = durationBuckets.slice(2);
const sizeBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

const requestLabels = ["verb", "group", "version", "resource", "subresource", "scope", "component"] as const;

export interface WatcherCount {
	readonly group: string;
	readonly version: string;
	readonly kind: string;
	readonly count: number;
}

export interface ObjectCount {
	readonly group: string;
	readonly resource: string;
	readonly count: number;
}

export interface AnsweredRequest {
	readonly dryRun: boolean;
	readonly longRunning: boolean;
	/** Of the body. */
	readonly bytes: number;
}

export interface StoreRequest {
	readonly operation: string;
	readonly group: string;
	readonly resource: string;
	readonly failed: boolean;
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
	readonly #sli = new Histogram({
		name: "apiserver_request_sli_duration_seconds",
		help: "Response latency in seconds that service level objectives are about: without time spent in webhooks.",
		labelNames: requestLabels,
		buckets: sliBuckets,
		registers: [this.registry],
	});
	readonly #sizes = new Histogram({
		name: "apiserver_response_sizes",
		help: "Bytes of answers to reads, by verb, resource and scope.",
		labelNames: requestLabels,
		buckets: sizeBuckets,
		registers: [this.registry],
	});
	readonly #longRunning = new Gauge({
		name: "apiserver_longrunning_requests",
		help: "Watches, logs and other requests without a time limit that are being served.",
		labelNames: requestLabels,
		registers: [this.registry],
	});
	readonly #store = new Histogram({
		name: "etcd_request_duration_seconds",
		help: "Latency of requests to the store in seconds, by operation and resource.",
		labelNames: ["operation", "group", "resource"],
		buckets: durationBuckets,
		registers: [this.registry],
	});
	readonly #storeRequests = new Counter({
		name: "etcd_requests_total",
		help: "Requests to the store, by operation and resource.",
		labelNames: ["operation", "group", "resource"],
		registers: [this.registry],
	});
	readonly #storeErrors = new Counter({
		name: "etcd_request_errors_total",
		help: "Requests to the store that failed, by operation and resource.",
		labelNames: ["operation", "group", "resource"],
		registers: [this.registry],
	});

	constructor(sources: {
		readonly inflight: () => { readonly readOnly: number; readonly mutating: number };
		readonly watchers: () => Iterable<WatcherCount>;
		readonly objects: () => Iterable<ObjectCount>;
		readonly historyBytes: () => number;
		readonly sendBudget: SendBudget;
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
		registerBuildInfo(this.registry, kubernetesVersion);
		new Gauge({
			name: "apiserver_resource_objects",
			help: "Stored objects, by group and resource.",
			labelNames: ["group", "resource"],
			registers: [this.registry],
			collect() {
				for (const { count, ...labels } of sources.objects()) this.set(labels, count);
			},
		});
		new Gauge({
			name: "apiserver_storage_objects",
			help: "Stored objects, by resource.",
			labelNames: ["resource"],
			registers: [this.registry],
			collect() {
				for (const { group, resource, count } of sources.objects()) {
					this.set({ resource: group === "" ? resource : `${resource}.${group}` }, count);
				}
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
		const { sendBudget } = sources;
		new Gauge({
			name: "apiserver_send_buffer_bytes",
			help: "Bytes that clients have not taken yet, of all responses.",
			registers: [this.registry],
			collect() {
				this.set(sendBudget.bytes);
			},
		});
		new Gauge({
			name: "apiserver_send_buffer_limit_bytes",
			help: "Bytes that may wait for clients, of all responses; beyond it the slowest are ended.",
			registers: [this.registry],
			collect() {
				this.set(sendBudget.most);
			},
		});
		new Counter({
			name: "apiserver_slow_clients_ended_total",
			help: "Responses ended because too many bytes waited for slow clients.",
			registers: [this.registry],
			collect() {
				this.reset();
				this.inc(sendBudget.ended);
			},
		});
	}

	request(info: RequestInfo, code: number, seconds: number, of: AnsweredRequest): void {
		const labels = labelsOf(info);
		const dry_run = of.dryRun ? "All" : "";
		this.#requests.inc({ ...labels, dry_run, code: String(code) });
		if (of.longRunning) return;
		this.#durations.observe({ ...labels, dry_run }, seconds);
		this.#sli.observe(labels, seconds);
		if (labels.verb === "GET" || labels.verb === "LIST") this.#sizes.observe(labels, of.bytes);
	}

	/** A request without a time limit begins; the function is called at its end. */
	longRunning(info: RequestInfo): () => void {
		const labels = labelsOf(info);
		this.#longRunning.inc(labels);
		return () => this.#longRunning.dec(labels);
	}

	store({ operation, group, resource, failed }: StoreRequest, seconds: number): void {
		const labels = { operation, group, resource };
		this.#store.observe(labels, seconds);
		this.#storeRequests.inc(labels);
		if (failed) this.#storeErrors.inc(labels);
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
/** Of paths that are no resource's. */
const methodLabels: Readonly<Record<string, string>> = {
	get: "GET",
	head: "GET",
	post: "POST",
	put: "PUT",
	patch: "PATCH",
	delete: "DELETE",
	options: "OPTIONS",
};
const otherVerb = "other";
const nonResourcePaths: ReadonlySet<string> = new Set([
	"healthz",
	"livez",
	"readyz",
	"metrics",
	"version",
	"api",
	"apis",
	"openapi",
	"openid",
]);

function isServed({ isResource, group, version, resource, subresource }: RequestInfo): boolean {
	const found = isResource ? findResource(group, version, resource) : undefined;
	return found !== undefined && (subresource === "" || found.subresources.some(({ name }) => name === subresource));
}

/**
 * As kube-apiserver 1.36.1 labels its requests. Every series is kept for good, so a label has few values, whatever methods
 * and paths clients think of: what is not served has no name here.
 */
function labelsOf(info: RequestInfo) {
	if (!isServed(info)) {
		const first = info.path.split("/", 2)[1] ?? "";
		return {
			verb: info.isResource ? (verbLabels[info.verb] ?? otherVerb) : (methodLabels[info.verb] ?? otherVerb),
			group: "",
			version: "",
			resource: "",
			subresource: !info.isResource && nonResourcePaths.has(first) ? `/${first}` : "",
			scope: "",
			component: "",
		};
	}
	return {
		verb: verbLabels[info.verb] ?? otherVerb,
		group: info.group,
		version: info.version,
		resource: info.resource,
		subresource: info.subresource,
		scope: scopeOf(info),
		component: "apiserver",
	};
}

function scopeOf({ name, verb, namespace }: RequestInfo): string {
	if (name !== "" || verb === "create") return "resource";
	return namespace === "" ? "cluster" : "namespace";
}
