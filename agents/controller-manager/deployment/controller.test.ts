import assert from "node:assert/strict";
import { deployments, keyOf, pods, replicaSets } from "../../../apiserver/client/resources.ts";
import { alreadyExists } from "../../../apiserver/machinery/errors.ts";
import type { DeploymentSpec, Deployment as DeploymentType } from "../../../apiserver/scheme/types.gen.ts";
import type { Pod } from "../controller.ts";
import { createReplicaSetController } from "../replicaset.ts";
import { type Harness, harness } from "../testing/harness.ts";
import { createDeploymentController } from "./controller.ts";
import { templateHash } from "./util.ts";

const template = (image: string) => ({
	metadata: { labels: { app: "web" } },
	spec: { containers: [{ name: "c", image }] },
});

const deployment = (spec: DeploymentSpec = {}): DeploymentType => ({
	apiVersion: "apps/v1",
	kind: "Deployment",
	metadata: { name: "web", namespace: "default", annotations: { note: "kept" } },
	spec: {
		replicas: 3,
		selector: { matchLabels: { app: "web" } },
		strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
		revisionHistoryLimit: 10,
		progressDeadlineSeconds: 600,
		template: template("v1"),
		...spec,
	},
});

function cluster() {
	const h = harness(createDeploymentController, createReplicaSetController);
	const get = () => h.client.peek(deployments, "default/web");
	const condition = (type: string) => get()?.status?.conditions?.find((c) => c.type === type);
	const sizes = () =>
		h.client
			.all(replicaSets)
			.sort((a, b) => Number(a.metadata.uid?.slice(-6)) - Number(b.metadata.uid?.slice(-6)))
			.map((rs) => rs.spec?.replicas);
	const change = async (spec: DeploymentSpec) => {
		const current = get();
		assert(current !== undefined);
		await h.client.resource(deployments).update({ ...current, spec: { ...current.spec, ...spec } });
		await h.run();
	};
	return { h, get, condition, sizes, change };
}

/** Plays kubelets until nothing changes: new pods become ready; `observe` sees every step. */
async function settle(h: Harness, observe: () => void = () => undefined, fits: (pod: Pod) => boolean = () => true) {
	for (let i = 0; i < 50; i++) {
		await h.run(100);
		observe();
		const waiting = h.client.all(pods).filter((pod) => pod.status?.phase !== "Running" && fits(pod));
		if (waiting.length === 0) break;
		for (const pod of waiting) {
			if (h.client.peek(pods, keyOf(pod)) === undefined) continue; // one too many, and deleted meanwhile
			await h.setPod(pod, "Running");
			await h.run(100);
			for (const gone of h.client.all(pods).filter((p) => p.metadata.deletionTimestamp !== undefined)) {
				await h.client.resource(pods).delete("default", gone.metadata.name ?? "", { gracePeriodSeconds: 0 });
			}
			await h.run(100);
			observe();
		}
	}
	await h.run(100);
}

describe("deployment controller", () => {
	it("rolls out, and reports with upstream's reasons and messages", async () => {
		const { h, get, condition } = cluster();
		h.client.add(deployment());
		await h.start();
		const [rs] = h.client.all(replicaSets);
		const hash = rs?.metadata.labels?.["pod-template-hash"] ?? "";
		assert.equal(rs?.metadata.name, `web-${hash}`);
		assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{8,10}$/);
		assert.equal(rs?.metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
		assert.equal(rs?.metadata.annotations?.["note"], "kept");
		assert.equal(condition("Progressing")?.reason, "ReplicaSetUpdated");
		assert.equal(condition("Available")?.reason, "MinimumReplicasUnavailable");
		await settle(h);
		assert.equal(get()?.metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
		assert.equal(condition("Available")?.message, "Deployment has minimum availability.");
		assert.equal(condition("Progressing")?.reason, "NewReplicaSetAvailable");
		assert.equal(condition("Progressing")?.message, `ReplicaSet "web-${hash}" has successfully progressed.`);
		const { replicas, updatedReplicas, readyReplicas, availableReplicas } = get()?.status ?? {};
		assert.deepEqual([replicas, updatedReplicas, readyReplicas, availableReplicas], [3, 3, 3, 3]);
		assert((await h.events()).includes(`ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`));
		h.stop();
	});

	it("keeps within maxSurge and maxUnavailable at every step of an update", async () => {
		const { h, get, sizes, change } = cluster();
		h.client.add(deployment({ replicas: 4 }));
		await h.start();
		await settle(h);
		let most = 0;
		let fewest = 99;
		await change({ template: template("v2") });
		await settle(h, () => {
			const all = h.client.all(pods).filter((p) => p.metadata.deletionTimestamp === undefined);
			most = Math.max(most, all.length);
			fewest = Math.min(fewest, all.filter((p) => p.status?.phase === "Running").length);
		});
		assert.deepEqual(sizes(), [0, 4]);
		assert.equal(most, 5);
		assert.equal(fewest, 4);
		assert.equal(get()?.metadata.annotations?.["deployment.kubernetes.io/revision"], "2");
		const events = await h.events();
		assert.equal(
			events.filter((e) => / from \d to \d$/.test(e)).length,
			events.filter((e) => e.startsWith("Scaling")).length,
		);
		h.stop();
	});

	it("goes back to an old template as a new revision of the old ReplicaSet", async () => {
		const { h, get, sizes, change } = cluster();
		h.client.add(deployment());
		await h.start();
		await settle(h);
		await change({ template: template("v2") });
		await settle(h);
		await change({ template: template("v1") });
		await settle(h);
		assert.deepEqual(sizes(), [3, 0]);
		assert.equal(get()?.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
		const old = h.client.all(replicaSets).find((rs) => rs.spec?.replicas === 3);
		assert.equal(old?.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1");
		h.stop();
	});

	it("deletes ReplicaSets beyond the history limit", async () => {
		const { h, change } = cluster();
		h.client.add(deployment({ revisionHistoryLimit: 1 }));
		await h.start();
		await settle(h);
		for (const image of ["v2", "v3", "v4"]) {
			await change({ template: template(image) });
			await settle(h);
		}
		const revisions = h.client
			.all(replicaSets)
			.map((rs) => rs.metadata.annotations?.["deployment.kubernetes.io/revision"]);
		assert.deepEqual(revisions.sort(), ["3", "4"]);
		h.stop();
	});

	it("Recreate removes every old pod before the first new one", async () => {
		const { h, sizes, change } = cluster();
		h.client.add(deployment({ strategy: { type: "Recreate" } }));
		await h.start();
		await settle(h);
		await change({ template: template("v2") });
		assert.deepEqual(sizes(), [0]);
		assert.equal(h.client.all(pods).length, 3, "old pods are stopping");
		await settle(h, () => {
			const images = new Set(h.client.all(pods).map((p) => p.spec?.containers?.[0]?.image));
			assert(images.size <= 1, "old and new pods at the same time");
		});
		for (const pod of h.client.all(pods)) {
			if (pod.metadata.deletionTimestamp === undefined) continue;
			await h.client.resource(pods).delete("default", pod.metadata.name ?? "", { gracePeriodSeconds: 0 });
		}
		await settle(h);
		assert.deepEqual(sizes(), [0, 3]);
		h.stop();
	});

	it("does not roll while paused, scales in proportion, and resumes", async () => {
		const { h, condition, sizes, change } = cluster();
		h.client.add(
			deployment({
				replicas: 10,
				strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
			}),
		);
		await h.start();
		await settle(h);
		await change({ template: template("v2") });
		await h.run(100);
		assert.deepEqual(sizes(), [8, 5]);
		await change({ paused: true });
		assert.equal(condition("Progressing")?.reason, "DeploymentPaused");
		await change({ replicas: 20 });
		await h.run(200);
		const [old = 0, next = 0] = sizes();
		assert.equal(old + next, 23);
		assert.equal(old, 14);
		await change({ paused: false });
		await settle(h);
		assert.deepEqual(sizes(), [0, 20]);
		h.stop();
	});

	it("tells when the progress deadline has passed", async () => {
		const { h, condition, change } = cluster();
		h.client.add(deployment({ progressDeadlineSeconds: 60 }));
		await h.start();
		await settle(h);
		await change({ template: template("broken") });
		const started = condition("Progressing")?.status;
		assert.equal(started, "True");
		await h.run(75_000);
		assert.equal(condition("Progressing")?.status, "False");
		assert.equal(condition("Progressing")?.reason, "ProgressDeadlineExceeded");
		assert.match(condition("Progressing")?.message ?? "", /^ReplicaSet "web-\w+" has timed out progressing\.$/);
		h.stop();
	});

	it("tells when the progress deadline has passed of a rollout that never had a ready pod", async () => {
		const { h, condition } = cluster();
		h.client.add(deployment({ progressDeadlineSeconds: 60 }));
		await h.start();
		await h.run(1000);
		h.client.clearActions();
		await h.run(75_000);
		assert.equal(condition("Progressing")?.reason, "ProgressDeadlineExceeded");
		const writes = h.client.actions.filter((action) => action.resource === "deployments");
		assert.equal(writes.length, 1, "and nothing else is written meanwhile");
		h.stop();
	});

	it("counts hash collisions and takes another name", async () => {
		const { h, get } = cluster();
		const stored = h.client.add(deployment()).spec?.template ?? {};
		const taken = templateHash(stored, undefined);
		h.client.add({
			apiVersion: "apps/v1",
			kind: "ReplicaSet",
			metadata: { name: `web-${taken}`, namespace: "default", labels: { other: "x" } },
			spec: {
				replicas: 0,
				selector: { matchLabels: { other: "x" } },
				template: { metadata: { labels: { other: "x" } } },
			},
		});
		await h.start();
		await h.run(1000);
		assert.equal(get()?.status?.collisionCount, 1);
		assert(h.client.peek(replicaSets, `default/web-${templateHash(stored, 1)}`) !== undefined);
		h.stop();
	});

	it("reports a ReplicaSet that cannot be created", async () => {
		const { h, condition } = cluster();
		h.client.add(deployment());
		h.client.failNext(
			"create",
			"replicasets",
			Object.assign(alreadyExists({ group: "", resource: "x" }, "y"), { code: 400 }),
			1,
		);
		await h.start();
		const failed = h.client.actions.find((a) => JSON.stringify(a.object).includes("ReplicaSetCreateError"));
		assert.match(JSON.stringify(failed?.object), /Failed to create new replica set \\"web-\w+\\": /);
		await settle(h);
		assert.equal(condition("Progressing")?.reason, "NewReplicaSetAvailable");
		h.stop();
	});
});
