/** What upstream's components tell of themselves, by the same names: their requests, their work queues, their build. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RunningWorkQueue } from "./workqueue.ts";

/** Told of every request of a client. */
export interface RequestObserver {
	/** One attempt was answered, or failed: then `code` is "<error>". Durations and sizes are absent for watches. */
	answered(request: {
		readonly method: string;
		readonly host: string;
		readonly code: string;
		readonly seconds?: number;
		readonly requestBytes?: number;
		readonly responseBytes?: number;
	}): void;
	/** The answer `code` asked to try again. */
	retried(method: string, host: string, code: string): void;
	/** The client's own rate limit let the request wait so long. */
	limited(method: string, host: string, seconds: number): void;
}

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const bytes = [64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

/** `rest_client_*`: one observer serves all clients of a process. */
export function requestMetrics(registry: Registry): RequestObserver {
	const registers = [registry];
	const byVerb = { labelNames: ["verb", "host"] as const, registers };
	const duration = new Histogram({
		...byVerb,
		name: "rest_client_request_duration_seconds",
		help: "Request latency in seconds. Broken down by verb, and host.",
		buckets: seconds,
	});
	const requestSize = new Histogram({
		...byVerb,
		name: "rest_client_request_size_bytes",
		help: "Request size in bytes. Broken down by verb and host.",
		buckets: bytes,
	});
	const responseSize = new Histogram({
		...byVerb,
		name: "rest_client_response_size_bytes",
		help: "Response size in bytes. Broken down by verb and host.",
		buckets: bytes,
	});
	const limiter = new Histogram({
		...byVerb,
		name: "rest_client_rate_limiter_duration_seconds",
		help: "Client side rate limiter latency in seconds. Broken down by verb, and host.",
		buckets: seconds,
	});
	const requests = new Counter({
		name: "rest_client_requests_total",
		help: "Number of HTTP requests, partitioned by status code, method, and host.",
		labelNames: ["code", "method", "host"],
		registers,
	});
	const retries = new Counter({
		name: "rest_client_request_retries_total",
		help: "Number of request retries, partitioned by status code, verb, and host.",
		labelNames: ["code", "verb", "host"],
		registers,
	});
	return {
		answered({ method, host, code, ...sizes }) {
			requests.inc({ code, method, host });
			const labels = { verb: method, host };
			if (sizes.seconds !== undefined) duration.observe(labels, sizes.seconds);
			if (sizes.requestBytes !== undefined) requestSize.observe(labels, sizes.requestBytes);
			if (sizes.responseBytes !== undefined) responseSize.observe(labels, sizes.responseBytes);
		},
		retried: (verb, host, code) => retries.inc({ code, verb, host }),
		limited: (verb, host, waited) => limiter.observe({ verb, host }, waited),
	};
}

/** 10 ns to 10 s, by tens. */
const queueBuckets = Array.from({ length: 10 }, (_, i) => 1e-8 * 10 ** i);

/** `workqueue_*` of all queues that are given to what it returns, each under the name that upstream's has. */
export function queueMetrics(registry: Registry): (name: string, queue: RunningWorkQueue) => void {
	const queues = new Map<string, RunningWorkQueue>();
	const common = { labelNames: ["name"] as const, registers: [registry] };
	const gauge = (name: string, help: string, read: (queue: RunningWorkQueue) => number) =>
		new Gauge({
			...common,
			name,
			help,
			collect() {
				for (const [queueName, queue] of queues) this.set({ name: queueName }, read(queue));
			},
		});
	const counter = (name: string, help: string, read: (queue: RunningWorkQueue) => number) =>
		new Counter({
			...common,
			name,
			help,
			collect() {
				this.reset();
				for (const [queueName, queue] of queues) this.inc({ name: queueName }, read(queue));
			},
		});
	gauge("workqueue_depth", "Current depth of workqueue", ({ metrics }) => metrics.depth);
	gauge(
		"workqueue_unfinished_work_seconds",
		"How many seconds of work has been done that is in progress and hasn't been observed by work_duration.",
		({ metrics }) => metrics.unfinishedSeconds,
	);
	gauge(
		"workqueue_longest_running_processor_seconds",
		"How many seconds has the longest running processor for workqueue been running.",
		({ metrics }) => metrics.longestRunningSeconds,
	);
	counter("workqueue_adds_total", "Total number of adds handled by workqueue", ({ metrics }) => metrics.adds);
	counter("workqueue_retries_total", "Total number of retries handled by workqueue", ({ metrics }) => metrics.retries);
	const waited = new Histogram({
		...common,
		name: "workqueue_queue_duration_seconds",
		help: "How long in seconds an item stays in workqueue before being requested.",
		buckets: queueBuckets,
	});
	const worked = new Histogram({
		...common,
		name: "workqueue_work_duration_seconds",
		help: "How long in seconds processing an item from workqueue takes.",
		buckets: queueBuckets,
	});
	return (name, queue) => {
		queues.set(name, queue);
		queue.observe({
			waited: (time) => waited.observe({ name }, time),
			worked: (time) => worked.observe({ name }, time),
		});
	};
}
