import assert from "node:assert/strict";
import { decodeObject } from "../codec/codec.ts";
import type { KubeObject } from "../object.ts";
import { applyDefaults } from "./defaults.ts";
import { imageTag } from "./pod.ts";

function defaulted(apiVersion: string, kind: string, rest: object): KubeObject {
	const body = Buffer.from(JSON.stringify({ apiVersion, kind, ...rest }));
	const { object } = decodeObject(body, "application/json", { fieldValidation: "Strict" });
	applyDefaults(object);
	const once = JSON.stringify(object);
	applyDefaults(object);
	assert.equal(JSON.stringify(object), once, "defaulting twice changes nothing");
	return object;
}

describe("scheme/defaults", () => {
	it("takes a tag apart from registries with ports and from digests", () => {
		const tags = {
			nginx: "latest",
			"nginx:1.27": "1.27",
			"localhost:5000/a": "latest",
			"a@sha256:00": "",
			"a:1@sha256:0": "1",
		};
		for (const [image, tag] of Object.entries(tags)) assert.equal(imageTag(image), tag, image);
	});

	it("completes a deployment as upstream shows it", () => {
		const deployment = defaulted("apps/v1", "Deployment", {
			metadata: { name: "web" },
			spec: {
				selector: { matchLabels: { app: "web" } },
				template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
			},
		});
		assert.deepEqual(deployment["spec"], {
			progressDeadlineSeconds: 600,
			replicas: 1,
			revisionHistoryLimit: 10,
			selector: { matchLabels: { app: "web" } },
			strategy: { rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" }, type: "RollingUpdate" },
			template: {
				metadata: { labels: { app: "web" } },
				spec: {
					containers: [
						{
							image: "nginx",
							imagePullPolicy: "Always",
							name: "c",
							resources: {},
							terminationMessagePath: "/dev/termination-log",
							terminationMessagePolicy: "File",
						},
					],
					dnsPolicy: "ClusterFirst",
					restartPolicy: "Always",
					schedulerName: "default-scheduler",
					securityContext: {},
					terminationGracePeriodSeconds: 30,
				},
			},
		});
	});

	it("completes a pod: probes, ports, volumes, requests, host network", () => {
		const pod = defaulted("v1", "Pod", {
			spec: {
				serviceAccount: "old",
				hostNetwork: true,
				volumes: [{ name: "a" }, { name: "b", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }],
				containers: [
					{
						name: "c",
						image: "a:1",
						ports: [{ containerPort: 80 }],
						livenessProbe: { httpGet: { port: "http" } },
						env: [{ name: "N", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
						resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "100m" } },
					},
				],
			},
		});
		const spec = pod["spec"] as Record<string, unknown>;
		assert.equal(spec["serviceAccountName"], "old");
		assert.equal(spec["enableServiceLinks"], true);
		assert.deepEqual(spec["volumes"], [
			{ name: "a", emptyDir: {} },
			{
				name: "b",
				projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 3600 } }] },
			},
		]);
		const [container] = spec["containers"] as Record<string, unknown>[];
		assert.equal(container?.["imagePullPolicy"], "IfNotPresent");
		assert.deepEqual(container?.["ports"], [{ containerPort: 80, protocol: "TCP", hostPort: 80 }]);
		assert.deepEqual(container?.["resources"], {
			limits: { cpu: "1", memory: "1Gi" },
			requests: { cpu: "100m", memory: "1Gi" },
		});
		assert.deepEqual(container?.["livenessProbe"], {
			httpGet: { port: "http", path: "/", scheme: "HTTP" },
			timeoutSeconds: 1,
			periodSeconds: 10,
			successThreshold: 1,
			failureThreshold: 3,
		});
	});

	it("completes jobs, services, secrets, bindings, namespaces", () => {
		const job = defaulted("batch/v1", "Job", { metadata: { name: "j" }, spec: { template: { spec: {} } } });
		const jobSpec = job["spec"] as Record<string, unknown>;
		assert.equal(jobSpec["completions"], 1);
		assert.equal(jobSpec["backoffLimit"], 6);
		assert.equal(jobSpec["suspend"], false);
		const service = defaulted("v1", "Service", { spec: { ports: [{ port: 80 }] } });
		assert.deepEqual(service["spec"], {
			ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
			sessionAffinity: "None",
			type: "ClusterIP",
			internalTrafficPolicy: "Cluster",
		});
		const secret = defaulted("v1", "Secret", { data: { a: "eA==" }, stringData: { b: "y" } });
		assert.deepEqual(secret["data"], { a: "eA==", b: "eQ==" });
		assert.equal(secret["stringData"], undefined);
		assert.equal(secret["type"], "Opaque");
		const binding = defaulted("rbac.authorization.k8s.io/v1", "RoleBinding", {
			roleRef: { kind: "Role", name: "r" },
			subjects: [
				{ kind: "User", name: "u" },
				{ kind: "ServiceAccount", name: "s", namespace: "n" },
			],
		});
		assert.deepEqual(binding["roleRef"], { kind: "Role", name: "r", apiGroup: "rbac.authorization.k8s.io" });
		assert.equal((binding["subjects"] as { apiGroup?: string }[])[1]?.apiGroup, undefined);
		const namespace = defaulted("v1", "Namespace", { metadata: { name: "n" } });
		assert.deepEqual(namespace.metadata.labels, { "kubernetes.io/metadata.name": "n" });
	});
});
