// Real kubectl, the oldest and the newest found, against a replica in this process.
import assert from "node:assert/strict";
import path from "node:path";
import { skip } from "../test/skip.ts";
import { type Harness, startHarness } from "./testing/harness.ts";
import { findKubectls, Kubectl } from "./testing/kubectl.ts";

const found = findKubectls();
const manifest = (value: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {key: "${value}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: echo}]}
`;

describe("kubectl against the apiserver", function () {
	this.timeout(20_000);

	before(function () {
		if (found.length > 0) return;
		skip(this, "no kubectl on the PATH");
	});

	for (const binary of new Set([found[0], found.at(-1)])) {
		if (binary === undefined) continue;
		describe(path.basename(binary), () => {
			let h: Harness;
			let kubectl: Kubectl;
			const ok = async (...args: string[]) => {
				const ran = await kubectl.run(...args);
				assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.err}`);
				return ran.out;
			};

			before(async () => {
				h = await startHarness();
				kubectl = new Kubectl(binary, h);
				await ok("create", "serviceaccount", "default");
			});
			after(async () => {
				kubectl.remove();
				await h.close();
			});

			it("applies, shows, changes and deletes", async () => {
				const file = kubectl.file("all.yaml", manifest("1"));
				assert.equal(await ok("apply", "-f", file), "configmap/settings created\ndeployment.apps/web created\n");
				assert.equal(await ok("apply", "-f", file), "configmap/settings unchanged\ndeployment.apps/web unchanged\n");
				kubectl.file("all.yaml", manifest("2"));
				const diff = await kubectl.run("diff", "-f", file);
				assert.equal(diff.code, 1);
				assert.match(diff.out, /^- {2}key: "1"\n\+ {2}key: "2"$/m);
				assert.match(await ok("apply", "-f", file), /configmap\/settings configured/);
				assert.match(
					await ok("get", "deploy", "-o", "wide"),
					/NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/2/,
				);
				assert.equal(await ok("get", "cm", "settings", "-o", "jsonpath={.data.key}"), "2");
				assert.equal(await ok("scale", "deploy", "web", "--replicas=4"), "deployment.apps/web scaled\n");
				assert.equal(await ok("set", "image", "deploy/web", "web=pause"), "deployment.apps/web image updated\n");
				assert.equal(await ok("label", "cm", "settings", "a=b"), "configmap/settings labeled\n");
				assert.equal(await ok("get", "cm", "-l", "a=b", "-o", "name"), "configmap/settings\n");
				assert.match(await ok("describe", "deploy", "web"), /Replicas: +4 desired/);
				assert.equal(await ok("delete", "deploy", "web"), 'deployment.apps "web" deleted\n');
				const gone = await kubectl.run("get", "deploy", "web");
				assert.equal(gone.code, 1);
				assert.equal(gone.err, 'Error from server (NotFound): deployments.apps "web" not found\n');
			});

			it("watches", async () => {
				const watching = kubectl.start("get", "cm", "-w", "--output-watch-events", "--field-selector=metadata.name=w");
				let out = "";
				const enough = new Promise<void>((resolve, reject) => {
					watching.stdout?.on("data", (chunk) => {
						out += chunk;
						if (out.includes("DELETED")) resolve();
					});
					watching.on("exit", () => reject(new Error(`kubectl ended: ${out}`)));
				});
				for (let tries = 0; tries < 100; tries++) {
					const { text } = await h.call("GET", "/metrics");
					if (/apiserver_registered_watchers\{[^}]*kind="ConfigMap"\} 1/.test(text)) break;
					await new Promise((resolve) => setTimeout(resolve, 50));
				}
				await ok("create", "cm", "w");
				await ok("annotate", "cm", "w", "a=b");
				await ok("delete", "cm", "w");
				await enough;
				watching.removeAllListeners("exit");
				watching.kill();
				assert.match(out, /ADDED +w .*\nMODIFIED +w .*\nDELETED +w /);
			});

			it("asks what is allowed, and explains refusals", async () => {
				assert.equal(await ok("auth", "can-i", "create", "pods"), "yes\n");
				const bob = await kubectl.run("auth", "can-i", "create", "pods", "--as=bob");
				assert.equal(bob.out.trim(), "no");
				const refused = await kubectl.run("get", "pods", "--as=bob");
				assert.equal(
					refused.err,
					'Error from server (Forbidden): pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"\n',
				);
				const strict = await kubectl.run(
					"apply",
					"-f",
					kubectl.file("bad.yaml", manifest("1").replace("replicas", "replikas")),
				);
				assert.equal(strict.code, 1);
				assert.match(strict.err, /strict decoding error: unknown field "spec\.replikas"/);
			});
		});
	}
});
