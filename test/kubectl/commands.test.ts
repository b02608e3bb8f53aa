/** Real kubectl, every version found, against a real cluster: exit codes, output shapes and messages as upstream's. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type Cluster, startCluster } from "../../cluster/start-cluster.ts";
import { skip } from "../skip.ts";
import { eventually } from "../until.ts";
import { findKubectls, type Runner, runner } from "./binaries.ts";

const documents = (namespace: string) => `
apiVersion: v1
kind: Namespace
metadata:
  name: ${namespace}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: ${namespace}}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: ${namespace}}
stringData: {word: swordfish}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: echo:1
        ports: [{containerPort: 8080}]
        envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ${namespace}}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: ${namespace}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: once, image: any, command: [sh, -c, "echo done"]}
`;

const kubectls = findKubectls();

describe("kubectl", function () {
	this.timeout(120_000);
	let cluster: Cluster;

	before(async function () {
		if (kubectls.length === 0) {
			skip(this, "no kubectl on this machine's path");
		}
		cluster = await startCluster();
	});
	after(async () => {
		await cluster?.stop();
	});

	for (const kubectl of kubectls) {
		describe(`1.${kubectl.minor}`, () => {
			const namespace = `v${kubectl.minor}`;
			let k: Runner;

			before(async () => {
				k = await runner(kubectl, cluster.kubeconfigFile, namespace);
			});
			after(async () => {
				await k?.close();
			});

			it("applies many documents, twice", async () => {
				const file = path.join(cluster.dir, `${namespace}.yaml`);
				await writeFile(file, documents(namespace));
				assert.equal(
					await k.ok(["apply", "-f", file]),
					[
						`namespace/${namespace} created`,
						"configmap/settings created",
						"secret/password created",
						"deployment.apps/web created",
						"service/web created",
						"job.batch/once created",
						"",
					].join("\n"),
				);
				assert.match(await k.ok(["apply", "-f", file]), /deployment\.apps\/web unchanged\n/);
			});

			it("waits: rollout status, wait for conditions", async () => {
				assert.match(
					await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]),
					/deployment "web" successfully rolled out\n$/,
				);
				assert.equal(
					await k.ok(["wait", "--for=condition=Available", "deployment/web", "--timeout=60s"]),
					"deployment.apps/web condition met\n",
				);
				assert.equal(
					await k.ok(["wait", "--for=condition=complete", "job/once", "--timeout=60s"]),
					"job.batch/once condition met\n",
				);
			});

			it("gets: tables, wide, yaml, json, names, jsonpath, selectors", async () => {
				const table = await k.ok(["get", "pods", "-l", "app=web"]);
				assert.match(
					table,
					/^NAME +READY +STATUS +RESTARTS +AGE\n(web-[a-z0-9]+-[a-z0-9]{5} +1\/1 +Running +0 +\d+s\n){2}$/,
				);
				assert.match(
					await k.ok(["get", "pods", "-o", "wide"]),
					/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/,
				);
				assert.match(
					await k.ok(["get", "deploy", "web"]),
					/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +\d+s\n$/,
				);
				assert.match(
					await k.ok(["get", "nodes"]),
					/^NAME +STATUS +ROLES +AGE +VERSION\nnode-1 +Ready +<none> +\S+ +v1\.\S+\nnode-2 +Ready/,
				);
				assert.match(
					await k.ok(["get", "svc", "web"]),
					/^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP +/,
				);
				assert.match(
					await k.ok(["get", "deploy", "web", "-o", "yaml"]),
					/^apiVersion: apps\/v1\nkind: Deployment\nmetadata:\n/,
				);
				const object = JSON.parse(await k.ok(["get", "cm", "settings", "-o", "json"])) as { data: object };
				assert.deepEqual(object.data, { greeting: "hello" });
				assert.equal(await k.ok(["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"]), "2");
				assert.equal(await k.ok(["get", "deploy", "-o", "name"]), "deployment.apps/web\n");
				assert.match((await k(["get", "pods", "-l", "app=none"])).stderr, /^No resources found in v\d+ namespace\.\n$/);
				assert.match(await k.ok(["get", "all"]), /deployment\.apps\/web/);
			});

			it("reports what is not there", async () => {
				const missing = await k(["get", "pod", "nope"]);
				assert.equal(missing.code, 1);
				assert.equal(missing.stderr, 'Error from server (NotFound): pods "nope" not found\n');
				const unknown = await k(["get", "unicorns"]);
				assert.equal(unknown.code, 1);
				assert.equal(unknown.stderr, 'error: the server doesn\'t have a resource type "unicorns"\n');
			});

			it("describes with events", async () => {
				const text = await eventually("events", async () => {
					const described = await k.ok(["describe", "pods", "-l", "app=web"]);
					return /Successfully assigned/.test(described) && /Started container web/.test(described) && described;
				});
				assert.match(text, /^Name: +web-/);
				assert.match(text, /Controlled By: +ReplicaSet\/web-/);
				assert.match(
					await k.ok(["describe", "deployment", "web"]),
					/ScalingReplicaSet .*Scaled up replica set web-\w+ (from 0 )?to 2/,
				);
				assert.match(await k.ok(["describe", "node", "node-1"]), /Conditions:\n/);
				assert.match(await k.ok(["describe", "svc", "web"]), /Endpoints: +127\.\d+\.\d+\.\d+:8080/);
				assert.match(await k.ok(["describe", "job", "once"]), /Pods Statuses: +0 Active .*\/ 1 Succeeded \/ 0 Failed/);
			});

			it("creates, labels, annotates and deletes", async () => {
				assert.equal(await k.ok(["create", "deployment", "d2", "--image=echo:1"]), "deployment.apps/d2 created\n");
				const again = await k(["create", "deployment", "d2", "--image=echo:1"]);
				assert.equal(again.code, 1);
				assert.match(again.stderr, /error: failed to create deployment: deployments\.apps "d2" already exists\n/);
				assert.equal(await k.ok(["create", "configmap", "c2", "--from-literal=a=b"]), "configmap/c2 created\n");
				assert.equal(await k.ok(["label", "cm", "c2", "tier=db"]), "configmap/c2 labeled\n");
				assert.equal((await k(["label", "cm", "c2", "tier=web"])).code, 1);
				assert.equal(await k.ok(["label", "cm", "c2", "tier=web", "--overwrite"]), "configmap/c2 labeled\n");
				assert.equal(await k.ok(["label", "cm", "c2", "tier-"]), "configmap/c2 unlabeled\n");
				// kubectl 1.27 prints "annotate".
				assert.match(await k.ok(["annotate", "cm", "c2", "note=x y"]), /^configmap\/c2 annotated?\n$/);
				assert.equal(await k.ok(["get", "cm", "c2", "-o", "jsonpath={.metadata.annotations.note}"]), "x y");
				assert.match(
					await k.ok(["delete", "cm/c2", "deploy/d2"]),
					/configmap "c2" deleted.*\ndeployment\.apps "d2" deleted/,
				);
				await eventually(
					"d2's pods gone",
					async () => (await k.ok(["get", "pods", "-l", "app=d2", "-o", "name"])) === "",
				);
			});

			it("scales, sets an image, shows history, undoes", async () => {
				assert.equal(await k.ok(["scale", "deployment/web", "--replicas=3"]), "deployment.apps/web scaled\n");
				await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]);
				assert.equal(
					await k.ok(["set", "image", "deployment/web", "web=echo:2"]),
					"deployment.apps/web image updated\n",
				);
				assert.match(
					await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]),
					/successfully rolled out\n$/,
				);
				assert.match(
					await k.ok(["rollout", "history", "deployment/web"]),
					/^deployment\.apps\/web \nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>\n/,
				);
				assert.equal(await k.ok(["rollout", "undo", "deployment/web"]), "deployment.apps/web rolled back\n");
				await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]);
				assert.equal(
					await k.ok(["get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"]),
					"echo:1",
				);
				assert.match(await k.ok(["rollout", "history", "deployment/web"]), /2 +<none>\n3 +<none>\n/);
				assert.equal(await k.ok(["rollout", "restart", "deployment/web"]), "deployment.apps/web restarted\n");
				await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]);
			});

			it("edits with $EDITOR", async () => {
				const editor = path.join(cluster.dir, "editor.sh");
				await writeFile(editor, '#!/bin/sh\nsed -i "s/hello/goodbye/" "$1"\n', { mode: 0o755 });
				const before = process.env["KUBE_EDITOR"];
				process.env["KUBE_EDITOR"] = editor;
				const k2 = await runner(kubectl, cluster.kubeconfigFile, namespace);
				try {
					assert.equal(await k2.ok(["edit", "configmap", "settings"]), "configmap/settings edited\n");
				} finally {
					await k2.close();
					if (before === undefined) delete process.env["KUBE_EDITOR"];
					else process.env["KUBE_EDITOR"] = before;
				}
				assert.equal(await k.ok(["get", "cm", "settings", "-o", "jsonpath={.data.greeting}"]), "goodbye");
			});

			it("diffs without changing anything", async () => {
				const same = await k(["diff", "-f", "-"], await k.ok(["get", "cm", "settings", "-o", "yaml"]));
				assert.equal(same.code, 0, same.stdout + same.stderr);
				const changed = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: ${namespace}}\ndata: {greeting: moin}\n`;
				const diff = await k(["diff", "-f", "-"], changed);
				assert.equal(diff.code, 1, diff.stderr);
				assert.match(diff.stdout, /^[-+] +greeting: goodbye$/m);
				assert.match(diff.stdout, /^\+ +greeting: moin$/m);
				assert.equal(await k.ok(["get", "cm", "settings", "-o", "jsonpath={.data.greeting}"]), "goodbye");
			});

			it("shows logs and follows them", async () => {
				assert.equal(await k.ok(["logs", "job/once"]), "done\n");
				const pod = (await k.ok(["get", "pods", "-l", "job-name=once", "-o", "name"])).trim();
				assert.equal(await k.ok(["logs", pod, "--tail=1"]), "done\n");
				assert.match(await k.ok(["logs", pod, "--timestamps"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z done\n$/);
				const manifest = {
					apiVersion: "v1",
					kind: "Pod",
					metadata: { name: "ticker", namespace },
					spec: {
						restartPolicy: "Never",
						terminationGracePeriodSeconds: 0,
						containers: [
							{ name: "t", image: "x", command: ["sh", "-c", "for i in 1 2 3; do echo tick $i; sleep 0.3; done"] },
						],
					},
				};
				await k.ok(["create", "-f", "-"], JSON.stringify(manifest));
				await eventually("ticker started", async () => {
					const phase = await k.ok(["get", "pod", "ticker", "-o", "jsonpath={.status.phase}"]);
					return phase !== "Pending";
				});
				assert.equal(await k.ok(["logs", "-f", "ticker"]), "tick 1\ntick 2\ntick 3\n");
				const wrong = await k(["logs", "ticker", "-c", "nope"]);
				assert.equal(wrong.code, 1);
				assert.match(wrong.stderr, /container nope is not valid for pod ticker/);
				await k.ok(["delete", "pod", "ticker"]);
			});

			it("watches changes as they come", async () => {
				const manifest = (n: number) => {
					const metadata = { name: "watched", namespace };
					return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { n: String(n) } });
				};
				await k.ok(["apply", "-f", "-"], manifest(0));
				const child = k.start(["get", "cm", "watched", "-w", "-o", "jsonpath={.data.n}{'\\n'}"]);
				let seen = "";
				child.stdout?.setEncoding("utf8").on("data", (text: string) => {
					seen += text;
				});
				try {
					await eventually("the first seen", async () => seen === "0\n");
					await k.ok(["apply", "-f", "-"], manifest(1));
					await k.ok(["apply", "-f", "-"], manifest(2));
					await eventually("all seen", async () => seen === "0\n1\n2\n");
				} finally {
					child.kill("SIGTERM");
				}
			});

			it("explains, lists resources, answers can-i", async () => {
				const explained = await k.ok(["explain", "deployment.spec.strategy"]);
				assert.match(explained, /KIND: +Deployment\nVERSION: +(apps\/)?v1\n/);
				assert.match(explained, /rollingUpdate/);
				assert.match(explained, /How old pods are replaced by new ones\.[\s\S]*Settings of a rolling update\./);
				assert.match(await k.ok(["explain", "pod.spec.containers.image"]), /Image with the program\./);
				assert.match(await k.ok(["explain", "pods", "--recursive"]), /terminationGracePeriodSeconds/);
				const resources = await k.ok(["api-resources"]);
				assert.match(resources, /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND\n/);
				assert.match(resources, /^deployments +deploy +apps\/v1 +true +Deployment$/m);
				assert.match(await k.ok(["api-versions"]), /^apps\/v1$/m);
				assert.equal(await k.ok(["auth", "can-i", "create", "pods"]), "yes\n");
				const no = await k(["auth", "can-i", "create", "pods", "--as=nobody"]);
				assert.equal(no.code, 1);
				assert.equal(no.stdout, "no\n");
				assert.match(await k.ok(["auth", "can-i", "--list"]), /\*\.\* +\[\] +\[\] +\[\*\]/);
				assert.match(await k.ok(["version"]), /Server Version: .*v1\.\d+/);
			});

			it("taints, cordons, drains and uncordons a node", async () => {
				assert.equal(await k.ok(["taint", "node", "node-2", "team=a:NoSchedule"]), "node/node-2 tainted\n");
				assert.equal(await k.ok(["taint", "node", "node-2", "team=a:NoSchedule-"]), "node/node-2 untainted\n");
				assert.equal(await k.ok(["cordon", "node-2"]), "node/node-2 cordoned\n");
				assert.match(await k.ok(["get", "node", "node-2"]), /Ready,SchedulingDisabled/);
				const drained = await k.ok([
					"drain",
					"node-2",
					"--ignore-daemonsets",
					"--delete-emptydir-data",
					"--force",
					"--timeout=60s",
				]);
				assert.match(drained, /node\/node-2 drained\n$/);
				const left = await k.ok(["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"]);
				assert.doesNotMatch(left, /node-2/);
				assert.equal(await k.ok(["uncordon", "node-2"]), "node/node-2 uncordoned\n");
				await k.ok(["rollout", "status", "deployment/web", "--timeout=60s"]);
			});

			it("exposes, patches, replaces, prints dry runs", async () => {
				assert.equal(await k.ok(["expose", "deployment", "web", "--name=web2", "--port=81"]), "service/web2 exposed\n");
				assert.equal(
					await k.ok(["patch", "svc", "web2", "-p", '{"spec":{"ports":[{"port":81,"name":"http"}]}}']),
					"service/web2 patched\n",
				);
				assert.equal(
					await k.ok([
						"patch",
						"svc",
						"web2",
						"--type=json",
						"-p",
						'[{"op":"replace","path":"/spec/ports/0/name","value":"h2"}]',
					]),
					"service/web2 patched\n",
				);
				const yaml = await k.ok(["get", "svc", "web2", "-o", "yaml"]);
				assert.equal(
					await k.ok(["replace", "-f", "-"], yaml.replace("name: h2", "name: h3")),
					"service/web2 replaced\n",
				);
				const stale = await k(["replace", "-f", "-"], yaml);
				assert.equal(stale.code, 1);
				assert.match(
					stale.stderr,
					/the object has been modified; please apply your changes to the latest version and try again/,
				);
				assert.equal(await k.ok(["run", "p", "--image=echo", "--dry-run=server"]), "pod/p created (server dry run)\n");
				assert.equal((await k(["get", "pod", "p"])).code, 1);
			});

			it("deletes the namespace with everything in it", async () => {
				assert.equal(
					await k.ok(["delete", "namespace", namespace, "--timeout=60s"]),
					`namespace "${namespace}" deleted\n`,
				);
				const gone = await k(["get", "namespace", namespace]);
				assert.equal(gone.stderr, `Error from server (NotFound): namespaces "${namespace}" not found\n`);
			});
		});
	}
});
