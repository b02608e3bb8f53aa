// The generic verbs through a real server: TLS, filters, storage, cache.
import assert from "node:assert/strict";
import { type Harness, startHarness } from "../testing/harness.ts";

const configMap = (name: string, data: Record<string, string> = {}, more: object = {}) => ({
	apiVersion: "v1",
	kind: "ConfigMap",
	metadata: { name, ...more },
	data,
});

describe("registry/verbs", () => {
	let h: Harness;
	const maps = "/api/v1/namespaces/default/configmaps";

	before(async () => {
		h = await startHarness();
		await h.call("POST", "/api/v1/namespaces/default/serviceaccounts", {
			body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } },
		});
	});
	after(() => h.close());

	it("creates, gets, updates and deletes", async () => {
		const made = await h.call("POST", maps, { body: configMap("crud", { a: "1" }) });
		assert.equal(made.status, 201);
		assert.equal(made.body.metadata.namespace, "default");
		assert.match(made.body.metadata.uid, /^[0-9a-f-]{36}$/);
		const got = await h.call("GET", `${maps}/crud`);
		assert.deepEqual(got.body, made.body);
		const put = await h.call("PUT", `${maps}/crud`, { body: { ...got.body, data: { a: "2" } } });
		assert.equal(put.status, 200);
		assert.ok(Number(put.body.metadata.resourceVersion) > Number(got.body.metadata.resourceVersion));
		const same = await h.call("PUT", `${maps}/crud`, { body: put.body });
		assert.equal(same.body.metadata.resourceVersion, put.body.metadata.resourceVersion);
		const deleted = await h.call("DELETE", `${maps}/crud`);
		assert.equal(deleted.status, 200);
		assert.deepEqual(deleted.body, {
			kind: "Status",
			apiVersion: "v1",
			metadata: {},
			status: "Success",
			details: { name: "crud", kind: "configmaps", uid: made.body.metadata.uid },
		});
		const gone = await h.call("GET", `${maps}/crud`);
		assert.equal(gone.status, 404);
		assert.equal(gone.body.message, 'configmaps "crud" not found');
	});

	it("refuses the writes of who names a lease that another holds", async () => {
		const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
		const lease = (holderIdentity: string) => ({
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name: "led" },
			spec: { holderIdentity, leaseDurationSeconds: 15 },
		});
		const { metadata } = (await h.call("POST", leases, { body: lease("host_1") })).body;
		const as = (holder: string) => ({ headers: { "barque-fence": `default/led ${holder}` } });
		const made = await h.call("POST", maps, { body: configMap("fenced", { n: "0" }), ...as("host_1") });
		assert.equal(made.status, 201);
		const taken = await h.call("PUT", `${leases}/led`, { body: { ...lease("host_2"), metadata } });
		assert.equal(taken.status, 200, taken.text);
		for (const [method, path, body] of [
			["POST", maps, configMap("fenced-2")],
			["PUT", `${maps}/fenced`, configMap("fenced", { n: "1" })],
			["DELETE", `${maps}/fenced`, undefined],
		] as const) {
			const refused = await h.call(method, path, { ...(body === undefined ? {} : { body }), ...as("host_1") });
			assert.deepEqual(
				[refused.status, refused.body.reason, refused.body.message],
				[
					409,
					"Conflict",
					'Operation cannot be fulfilled on leases.coordination.k8s.io "led": another holds the lease, so nothing was written',
				],
			);
		}
		assert.deepEqual((await h.call("GET", `${maps}/fenced`, as("host_1"))).body.data, { n: "0" });
		assert.equal((await h.call("DELETE", `${maps}/fenced`, as("host_2"))).status, 200);
		const wrong = await h.call("POST", maps, { body: configMap("x"), headers: { "barque-fence": "led" } });
		assert.deepEqual([wrong.status, wrong.body.message], [400, 'barque-fence: "led" is not NAMESPACE/NAME HOLDER']);
	});

	it("refuses what is there already, and stale and foreign writes", async () => {
		await h.call("POST", maps, { body: configMap("twice", { n: "0" }) });
		const again = await h.call("POST", maps, { body: configMap("twice") });
		assert.equal(again.status, 409);
		assert.equal(again.body.reason, "AlreadyExists");
		const first = (await h.call("GET", `${maps}/twice`)).body;
		await h.call("PUT", `${maps}/twice`, { body: { ...first, data: { n: "1" } } });
		const stale = await h.call("PUT", `${maps}/twice`, { body: { ...first, data: { n: "2" } } });
		assert.equal(stale.status, 409);
		assert.equal(
			stale.body.message,
			'Operation cannot be fulfilled on configmaps "twice": the object has been modified; please apply your changes to the latest version and try again',
		);
		const uid = "00000000-0000-4000-8000-000000000000";
		const foreign = await h.call("PUT", `${maps}/twice`, { body: configMap("twice", {}, { uid }) });
		assert.equal(foreign.status, 409);
		assert.match(foreign.body.message, /Precondition failed: UID in precondition: 0{8}/);
		const preconditions = { uid };
		const kept = await h.call("DELETE", `${maps}/twice`, {
			body: { apiVersion: "v1", kind: "DeleteOptions", preconditions },
		});
		assert.equal(kept.status, 409);
		const unconditional = await h.call("PUT", `${maps}/twice`, { body: configMap("twice", { n: "3" }) });
		assert.equal(unconditional.status, 200);
	});

	it("gives names, and takes no resourceVersion on create", async () => {
		const made = await h.call("POST", maps, {
			body: { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "gen-" } },
		});
		assert.equal(made.status, 201);
		assert.match(made.body.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
		const named = { body: configMap("chosen", {}, { generateName: "gen-" }) };
		assert.equal((await h.call("POST", maps, named)).body.metadata.name, "chosen");
		const taken = await h.call("POST", maps, named);
		assert.equal(taken.status, 409);
		assert.equal(
			taken.body.message,
			'configmaps "chosen" already exists, the server was not able to generate a unique name for the object',
		);
		assert.deepEqual(taken.body.details, { name: "chosen", kind: "configmaps", retryAfterSeconds: 1 });
		const versioned = await h.call("POST", maps, { body: configMap("v", {}, { resourceVersion: "1" }) });
		assert.equal(versioned.status, 500);
		assert.equal(versioned.body.message, "resourceVersion should not be set on objects to be created");
	});

	it("patches in three ways, also under contention", async () => {
		await h.call("POST", maps, { body: configMap("patched", { a: "1", b: "2" }) });
		const path = `${maps}/patched`;
		const merge = await h.call("PATCH", path, {
			type: "application/merge-patch+json",
			body: { data: { a: null, c: "3" } },
		});
		assert.deepEqual(merge.body.data, { b: "2", c: "3" });
		const json = await h.call("PATCH", path, {
			type: "application/json-patch+json",
			body: [{ op: "add", path: "/data/d", value: "4" }],
		});
		assert.deepEqual(json.body.data, { b: "2", c: "3", d: "4" });
		const strategic = await h.call("PATCH", path, {
			type: "application/strategic-merge-patch+json",
			body: { metadata: { labels: { l: "v" } } },
		});
		assert.deepEqual(strategic.body.metadata.labels, { l: "v" });
		await Promise.all(
			Array.from({ length: 12 }, (_, i) =>
				h.call("PATCH", path, { type: "application/merge-patch+json", body: { data: { [`k${i}`]: "x" } } }),
			),
		);
		assert.equal(Object.keys((await h.call("GET", path)).body.data).length, 15);
		const apply = await h.call("PATCH", path, { type: "application/apply-patch+yaml", body: "{}" });
		assert.equal(apply.status, 415);
		assert.match(apply.body.message, /accepted media types include: application\/json-patch\+json/);
		const failed = await h.call("PATCH", path, {
			type: "application/json-patch+json",
			body: [{ op: "test", path: "/data/d", value: "no" }],
		});
		assert.equal(failed.status, 422);
		const stale = await h.call("PATCH", path, {
			type: "application/merge-patch+json",
			body: { metadata: { resourceVersion: "1" } },
		});
		assert.equal(stale.status, 409);
	});

	it("shows scales in tables, and errors as indented as objects", async () => {
		const path = "/apis/apps/v1/namespaces/default/replicasets";
		const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
		const spec = { replicas: 2, selector: { matchLabels: { a: "b" } }, template };
		await h.call("POST", path, {
			body: { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "scaled" }, spec },
		});
		const table = await h.call("GET", `${path}/scaled/scale`, {
			accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
		});
		assert.deepEqual(
			table.body.columnDefinitions.map((c: { name: string; type: string }) => `${c.name} ${c.type}`),
			["Name string", "Desired integer", "Available integer", "Age string"],
		);
		assert.deepEqual(table.body.rows[0].cells.slice(0, 3), ["scaled", 2, 0]);
		const partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
		assert.equal((await h.call("GET", `${path}/scaled/scale`, { accept: partial })).body.kind, "PartialObjectMetadata");
		const error = await h.call("GET", `${path}/none?pretty=1`);
		assert.equal(error.text, `${JSON.stringify(error.body, undefined, 2)}\n`);
		await h.call("DELETE", `${path}/scaled`);
	});

	it("does everything but write on a dry run", async () => {
		const before = await h.store.currentRevision();
		const made = await h.call("POST", `${maps}?dryRun=All`, { body: configMap("dry") });
		assert.equal(made.status, 201);
		assert.equal(made.body.metadata.resourceVersion, undefined);
		const service = await h.call("POST", "/api/v1/namespaces/default/services?dryRun=All", {
			body: { apiVersion: "v1", kind: "Service", metadata: { name: "dry" }, spec: { ports: [{ port: 80 }] } },
		});
		assert.equal(service.status, 201);
		assert.equal((await h.call("DELETE", "/api/v1/namespaces/default?dryRun=All")).status, 403);
		assert.equal(await h.store.currentRevision(), before);
		const bad = await h.call("POST", `${maps}?dryRun=Some`, { body: configMap("dry") });
		assert.equal(bad.status, 422);
		assert.match(bad.body.message, /dryRun: Unsupported value: \["Some"\]: supported values: "All"/);
	});

	it("keeps objects until their finalizers are gone", async () => {
		await h.call("POST", maps, { body: configMap("held", {}, { finalizers: ["example.com/hold"] }) });
		const marked = await h.call("DELETE", `${maps}/held`);
		assert.equal(marked.status, 200);
		assert.equal(marked.body.kind, "ConfigMap");
		assert.ok(marked.body.metadata.deletionTimestamp);
		const another = await h.call("POST", maps, { body: configMap("held") });
		assert.equal(another.body.reason, "AlreadyExists");
		assert.equal(another.body.message, 'object is being deleted: configmaps "held" already exists');
		assert.equal(marked.body.metadata.deletionGracePeriodSeconds, 0);
		const again = await h.call("DELETE", `${maps}/held`);
		assert.equal(again.body.metadata.resourceVersion, marked.body.metadata.resourceVersion);
		await h.call("PATCH", `${maps}/held`, {
			type: "application/merge-patch+json",
			body: { metadata: { finalizers: null } },
		});
		assert.equal((await h.call("GET", `${maps}/held`)).status, 404);
	});

	it("marks for the garbage collector as the propagation policy says", async () => {
		for (const [policy, finalizer] of [
			["Foreground", "foregroundDeletion"],
			["Orphan", "orphan"],
		]) {
			await h.call("POST", maps, { body: configMap("owner") });
			const marked = await h.call("DELETE", `${maps}/owner?propagationPolicy=${policy}`);
			assert.deepEqual(marked.body.metadata.finalizers, [finalizer]);
			await h.call("PATCH", `${maps}/owner`, {
				type: "application/json-patch+json",
				body: [{ op: "remove", path: "/metadata/finalizers" }],
			});
			assert.equal((await h.call("GET", `${maps}/owner`)).status, 404);
		}
		const bad = await h.call("DELETE", `${maps}/owner?propagationPolicy=Sideways`);
		assert.equal(bad.status, 422);
	});

	it("gives pods their grace, unless they run nowhere", async () => {
		const pods = "/api/v1/namespaces/default/pods";
		const pod = (name: string) => ({
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name },
			spec: { containers: [{ name: "c", image: "i" }], terminationGracePeriodSeconds: 20 },
		});
		const made = await h.call("POST", pods, { body: pod("p") });
		assert.equal(made.status, 201, made.text);
		assert.deepEqual(made.body.status, { phase: "Pending", qosClass: "BestEffort" });
		assert.equal((await h.call("DELETE", `${pods}/p`)).body.kind, "Pod");
		assert.equal((await h.call("GET", `${pods}/p`)).status, 404);
		await h.call("POST", pods, { body: pod("bound") });
		const bind = (node: string) =>
			h.call("POST", `${pods}/bound/binding`, {
				body: { apiVersion: "v1", kind: "Binding", metadata: { name: "bound" }, target: { kind: "Node", name: node } },
			});
		assert.equal((await bind("n1")).status, 201);
		const taken = await bind("n2");
		assert.equal(taken.status, 409);
		assert.equal(
			taken.body.message,
			'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"',
		);
		const bound = (await h.call("GET", `${pods}/bound`)).body;
		assert.equal(bound.spec.nodeName, "n1");
		assert.equal(bound.status.conditions[0].type, "PodScheduled");
		const marked = await h.call("DELETE", `${pods}/bound`);
		assert.equal(marked.body.metadata.deletionGracePeriodSeconds, 20);
		const shorter = await h.call("DELETE", `${pods}/bound?gracePeriodSeconds=5`);
		assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 5);
		assert.equal(
			Date.parse(marked.body.metadata.deletionTimestamp) - Date.parse(shorter.body.metadata.deletionTimestamp),
			15_000,
		);
		await h.call("DELETE", `${pods}/bound?gracePeriodSeconds=0`);
		assert.equal((await h.call("GET", `${pods}/bound`)).status, 404);
	});

	it("writes spec and status each through its own path, and counts generations", async () => {
		const path = "/apis/apps/v1/namespaces/default/deployments";
		const deployment = {
			apiVersion: "apps/v1",
			kind: "Deployment",
			metadata: { name: "d" },
			spec: {
				selector: { matchLabels: { a: "b" } },
				template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } },
			},
			status: { replicas: 7 },
		};
		const made = (await h.call("POST", path, { body: deployment })).body;
		assert.equal(made.metadata.generation, 1);
		assert.equal(made.status?.replicas, undefined);
		const status = await h.call("PUT", `${path}/d/status`, {
			body: { ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 3, observedGeneration: 1 } },
		});
		assert.equal(status.status, 200, status.text);
		assert.equal(status.body.status.replicas, 3);
		assert.equal(status.body.spec.replicas, 1);
		assert.equal(status.body.metadata.generation, 1);
		const scale = (await h.call("GET", `${path}/d/scale`)).body;
		assert.equal(scale.kind, "Scale");
		assert.equal(scale.spec.replicas, 1);
		assert.equal(scale.status.selector, "a=b");
		const scaled = await h.call("PATCH", `${path}/d/scale`, {
			type: "application/merge-patch+json",
			body: { spec: { replicas: 4 } },
		});
		assert.equal(scaled.body.spec.replicas, 4);
		const put = await h.call("PUT", `${path}/d/scale`, { body: { ...scaled.body, spec: { replicas: 2 } } });
		assert.equal(put.status, 200, put.text);
		const now = (await h.call("GET", `${path}/d`)).body;
		assert.equal(now.spec.replicas, 2);
		assert.equal(now.status.replicas, 3);
		assert.equal(now.metadata.generation, 3);
	});

	it("lets a namespace go when it is empty and finalized", async () => {
		const made = await h.call("POST", "/api/v1/namespaces", {
			body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "temp" } },
		});
		assert.deepEqual(made.body.spec, { finalizers: ["kubernetes"] });
		assert.equal(made.body.status.phase, "Active");
		const marked = (await h.call("DELETE", "/api/v1/namespaces/temp")).body;
		assert.equal(marked.status.phase, "Terminating");
		const refused = await h.call("POST", "/api/v1/namespaces/temp/configmaps", { body: configMap("late") });
		assert.equal(refused.status, 403);
		assert.match(refused.body.message, /because it is being terminated/);
		const ignored = await h.call("PUT", "/api/v1/namespaces/temp", { body: { ...marked, spec: {} } });
		assert.deepEqual(ignored.body.spec, { finalizers: ["kubernetes"] });
		const finalized = await h.call("PUT", "/api/v1/namespaces/temp/finalize", { body: { ...marked, spec: {} } });
		assert.equal(finalized.status, 200);
		assert.equal((await h.call("GET", "/api/v1/namespaces/temp")).status, 404);
		assert.equal((await h.call("DELETE", "/api/v1/namespaces/default")).status, 403);
	});

	it("gives services their addresses and ports, each once", async () => {
		const path = "/api/v1/namespaces/default/services";
		const service = (name: string, spec: object) => ({
			apiVersion: "v1",
			kind: "Service",
			metadata: { name },
			spec: { ports: [{ port: 80 }], ...spec },
		});
		const made = (await h.call("POST", path, { body: service("s", { type: "NodePort" }) })).body;
		assert.match(made.spec.clusterIP, /^10\.96\./);
		assert.deepEqual(made.spec.clusterIPs, [made.spec.clusterIP]);
		const port = made.spec.ports[0].nodePort;
		assert.ok(port >= 30_000 && port <= 32_767);
		const clash = await h.call("POST", path, { body: service("t", { clusterIP: made.spec.clusterIP }) });
		assert.equal(clash.status, 422);
		assert.match(clash.body.message, /failed to allocate IP 10\.96\.\d+\.\d+: provided IP is already allocated/);
		const outside = await h.call("POST", path, { body: service("t", { clusterIP: "192.168.1.1" }) });
		assert.match(
			outside.body.message,
			/failed to allocate IP 192\.168\.1\.1: the provided network does not match the current range$/,
		);
		const portClash = await h.call("POST", path, {
			body: service("t", { type: "NodePort", ports: [{ port: 1, nodePort: port }] }),
		});
		assert.match(
			portClash.body.message,
			/spec\.ports\[0\]\.nodePort: Invalid value: \d+: provided port is already allocated/,
		);
		const headless = (await h.call("POST", path, { body: service("h", { clusterIP: "None" }) })).body;
		assert.equal(headless.spec.clusterIP, "None");
		const again = await h.call("PUT", `${path}/s`, { body: service("s", { type: "NodePort" }) });
		assert.equal(again.status, 200, again.text);
		assert.equal(again.body.spec.clusterIP, made.spec.clusterIP);
		assert.equal(again.body.spec.ports[0].nodePort, port);
		await h.call("DELETE", `${path}/s`);
		const reuse = await h.call("POST", path, {
			body: service("t", { type: "NodePort", clusterIP: made.spec.clusterIP, ports: [{ port: 1, nodePort: port }] }),
		});
		assert.equal(reuse.status, 201, reuse.text);
		const kubernetes = (await h.call("GET", `${path}/kubernetes`)).body;
		assert.equal(kubernetes.spec.clusterIP, "10.96.0.1");
		const endpoints = (await h.call("GET", "/api/v1/namespaces/default/endpoints/kubernetes")).body;
		assert.deepEqual(endpoints.subsets[0].ports[0].port, h.server.port);
	});

	it("selects a job's pods by its uid, and orphans them by default", async () => {
		const path = "/apis/batch/v1/namespaces/default/jobs";
		const made = await h.call("POST", path, {
			body: {
				apiVersion: "batch/v1",
				kind: "Job",
				metadata: { name: "j" },
				spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } },
			},
		});
		assert.equal(made.status, 201, made.text);
		const { uid } = made.body.metadata;
		assert.deepEqual(made.body.spec.selector, { matchLabels: { "batch.kubernetes.io/controller-uid": uid } });
		assert.equal(made.body.spec.template.metadata.labels["job-name"], "j");
		const marked = await h.call("DELETE", `${path}/j`);
		assert.deepEqual(marked.body.metadata.finalizers, ["orphan"]);
		assert.match(String(marked.headers["warning"]), /child pods are preserved by default/);
	});

	it("creates by PUT only where upstream does", async () => {
		const lease = await h.call("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", {
			body: {
				apiVersion: "coordination.k8s.io/v1",
				kind: "Lease",
				metadata: { name: "l" },
				spec: { holderIdentity: "a" },
			},
		});
		assert.equal(lease.status, 201, lease.text);
		const blind = await h.call("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", {
			body: {
				apiVersion: "coordination.k8s.io/v1",
				kind: "Lease",
				metadata: { name: "l" },
				spec: { holderIdentity: "b" },
			},
		});
		assert.equal(blind.status, 422);
		assert.match(blind.body.message, /metadata\.resourceVersion: Invalid value: 0: must be specified for an update/);
		assert.equal((await h.call("PUT", `${maps}/absent`, { body: configMap("absent") })).status, 404);
	});

	it("deletes a collection", async () => {
		for (const name of ["c1", "c2"])
			await h.call("POST", maps, { body: configMap(name, {}, { labels: { del: "yes" } }) });
		const deleted = await h.call("DELETE", `${maps}?labelSelector=del%3Dyes`);
		assert.equal(deleted.status, 200);
		assert.deepEqual(
			deleted.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
			["c1", "c2"],
		);
		assert.equal((await h.call("GET", `${maps}?labelSelector=del%3Dyes`)).body.items.length, 0);
	});

	it("shows events in both of their groups, and lets them expire", async () => {
		const event = {
			apiVersion: "v1",
			kind: "Event",
			metadata: { name: "e" },
			involvedObject: { kind: "Pod", name: "p", namespace: "default" },
			reason: "Tested",
			message: "it was",
			type: "Normal",
		};
		const made = await h.call("POST", "/api/v1/namespaces/default/events", { body: event });
		assert.equal(made.status, 201, made.text);
		const view = (await h.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")).body;
		assert.equal(view.apiVersion, "events.k8s.io/v1");
		assert.equal(view.note, "it was");
		assert.equal(view.regarding.name, "p");
		const found = await h.call("GET", "/api/v1/events?fieldSelector=involvedObject.name%3Dp,involvedObject.kind%3DPod");
		assert.equal(found.body.items.length, 1);
		const [kv] = (await h.store.range({ key: Buffer.from("/registry/events/default/e") })).kvs;
		assert.notEqual(kv?.lease, 0n);
		const { grantedTtl } = await h.store.leaseTimeToLive(kv?.lease ?? 0n);
		assert.ok(grantedTtl >= 3600 && grantedTtl <= 3660);
	});

	it("answers in the representation asked for", async () => {
		await h.call("POST", maps, { body: configMap("shown", { a: "1" }) });
		const yaml = await h.call("GET", `${maps}/shown`, { accept: "application/yaml" });
		assert.match(String(yaml.headers["content-type"]), /application\/yaml/);
		assert.match(yaml.text, /^apiVersion: v1$/m);
		const table = await h.call("GET", `${maps}/shown`, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
		assert.equal(table.body.kind, "Table");
		assert.deepEqual(
			table.body.columnDefinitions.map((c: { name: string }) => c.name),
			["Name", "Data", "Age"],
		);
		assert.equal(table.body.rows[0].object.kind, "PartialObjectMetadata");
		const tables = await h.call("GET", maps, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" });
		assert.ok(tables.body.rows.length >= 1);
		assert.ok(tables.body.metadata.resourceVersion);
		const partial = await h.call("GET", maps, {
			accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
		});
		assert.equal(partial.body.kind, "PartialObjectMetadataList");
		assert.equal(partial.body.items[0].data, undefined);
		const pretty = await h.call("GET", `${maps}/shown?pretty=true`);
		assert.match(pretty.text, /^{\n {2}"/);
		const none = await h.call("GET", maps, { accept: "text/html" });
		assert.equal(none.status, 406);
		const protobuf = await h.call("GET", maps, { accept: "application/vnd.kubernetes.protobuf" });
		assert.equal(protobuf.status, 200, protobuf.text);
	});
});
