import assert from "node:assert/strict";
import { invalid } from "../../machinery/errors.ts";
import { decodeObject } from "../codec/codec.ts";
import { applyDefaults } from "../defaults/defaults.ts";
import type { KubeObject } from "../object.ts";
import { validateCreate, validateStatusUpdate, validateUpdate } from "./validation.ts";

function make(apiVersion: string, kind: string, rest: object): KubeObject {
	const body = Buffer.from(JSON.stringify({ apiVersion, kind, ...rest }));
	const { object } = decodeObject(body, "application/json", { fieldValidation: "Strict" });
	applyDefaults(object);
	return object;
}

const texts = (errors: ReturnType<typeof validateCreate>) => errors.map((e) => `${e.field}: ${e.message}`);
const created = (apiVersion: string, kind: string, rest: object) => texts(validateCreate(make(apiVersion, kind, rest)));

type Change = (object: { spec: Record<string, unknown>; [key: string]: unknown }) => void;

function updated(old: KubeObject, change: Change): string[] {
	const object = structuredClone(old);
	change(object as never);
	return texts(validateUpdate(object, old));
}

const meta = { name: "a", namespace: "ns" };
const podOf = (spec: object) => ({ metadata: meta, spec });
const container = { name: "c", image: "nginx" };
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const selector = { matchLabels: { app: "a" } };

describe("scheme/validation: metadata", () => {
	const configMap = (metadata: object) => created("v1", "ConfigMap", { metadata });

	it("words name rules as upstream", () => {
		assert.deepEqual(configMap({ name: "Bad_Name", namespace: "ns" }), [
			"metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
		]);
		assert.deepEqual(configMap({ namespace: "ns" }), [
			"metadata.name: Required value: name or generateName is required",
		]);
		assert.deepEqual(configMap({ name: "a" }), ["metadata.namespace: Required value"]);
		assert.deepEqual(created("v1", "Namespace", { metadata: { name: "a.b" } }).length, 1);
		assert.deepEqual(created("v1", "Node", { metadata: { name: "n", namespace: "x" } }), [
			"metadata.namespace: Forbidden: not allowed on this type",
		]);
		assert.deepEqual(created("rbac.authorization.k8s.io/v1", "ClusterRole", { metadata: { name: "system:Node" } }), []);
		const service = (name: string) =>
			created("v1", "Service", { metadata: { ...meta, name }, spec: { ports: [{ port: 1 }] } })[0];
		assert.equal(service("1a"), undefined);
		assert.equal(service("a.b"), 'metadata.name: Invalid value: "a.b": must not contain dots');
		assert.match(service("a_b") ?? "", /a lowercase RFC 1123 label must consist of/);
		assert.match(service("a".repeat(64)) ?? "", /must be no more than 63 characters$/);
	});

	it("checks labels, annotations, finalizers and owners", () => {
		assert.match(
			configMap({ ...meta, labels: { "a b": "x" } })[0] ?? "",
			/^metadata\.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '\.', and must start and end with an alphanumeric character \(e\.g\. 'MyName', {2}or 'my\.name', {2}or '123-abc', regex/,
		);
		assert.match(
			configMap({ ...meta, labels: { a: "x y" } })[0] ?? "",
			/a valid label must be an empty string or consist/,
		);
		assert.deepEqual(configMap({ ...meta, annotations: { a: "x".repeat(262144) } }), [
			"metadata.annotations: Too long: may not be more than 262144 bytes",
		]);
		assert.match(
			configMap({ ...meta, finalizers: ["mine"] })[0] ?? "",
			/neither a standard finalizer name nor is it fully qualified$/,
		);
		const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "1", controller: true };
		assert.match(
			configMap({ ...meta, ownerReferences: [owner, { ...owner, name: "q" }] })[0] ?? "",
			/Only one reference can have Controller set to true\. Found "true" in references for p and q$/,
		);
	});

	it("keeps what updates may not touch", () => {
		const old = make("v1", "ConfigMap", { metadata: { ...meta, uid: "u", creationTimestamp: "2024-01-01T00:00:00Z" } });
		assert.deepEqual(
			updated(old, (o) => Object.assign(o["metadata"] as object, { uid: "v" })),
			['metadata.uid: Invalid value: "v": field is immutable'],
		);
	});

	it("becomes upstream's Status", () => {
		const errors = validateCreate(make("v1", "ConfigMap", { metadata: { ...meta, name: "B" } }));
		assert.match(
			invalid("", "ConfigMap", "B", errors).message,
			/^ConfigMap "B" is invalid: metadata\.name: Invalid value: "B"/,
		);
	});
});

describe("scheme/validation: pods", () => {
	const pod = (spec: object) => created("v1", "Pod", podOf(spec));

	it("accepts a plain one", () => assert.deepEqual(pod({ containers: [container] }), []));

	it("checks containers", () => {
		assert.deepEqual(pod({}), ["spec.containers: Required value"]);
		assert.deepEqual(pod({ containers: [{}] }), [
			"spec.containers[0].name: Required value",
			"spec.containers[0].image: Required value",
		]);
		assert.deepEqual(pod({ containers: [container, container] }), ['spec.containers[1].name: Duplicate value: "c"']);
		const one = (rest: object) => pod({ containers: [{ ...container, ...rest }] });
		assert.deepEqual(one({ imagePullPolicy: "Sometimes" }), [
			'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
		]);
		assert.deepEqual(
			one({ ports: [{ containerPort: 70000 }, { containerPort: 80, name: "a" }, { containerPort: 81, name: "a" }] }),
			[
				"spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
				'spec.containers[0].ports[2].name: Duplicate value: "a"',
			],
		);
		assert.deepEqual(
			one({ resources: { requests: { cpu: "2", memory: "1Gi" }, limits: { cpu: "1", memory: "1Gi" } } }),
			['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
		);
		assert.deepEqual(one({ volumeMounts: [{ name: "v", mountPath: "/a" }] }), [
			'spec.containers[0].volumeMounts[0].name: Not found: "v"',
		]);
		assert.deepEqual(one({ env: [{ name: "" }, { name: "a=b" }] }), [
			"spec.containers[0].env[0].name: Required value",
			"spec.containers[0].env[1].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
		]);
		assert.deepEqual(one({ livenessProbe: {}, readinessProbe: { exec: { command: ["a"] }, tcpSocket: { port: 1 } } }), [
			"spec.containers[0].livenessProbe: Required value: must specify a handler type",
			"spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
		]);
	});

	it("checks the rest of the spec", () => {
		assert.deepEqual(pod({ containers: [container], restartPolicy: "Maybe" }), [
			'spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"',
		]);
		assert.match(
			pod({ containers: [container], tolerations: [{ value: "x" }] })[0] ?? "",
			/operator must be Exists when `key` is empty/,
		);
		assert.deepEqual(
			pod({ containers: [container], volumes: [{ name: "v", emptyDir: {}, secret: { secretName: "s" } }] }),
			["spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"],
		);
	});

	it("lets an update change images and little else", () => {
		const old = make("v1", "Pod", podOf({ containers: [container] }));
		assert.deepEqual(
			updated(old, (o) => {
				o.spec["containers"] = [{ ...(o.spec["containers"] as object[])[0], image: "other" }];
				o.spec["tolerations"] = [{ key: "a", operator: "Exists" }];
			}),
			[],
		);
		assert.match(
			updated(old, (o) => {
				o.spec["hostNetwork"] = true;
			})[0] ?? "",
			/^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,`spec\.initContainers\[\*\]\.image`,/,
		);
	});

	it("refuses to bring an ended container back", () => {
		const status = (state: object) => ({ containerStatuses: [{ name: "c", state }] });
		const old = make("v1", "Pod", {
			...podOf({ containers: [container], restartPolicy: "Never" }),
			status: status({ terminated: { exitCode: 0 } }),
		});
		const object = structuredClone(old);
		object["status"] = status({ running: {} });
		assert.deepEqual(texts(validateStatusUpdate(object, old)), [
			"status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state",
		]);
	});
});

describe("scheme/validation: workloads", () => {
	it("holds a deployment's selector to its template, for good", () => {
		const deployment = (spec: object) => created("apps/v1", "Deployment", { metadata: meta, spec });
		assert.deepEqual(deployment({ selector, template }), []);
		assert.deepEqual(deployment({ selector: { matchLabels: { app: "b" } }, template }), [
			'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
		]);
		assert.equal(deployment({ template })[0], "spec.selector: Required value");
		assert.deepEqual(
			deployment({ selector, template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } }),
			['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
		);
		const old = make("apps/v1", "Deployment", { metadata: meta, spec: { selector, template } });
		assert.deepEqual(
			updated(old, (o) => {
				o.spec["selector"] = { matchLabels: { app: "b" } };
				(o.spec["template"] as { metadata: object }).metadata = { labels: { app: "b" } };
			}),
			['spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable'],
		);
		assert.deepEqual(
			deployment({ selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
			["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
		);
	});

	it("checks a job's policies and limits per index", () => {
		const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
		const job = (spec: object) =>
			created("batch/v1", "Job", { metadata: meta, spec: { selector, template: once, ...spec } });
		const indexed = { completionMode: "Indexed", completions: 5 };
		const codes = (onExitCodes: object) => ({ podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes }] } });
		assert.deepEqual(job(codes({ operator: "In", values: [1, 2] })), []);
		const rule = "spec.podFailurePolicy.rules[0]";
		assert.deepEqual(job(codes({ containerName: "x", operator: "In", values: [2, 0, 2] })), [
			`${rule}.onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template`,
			`${rule}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator`,
			`${rule}.onExitCodes.values[2]: Duplicate value: 2`,
			`${rule}.onExitCodes.values: Invalid value: [2,0,2]: must be ordered`,
		]);
		assert.deepEqual(job({ podFailurePolicy: { rules: [{ action: "FailIndex" }] } }), [
			`${rule}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
			`${rule}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
		]);
		assert.deepEqual(job({ backoffLimitPerIndex: 1, maxFailedIndexes: 1 }), [
			"spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
			"spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
		]);
		assert.deepEqual(job({ ...indexed, maxFailedIndexes: 1 }), [
			"spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
		]);
		assert.deepEqual(job({ ...indexed, backoffLimitPerIndex: 1, maxFailedIndexes: 6 }), [
			"spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
		]);
		const success = (...rules: object[]) => job({ ...indexed, successPolicy: { rules } });
		assert.deepEqual(success({ succeededIndexes: "0,2-4", succeededCount: 4 }, { succeededCount: 5 }), []);
		assert.deepEqual(success(), [
			"spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified",
		]);
		const first = "spec.successPolicy.rules[0]";
		assert.deepEqual(success({}), [
			`${first}: Required value: at least one of succeededCount or succeededIndexes must be specified`,
		]);
		assert.deepEqual(success({ succeededIndexes: "0-1", succeededCount: 3 }), [
			`${first}.succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)`,
		]);
		for (const [text, why] of [
			["3-9", 'too large index: "9"'],
			["2,1", "non-increasing order, previous: 2, current: 1"],
			["a", 'cannot convert string to integer for index: "a"'],
		]) {
			assert.deepEqual(success({ succeededIndexes: text }), [
				`${first}.succeededIndexes: Invalid value: "${text}": error parsing succeededIndexes: ${why}`,
			]);
		}
	});

	it("asks a job for a restart policy, and keeps its template", () => {
		const job = (spec: object) => created("batch/v1", "Job", { metadata: meta, spec });
		assert.deepEqual(job({ selector, template }), [
			'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
		]);
		const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
		const old = make("batch/v1", "Job", { metadata: meta, spec: { selector, template: once } });
		assert.deepEqual(texts(validateCreate(old)), []);
		const errors = updated(old, (o) => {
			(o.spec["template"] as { spec: { containers: { image: string }[] } }).spec.containers[0]!.image = "x";
		});
		assert.match(errors[0] ?? "", /^spec\.template: Invalid value: .*: field is immutable$/);
	});
});

describe("scheme/validation: services, config, rbac", () => {
	it("checks a service's ports and keeps its address", () => {
		const service = (spec: object) => created("v1", "Service", { metadata: meta, spec });
		assert.deepEqual(service({}), ["spec.ports: Required value"]);
		assert.deepEqual(service({ clusterIP: "None", clusterIPs: ["None"] }), []);
		assert.deepEqual(service({ ports: [{ port: 80 }, { port: 80, name: "b" }] }), [
			"spec.ports[0].name: Required value",
			'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
		]);
		const address = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"] };
		const old = make("v1", "Service", { metadata: meta, spec: { ...address, ports: [{ port: 80 }] } });
		assert.deepEqual(
			updated(old, (o) => {
				o.spec["clusterIP"] = "10.0.0.2";
				o.spec["clusterIPs"] = ["10.0.0.2"];
			}),
			['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
		);
	});

	it("takes what other components make: names of ports in slices, events of roles, with a time", () => {
		const slice = (name: string) =>
			created("discovery.k8s.io/v1", "EndpointSlice", {
				metadata: meta,
				addressType: "IPv4",
				endpoints: [],
				ports: [{ name, port: 80, protocol: "TCP" }],
			});
		for (const name of ["80-8080", "1", "", "p".repeat(63)]) assert.deepEqual(slice(name), [], name);
		assert.deepEqual(slice("a.b"), ['ports[0].name: Invalid value: "a.b": must not contain dots']);
		assert.equal(slice("p".repeat(64)).length, 1);
		const event = (name: string, fields: object) =>
			created("v1", "Event", { metadata: { name, namespace: "default" }, ...fields });
		assert.deepEqual(event("system:x.16", { involvedObject: { kind: "ClusterRole" } }), []);
		assert.deepEqual(event("a".repeat(300), { involvedObject: { kind: "Node" } }), []);
		assert.deepEqual(event("a", { involvedObject: { namespace: "other" } }), [
			'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
		]);
		const timed = { eventTime: "2020-01-01T00:00:00.000000Z", reason: "R", involvedObject: { namespace: "other" } };
		const by = { reportingComponent: "c", reportingInstance: "i", action: "a" };
		assert.deepEqual(event("a", { ...timed, ...by }), []);
		assert.deepEqual(event("a", { ...timed, ...by, action: "" }), ["action: Required value"]);
	});

	it("refuses an indexed job whose pods could have no host name", () => {
		const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
		const job = (name: string, completions: number) =>
			created("batch/v1", "Job", {
				metadata: { ...meta, name },
				spec: { selector, template: once, completionMode: "Indexed", completions, parallelism: 1 },
			});
		assert.deepEqual(job("a".repeat(61), 10), []);
		assert.deepEqual(job("a.b", 3), [
			'metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-2',
		]);
		assert.equal(job("a".repeat(61), 11).length, 1);
	});

	it("freezes immutable config", () => {
		const old = make("v1", "ConfigMap", { metadata: meta, immutable: true, data: { a: "1" } });
		assert.deepEqual(
			updated(old, (o) => {
				o["data"] = { a: "2" };
			}),
			["data: Forbidden: field is immutable when `immutable` is set"],
		);
		assert.match(
			created("v1", "ConfigMap", { metadata: meta, data: { "a b": "" } })[0] ?? "",
			/^data\[a b\]: Invalid value: "a b": a valid config key/,
		);
		assert.deepEqual(created("v1", "Secret", { metadata: meta, type: "kubernetes.io/tls" }), [
			"data[tls.crt]: Required value",
			"data[tls.key]: Required value",
		]);
	});

	it("checks roles, bindings and leases", () => {
		const rbac = "rbac.authorization.k8s.io/v1";
		assert.deepEqual(created(rbac, "Role", { metadata: meta, rules: [{ resources: ["pods"] }] }), [
			"rules[0].verbs: Required value: verbs must contain at least one value",
			"rules[0].apiGroups: Required value: resource rules must supply at least one api group",
		]);
		const binding = { metadata: meta, roleRef: { kind: "Role", name: "r" }, subjects: [{ kind: "Robot", name: "x" }] };
		assert.deepEqual(created(rbac, "RoleBinding", binding), [
			'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
		]);
		const old = make(rbac, "RoleBinding", { ...binding, subjects: [] });
		assert.deepEqual(
			updated(old, (o) => {
				o["roleRef"] = { kind: "Role", name: "s", apiGroup: "rbac.authorization.k8s.io" };
			}),
			[
				'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}: cannot change roleRef',
			],
		);
		assert.deepEqual(
			created("coordination.k8s.io/v1", "Lease", { metadata: meta, spec: { leaseDurationSeconds: 0 } }),
			["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
		);
	});
});
