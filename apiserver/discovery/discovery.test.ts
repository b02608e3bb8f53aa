import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { skip } from "../../test/skip.ts";
import { openapiResponse } from "../openapi/openapi.ts";
import { allResources } from "../scheme/resources.ts";
import { discoveryResponse } from "./discovery.ts";

const v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const v2beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

function get(path: string, accept?: string) {
	const response = discoveryResponse(path, accept, "10.0.0.1:6443");
	assert.ok(response, path);
	return { ...response, document: JSON.parse(response.body.toString()) as Record<string, never> };
}

describe("discovery", () => {
	it("gives each client the newest form it accepts, and never one it does not", () => {
		assert.equal(get("/apis", `${v2},${v2beta1},application/json`).document["apiVersion"], "apidiscovery.k8s.io/v2");
		assert.equal(get("/apis", `${v2},application/json`).contentType, v2);
		assert.equal(get("/api", `${v2beta1},application/json`).document["apiVersion"], "apidiscovery.k8s.io/v2beta1");
		for (const accept of [undefined, "", "application/json", "*/*", "application/vnd.kubernetes.protobuf,*/*"]) {
			assert.equal(get("/apis", accept).document["kind"], "APIGroupList", accept);
			assert.equal(get("/api", accept).document["kind"], "APIVersions", accept);
		}
		assert.equal(get("/apis", `${v2};q=0.5,application/json`).document["kind"], "APIGroupList");
		assert.equal(discoveryResponse("/apis", "text/html")?.status, 406);
	});

	it("has an ETag that changes with the document", () => {
		const one = get("/apis", v2);
		assert.match(one.etag, /^"[0-9A-F]{128}"$/);
		assert.equal(one.etag, get("/apis", v2).etag);
		assert.notEqual(one.etag, get("/apis", v2beta1).etag);
	});

	it("lists resources and their parts", () => {
		const core = get("/api/v1").document as unknown as {
			resources: { name: string; group?: string; verbs: string[] }[];
		};
		const byName = new Map(core.resources.map((r) => [r.name, r]));
		assert.deepEqual(byName.get("pods/eviction"), {
			name: "pods/eviction",
			singularName: "",
			namespaced: true,
			group: "policy",
			version: "v1",
			kind: "Eviction",
			verbs: ["create"],
		});
		assert.ok(byName.has("namespaces/finalize"));
		assert.deepEqual(byName.get("bindings")?.verbs, ["create"]);
		for (const path of ["/apis/nope", "/apis/apps/v9", "/api/v2", "/apis//v1", "/version", "/api/v1/pods"]) {
			assert.equal(discoveryResponse(path), undefined, path);
		}
		assert.equal(get("/apis/apps/").document["kind"], "APIGroup");
	});
});

describe("openapi", () => {
	interface Schema {
		properties?: Record<string, Record<string, unknown>>;
		required?: string[];
	}
	interface Document {
		paths: Record<
			string,
			Record<string, { "x-kubernetes-group-version-kind"?: object; parameters?: { name: string }[] }>
		>;
		components: { schemas: Record<string, Schema> };
	}
	const load = (path: string): Document => {
		const response = openapiResponse(path);
		assert.ok(response, path);
		return JSON.parse(response.body.toString()) as Document;
	};

	it("indexes documents by their hash", () => {
		const { paths } = JSON.parse(openapiResponse("/openapi/v3")?.body.toString() ?? "") as {
			paths: Record<string, { serverRelativeURL: string }>;
		};
		const url = new URL(paths["apis/apps/v1"]?.serverRelativeURL ?? "", "http://x");
		const response = openapiResponse(url.pathname, url.search.slice(1));
		assert.equal(response?.status, 200);
		assert.match(response?.cacheControl ?? "", /immutable/);
		assert.equal(openapiResponse(url.pathname, "hash=OLD")?.location, `${url.pathname}${url.search}`);
		assert.equal(openapiResponse("/openapi/v3/apis/none/v1"), undefined);
	});

	it("marks each kind's patch with the fieldValidation parameter", () => {
		for (const resource of allResources.filter((r) => r.verbs.includes("patch"))) {
			const gv = resource.group === "" ? "api/v1" : `apis/${resource.group}/${resource.version}`;
			const { paths } = load(`/openapi/v3/${gv}`);
			const patches = Object.values(paths).flatMap((p) => (p["patch"] === undefined ? [] : [p["patch"]]));
			const own = patches.find(
				(p) => (p["x-kubernetes-group-version-kind"] as { kind?: string } | undefined)?.kind === resource.kind,
			);
			assert.ok(
				own?.parameters?.some((p) => p.name === "fieldValidation"),
				resource.resource,
			);
		}
	});

	it("has every reference it makes", () => {
		for (const gv of ["api/v1", "apis/apps/v1", "apis/events.k8s.io/v1", "apis/authorization.k8s.io/v1"]) {
			const document = load(`/openapi/v3/${gv}`);
			const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
			for (const [, name = ""] of references) assert.ok(document.components.schemas[name], name);
		}
	});

	it("has one document of all groups for older clients", () => {
		const response = openapiResponse("/openapi/v2", "", "application/json");
		const { definitions, paths } = JSON.parse(response?.body.toString() ?? "") as {
			definitions: Record<string, { "x-kubernetes-group-version-kind"?: object[] }>;
			paths: Record<string, object>;
		};
		assert.ok(paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]);
		const options = definitions["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"];
		assert.ok((options?.["x-kubernetes-group-version-kind"]?.length ?? 0) > 5);
		for (const [, name = ""] of response?.body.toString().matchAll(/"#\/definitions\/([^"]+)"/g) ?? []) {
			assert.ok(definitions[name], name);
		}
		const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
		assert.match(openapiResponse("/openapi/v2", "", accept)?.contentType ?? "", /protobuf$/);
	});

	it("agrees with upstream's schema facts", function () {
		let facts: Record<string, { fields: Record<string, unknown>; required?: string[] }>;
		try {
			facts = JSON.parse(
				readFileSync(new URL("../../../shared/kubernetes-facts/schema.json", import.meta.url), "utf8"),
			) as typeof facts;
		} catch {
			skip(this, "no schema facts beside the repository");
		}
		const { schemas } = load("/openapi/v3/api/v1").components;
		let compared = 0;
		for (const [name, schema] of Object.entries(schemas)) {
			const fact = facts[name];
			if (fact === undefined || schema.properties === undefined) continue;
			compared++;
			assert.deepEqual(Object.keys(schema.properties).sort(), Object.keys(fact.fields).sort(), name);
			assert.deepEqual([...(schema.required ?? [])].sort(), [...(fact.required ?? [])].sort(), name);
			for (const [field, value] of Object.entries(fact.fields)) {
				const { patchMergeKey, patchStrategy, listType } = (typeof value === "object" ? value : {}) as Record<
					string,
					string
				>;
				const own: Record<string, unknown> = schema.properties[field] ?? {};
				assert.equal(own["x-kubernetes-patch-merge-key"], patchMergeKey, `${name}.${field}`);
				assert.equal(own["x-kubernetes-patch-strategy"], patchStrategy, `${name}.${field}`);
				assert.equal(own["x-kubernetes-list-type"], listType, `${name}.${field}`);
			}
		}
		assert.ok(compared > 100, String(compared));
	});
});
