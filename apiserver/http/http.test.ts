import assert from "node:assert/strict";
import { listTransforms, negotiate, objectTransforms, parseAccept } from "./negotiate.ts";
import { warningHeaders } from "./render.ts";
import { isLongRunning, readRequestInfo } from "./request-info.ts";
import type { ApiRequest } from "./types.ts";

const info = (method: string, url: string) => {
	const [path = "", query = ""] = url.split("?");
	const { verb, group, version, namespace, resource, subresource, name } = readRequestInfo(
		method,
		path,
		new URLSearchParams(query),
	);
	return [verb, `${group}/${version}`, namespace, resource, subresource, name].join(" ");
};

const accepting = (accept: string, agent = "kubectl"): ApiRequest =>
	({ headers: { accept, "user-agent": agent }, query: new URLSearchParams() }) as unknown as ApiRequest;

describe("http", () => {
	it("reads what a request is about", () => {
		assert.equal(info("GET", "/api/v1/pods"), "list /v1  pods  ");
		assert.equal(info("GET", "/api/v1/namespaces/a/pods?watch=true"), "watch /v1 a pods  ");
		assert.equal(info("GET", "/api/v1/namespaces/a/pods/p/log"), "get /v1 a pods log p");
		assert.equal(info("GET", "/api/v1/namespaces/a"), "get /v1 a namespaces  a");
		assert.equal(info("PUT", "/api/v1/namespaces/a/finalize"), "update /v1 a namespaces finalize a");
		assert.equal(info("DELETE", "/apis/apps/v1/namespaces/a/deployments"), "deletecollection apps/v1 a deployments  ");
		assert.equal(
			info("PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale"),
			"patch apps/v1 a deployments scale d",
		);
		assert.equal(info("GET", "/api/v1/watch/namespaces/a/pods/p"), "watch /v1 a pods  p");
		assert.equal(info("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dp"), "list /v1  pods  p");
		assert.equal(info("GET", "/apis/apps/v1"), "get /    ");
		assert.equal(info("GET", "/api/v1/nodes/%zz"), "get /v1  nodes  %zz");
		assert.equal(isLongRunning(readRequestInfo("GET", "/api/v1/pods", new URLSearchParams("watch=1"))), true);
		assert.equal(isLongRunning(readRequestInfo("GET", "/api/v1/pods", new URLSearchParams("watch=0"))), false);
	});

	it("negotiates the first representation that can be served", () => {
		const table =
			"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
		assert.equal(negotiate(accepting(table), listTransforms).transform.as, "Table");
		assert.equal(negotiate(accepting(table), new Set()).transform.as, "none");
		assert.equal(
			negotiate(accepting("application/vnd.kubernetes.protobuf,application/json"), objectTransforms).format,
			"json",
		);
		assert.equal(negotiate(accepting("application/vnd.kubernetes.protobuf"), objectTransforms).format, "protobuf");
		assert.equal(negotiate(accepting("application/yaml"), objectTransforms).format, "yaml");
		assert.equal(negotiate(accepting("*/*", "curl/8"), objectTransforms).pretty, true);
		assert.throws(() => negotiate(accepting("application/cbor"), objectTransforms), {
			code: 406,
			message:
				"406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf",
		});
		assert.deepEqual(
			parseAccept(["text/html;q=0.1, application/json;q=0.9"]).map((c) => c.type),
			["application/json", "text/html"],
		);
	});

	it("writes warnings that cannot break out of their header", () => {
		assert.deepEqual(warningHeaders(['a "b" \\ \n c', "x", "x"]), {
			warning: ['299 - "a \\"b\\" \\\\   c"', '299 - "x"'],
		});
	});
});
