import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { registerBuildInfo } from "../../kit/build-info.ts";
import { silentLogger } from "../../kit/log.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { kubernetesVersion } from "../scheme/kubernetes-version.ts";
import { queueMetrics, requestMetrics } from "./metrics.ts";
import { configMaps } from "./resources.ts";
import { createApiClient } from "./rest.ts";
import { createWorkQueue } from "./workqueue.ts";

/** Lines of the text format without help, by name and labels. */
async function samples(registry: Registry): Promise<Map<string, number>> {
	const lines = (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
	return new Map(
		lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
	);
}

describe("metrics of clients", () => {
	it("tell of queues under upstream's names and labels", async () => {
		const clock = new VirtualClock({ turns: 5 });
		const registry = new Registry();
		const watch = queueMetrics(registry);
		let tries = 0;
		const queue = createWorkQueue({
			name: "ours",
			clock,
			logger: silentLogger,
			autoStart: false,
			async process(key) {
				if (key === "slow") await new Promise<void>((resolve) => void clock.after(3000, resolve));
				else if (++tries === 1) throw new Error("once more");
			},
		});
		watch("endpoint_slice", queue);
		queue.add("a");
		queue.add("slow");
		await clock.runFor(2000);
		queue.start();
		await clock.runFor(1500);
		const name = '{name="endpoint_slice"}';
		const seen = await samples(registry);
		assert.equal(seen.get(`workqueue_adds_total${name}`), 3);
		assert.equal(seen.get(`workqueue_retries_total${name}`), 1);
		assert.equal(seen.get(`workqueue_depth${name}`), 1, "the second try waits for the slow key");
		assert.equal(seen.get(`workqueue_unfinished_work_seconds${name}`), 1.5);
		assert.equal(seen.get(`workqueue_longest_running_processor_seconds${name}`), 1.5);
		assert.equal(seen.get(`workqueue_queue_duration_seconds_sum${name}`), 4);
		assert.equal(seen.get(`workqueue_work_duration_seconds_count${name}`), 1);
		await clock.runFor(5000);
		assert.equal((await samples(registry)).get(`workqueue_work_duration_seconds_sum${name}`), 3);
		queue.stop();
	});

	it("tell of requests under upstream's names and labels", async () => {
		let busy = true;
		const server = http.createServer((request, response) => {
			request.resume();
			if (request.url?.includes("watch=") === true) response.writeHead(200).end();
			else if (busy) {
				busy = false;
				response.writeHead(429, { "retry-after": "0" }).end();
			} else response.writeHead(request.method === "POST" ? 404 : 200).end('{"kind":"ConfigMapList","items":[]}');
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
		const registry = new Registry();
		const client = createApiClient({ server: `http://${host}`, observer: requestMetrics(registry), qps: 1000 });
		try {
			await client.resource(configMaps).list("");
			await assert.rejects(client.resource(configMaps).create("default", { metadata: { name: "x" } }));
			for await (const _ of client.resource(configMaps).watch("", {}, new AbortController().signal)) break;
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
			await assert.rejects(client.resource(configMaps).get("default", "x"));
			const seen = await samples(registry);
			const total = (code: string, method: string) =>
				seen.get(`rest_client_requests_total{code="${code}",method="${method}",host="${host}"}`);
			assert.deepEqual([total("429", "GET"), total("200", "GET"), total("404", "POST")], [1, 2, 1]);
			assert((total("<error>", "GET") ?? 0) >= 1);
			assert.equal(seen.get(`rest_client_request_retries_total{code="429",verb="GET",host="${host}"}`), 1);
			const by = (metric: string, verb: string) => seen.get(`rest_client_${metric}{verb="${verb}",host="${host}"}`);
			assert.equal(by("response_size_bytes_sum", "GET"), 35);
			assert.equal(by("response_size_bytes_count", "GET"), 2, "a watch has no size, and no duration");
			assert.equal(by("request_size_bytes_sum", "POST"), Buffer.byteLength('{"metadata":{"name":"x"}}'));
			assert.equal(by("request_duration_seconds_count", "POST"), 1);
			assert((by("rate_limiter_duration_seconds_count", "GET") ?? 0) >= 2);
		} finally {
			await client.close();
		}
	});

	it("tell of the build", async () => {
		const registry = new Registry();
		registerBuildInfo(registry, kubernetesVersion);
		const text = await registry.metrics();
		assert.match(text, /^kubernetes_build_info\{major="1",minor="\d+",git_version="v1\.[^"]+",git_commit="",.*\} 1$/m);
	});
});
