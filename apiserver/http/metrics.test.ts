import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { SendBudget } from "../../kit/send-budget.ts";
import { Metrics } from "./metrics.ts";
import { readRequestInfo } from "./request-info.ts";

const sources = {
	inflight: () => ({ readOnly: 0, mutating: 0 }),
	watchers: () => [],
	objects: () => [],
	sendBudget: new SendBudget({ most: 1, name: "responses", logger: silentLogger }),
	historyBytes: () => 0,
};

/** Series of apiserver_request_total after these requests, as `verb group/version/resource/subresource scope component`. */
async function seriesOf(requests: readonly (readonly [method: string, url: string])[]): Promise<string[]> {
	const metrics = new Metrics(sources);
	for (const [method, url] of requests) {
		const { pathname, searchParams } = new URL(url, "https://x");
		const info = readRequestInfo(method, pathname, searchParams);
		metrics.request(info, 200, 0.001, { dryRun: false, longRunning: false, bytes: 1 });
		metrics.longRunning(info)();
	}
	const found = await metrics.registry.getSingleMetric("apiserver_request_total")?.get();
	return (found?.values ?? []).map(({ labels: l }) =>
		[l["verb"], [l["group"], l["version"], l["resource"], l["subresource"]].join(","), l["scope"], l["component"]].join(
			" ",
		),
	);
}

describe("http/metrics", () => {
	it("labels requests as kube-apiserver 1.36.1 does", async () => {
		const pods = "/api/v1/namespaces/default/pods";
		const cases: readonly (readonly [string, string, string])[] = [
			["GET", "/api/v1/pods", "LIST ,v1,pods, cluster apiserver"],
			["GET", pods, "LIST ,v1,pods, namespace apiserver"],
			["GET", `${pods}?watch=1`, "WATCH ,v1,pods, namespace apiserver"],
			["GET", `${pods}?watch=1&fieldSelector=metadata.name%3Da`, "WATCH ,v1,pods, resource apiserver"],
			["POST", pods, "POST ,v1,pods, resource apiserver"],
			["PUT", `${pods}/a/status`, "PUT ,v1,pods,status resource apiserver"],
			["DELETE", pods, "DELETECOLLECTION ,v1,pods, namespace apiserver"],
			["GET", "/apis/apps/v1/deployments", "LIST apps,v1,deployments, cluster apiserver"],
			["GET", "/readyz", "GET ,,,/readyz  "],
			["BREW", "/healthz", "other ,,,/healthz  "],
		];
		for (const [method, url, series] of cases) assert.deepEqual(await seriesOf([[method, url]]), [series], url);
	});

	it("keeps as few series however many methods and paths clients think of", async () => {
		const requests = (n: number) =>
			Array.from({ length: n }, (_, i) => [
				[`METHOD${i}`, "/api/v1/pods"],
				[`METHOD${i}`, `/x${i}`],
				["GET", `/apis/group${i}.example/v1/things`],
				["GET", `/api/v${i + 2}/pods`],
				["GET", `/api/v1/things${i}`],
				["GET", `/api/v1/namespaces/n${i}/pods/p${i}/part${i}`],
				["GET", `/api/v1/namespaces/n${i}/pods/p${i}`],
			]).flat() as [string, string][];
		assert.equal((await seriesOf(requests(200))).length, (await seriesOf(requests(2))).length);
	});
});
