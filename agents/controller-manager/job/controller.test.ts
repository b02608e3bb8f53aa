import assert from "node:assert/strict";
import { jobs, pods } from "../../../apiserver/client/resources.ts";
import { serviceUnavailable } from "../../../apiserver/machinery/errors.ts";
import type { JobSpec, Job as JobType } from "../../../apiserver/scheme/types.gen.ts";
import type { Pod } from "../controller.ts";
import { harness } from "../testing/harness.ts";
import { createTtlAfterFinishedController } from "../ttl-after-finished.ts";
import { createJobController } from "./controller.ts";
import { trackingFinalizer } from "./decide.ts";
import { formatIndexes, indexOf, parseIndexes } from "./indexes.ts";

const job = (spec: JobSpec): JobType => ({
	apiVersion: "batch/v1",
	kind: "Job",
	metadata: { name: "work", namespace: "default" },
	spec: {
		selector: { matchLabels: { job: "work" } },
		template: {
			metadata: { labels: { job: "work" } },
			spec: { containers: [{ name: "c", image: "x" }], restartPolicy: "Never" },
		},
		backoffLimit: 6,
		...spec,
	},
});

function cluster(spec: JobSpec) {
	const h = harness(createJobController, createTtlAfterFinishedController);
	h.client.add(job(spec));
	const status = () => h.client.peek(jobs, "default/work")?.status;
	const active = (): Pod[] =>
		h.client
			.all(pods)
			.filter((p) => p.metadata.deletionTimestamp === undefined && !/Succeeded|Failed/.test(p.status?.phase ?? ""));
	const end = async (phase: "Succeeded" | "Failed", count = 99) => {
		for (const pod of active().slice(0, count)) {
			await h.setPod(pod, phase, {
				containerStatuses: [
					{ name: "c", state: { terminated: { exitCode: 0, finishedAt: new Date(h.clock.now()).toISOString() } } },
				],
			});
		}
		await h.run();
	};
	const conditions = () =>
		(status()?.conditions ?? []).filter((c) => c.status === "True").map((c) => `${c.type}: ${c.reason}`);
	return { h, status, active, end, conditions };
}

describe("job controller", () => {
	it("runs completions with parallelism, counts each end once, and completes", async () => {
		const { h, status, active, end, conditions } = cluster({ completions: 5, parallelism: 2 });
		await h.start();
		assert.equal(active().length, 2);
		assert.deepEqual(active()[0]?.metadata.finalizers, [trackingFinalizer]);
		await end("Succeeded");
		assert.deepEqual([status()?.succeeded, status()?.active], [2, 2]);
		await end("Succeeded");
		assert.equal(active().length, 1, "no more pods than completions are missing");
		await end("Succeeded");
		assert.equal(status()?.succeeded, 5);
		assert.deepEqual(conditions(), ["SuccessCriteriaMet: CompletionsReached", "Complete: CompletionsReached"]);
		assert.equal(status()?.conditions?.[1]?.message, "Reached expected number of succeeded pods");
		assert(status()?.completionTime !== undefined);
		assert.deepEqual(status()?.uncountedTerminatedPods, {});
		assert(h.client.all(pods).every((p) => p.metadata.finalizers === undefined || p.metadata.finalizers.length === 0));
		const events = await h.events();
		assert.equal(events.filter((e) => /^SuccessfulCreate: Created pod: work-\w{5}$/.test(e)).length, 5);
		assert(events.includes("Completed: Job completed"));
		h.stop();
	});

	it("waits longer after each failure and fails at the backoff limit", async () => {
		const { h, status, active, end, conditions } = cluster({ completions: 1, parallelism: 1, backoffLimit: 2 });
		await h.start();
		await end("Failed");
		assert.equal(active().length, 0);
		await h.run(9000);
		assert.equal(active().length, 0);
		await h.run(2000);
		assert.equal(active().length, 1);
		await end("Failed");
		await h.run(15_000);
		assert.equal(active().length, 0);
		await h.run(6000);
		assert.equal(active().length, 1);
		await end("Failed");
		assert.equal(status()?.failed, 3);
		assert.deepEqual(conditions(), ["FailureTarget: BackoffLimitExceeded", "Failed: BackoffLimitExceeded"]);
		assert((await h.events()).includes("BackoffLimitExceeded: Job has reached the specified backoff limit"));
		h.stop();
	});

	it("stops pods at the active deadline and fails when they are gone", async () => {
		const { h, status, active, conditions } = cluster({ completions: 1, parallelism: 1, activeDeadlineSeconds: 30 });
		await h.start();
		const [pod] = active();
		assert(pod !== undefined);
		await h.setPod(pod, "Running");
		await h.run(31_000);
		assert.deepEqual(conditions(), ["FailureTarget: DeadlineExceeded"]);
		const stopping = h.client.all(pods)[0];
		assert(stopping?.metadata.deletionTimestamp !== undefined);
		await h.client.resource(pods).delete("default", pod.metadata.name ?? "", { gracePeriodSeconds: 0 });
		await h.run(1000);
		assert.deepEqual(conditions(), ["FailureTarget: DeadlineExceeded", "Failed: DeadlineExceeded"]);
		assert.deepEqual([status()?.active ?? 0, status()?.failed], [0, 1]);
		h.stop();
	});

	it("gives each index one pod, and records completed indexes", async () => {
		const { h, status, active, end, conditions } = cluster({
			completions: 3,
			parallelism: 2,
			completionMode: "Indexed",
		});
		await h.start();
		const [first] = active();
		assert.deepEqual(active().map(indexOf).sort(), [0, 1]);
		assert(first !== undefined);
		assert.match(first.metadata.name ?? "", /^work-[01]-\w{5}$/);
		assert.equal(first.spec?.hostname, `work-${indexOf(first)}`);
		assert.equal(first.spec?.containers?.[0]?.env?.[0]?.name, "JOB_COMPLETION_INDEX");
		await end("Succeeded", 1);
		assert.equal(status()?.succeeded, 1);
		assert.equal(active().length, 2);
		await end("Failed", 1);
		await h.run(11_000);
		await end("Succeeded");
		await end("Succeeded");
		assert.equal(status()?.completedIndexes, "0-2");
		assert.deepEqual(conditions(), ["SuccessCriteriaMet: CompletionsReached", "Complete: CompletionsReached"]);
		h.stop();
	});

	it("suspends and resumes", async () => {
		const { h, status, active, conditions } = cluster({ completions: 2, parallelism: 2 });
		await h.start();
		const set = async (suspend: boolean) => {
			await h.client.resource(jobs).patch("default", "work", "merge", { spec: { suspend } });
			await h.run(500);
		};
		await set(true);
		assert.equal(active().length, 0);
		assert.deepEqual(conditions(), ["Suspended: JobSuspended"]);
		assert.equal(status()?.startTime, undefined);
		await set(false);
		await h.run(30_000);
		assert.equal(active().length, 2);
		assert.deepEqual(conditions(), []);
		const events = await h.events();
		assert(events.includes("Suspended: Job suspended") && events.includes("Resumed: Job resumed"));
		h.stop();
	});

	it("does not count as failures the pods it takes back itself", async () => {
		const { h, status, active } = cluster({ completions: 4, parallelism: 4, backoffLimit: 0 });
		await h.start();
		await h.client.resource(jobs).patch("default", "work", "merge", { spec: { parallelism: 1 } });
		await h.run(500);
		assert.equal(active().length, 1);
		await h.client.resource(jobs).patch("default", "work", "merge", { spec: { suspend: true } });
		await h.run(500);
		assert.equal(status()?.failed ?? 0, 0);
		await h.client.resource(jobs).patch("default", "work", "merge", { spec: { suspend: false, parallelism: 2 } });
		await h.run(500);
		assert.equal(active().length, 2);
		h.stop();
	});

	const ended = (exitCode: number, at: number) => ({
		containerStatuses: [{ name: "c", state: { terminated: { exitCode, finishedAt: new Date(at).toISOString() } } }],
	});

	it("fails the job, ignores or counts a failure as the pod failure policy says", async () => {
		const rules = [
			{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
			{ action: "FailJob", onExitCodes: { containerName: "c", operator: "In", values: [42] } },
			{ action: "Count", onExitCodes: { operator: "NotIn", values: [42] } },
		];
		const { h, status, active, conditions } = cluster({
			completions: 2,
			parallelism: 2,
			backoffLimit: 1,
			podReplacementPolicy: "Failed",
			podFailurePolicy: { rules },
		});
		await h.start();
		for (let i = 0; i < 3; i++) {
			const [pod] = active();
			assert(pod !== undefined);
			await h.setPod(pod, "Failed", {
				...ended(137, h.clock.now()),
				conditions: [{ type: "DisruptionTarget", status: "True" }],
			});
			await h.run(100_000);
		}
		assert.equal(status()?.failed ?? 0, 0, "disruptions are ignored");
		assert.equal(active().length, 2);
		const [counted] = active();
		assert(counted !== undefined);
		await h.setPod(counted, "Failed", ended(1, h.clock.now()));
		await h.run(200_000);
		assert.equal(status()?.failed, 1);
		assert.equal(active().length, 2);
		const [fatal, other] = active();
		assert(fatal !== undefined && other !== undefined);
		await h.setPod(other, "Running");
		await h.setPod(fatal, "Failed", ended(42, h.clock.now()));
		await h.run(1000);
		assert.deepEqual(conditions(), ["FailureTarget: PodFailurePolicy"]);
		assert.equal(
			status()?.conditions?.find((c) => c.type === "FailureTarget")?.message,
			`Container c for pod default/${fatal.metadata.name} failed with exit code 42 matching FailJob rule at index 1`,
		);
		await h.client.resource(pods).delete("default", other.metadata.name ?? "", { gracePeriodSeconds: 0 });
		await h.run(1000);
		assert.deepEqual(conditions(), ["FailureTarget: PodFailurePolicy", "Failed: PodFailurePolicy"]);
		h.stop();
	});

	it("gives each index its own back-off limit", async () => {
		const { h, status, active, conditions } = cluster({
			completions: 3,
			parallelism: 3,
			completionMode: "Indexed",
			backoffLimit: 2 ** 31 - 1,
			backoffLimitPerIndex: 1,
		});
		await h.start();
		const fail = async (index: number) => {
			const pod = active().find((p) => indexOf(p) === index);
			assert(pod !== undefined, `a pod of index ${index}`);
			await h.setPod(pod, "Failed", ended(1, h.clock.now()));
			await h.run(100);
		};
		assert.equal(active()[0]?.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"], "0");
		await fail(1);
		assert.equal(active().length, 2, "the index backs off");
		await h.run(11_000);
		const again = active().find((p) => indexOf(p) === 1);
		assert.equal(again?.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"], "1");
		await h.run(1000);
		assert.equal(status()?.failed, 1);
		assert.equal(status()?.failedIndexes, "");
		await fail(1);
		await h.run(60_000);
		assert.equal(status()?.failedIndexes, "1");
		assert.equal(active().length, 2, "a failed index gets no more pods");
		for (const pod of active()) await h.setPod(pod, "Succeeded", ended(0, h.clock.now()));
		await h.run(1000);
		assert.deepEqual(conditions(), ["FailureTarget: FailedIndexes", "Failed: FailedIndexes"]);
		assert.equal(status()?.completedIndexes, "0,2");
		assert.equal(status()?.failed, 2);
		assert(h.client.all(pods).every((p) => (p.metadata.finalizers ?? []).length === 0));
		h.stop();
	});

	it("ends when more indexes have failed than may, also by FailIndex", async () => {
		const { h, status, active, conditions } = cluster({
			completions: 4,
			parallelism: 2,
			completionMode: "Indexed",
			backoffLimitPerIndex: 5,
			maxFailedIndexes: 1,
			podReplacementPolicy: "Failed",
			podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [9] } }] },
		});
		await h.start();
		for (let i = 0; i < 2; i++) {
			const [pod] = active();
			assert(pod !== undefined);
			await h.setPod(pod, "Failed", ended(9, h.clock.now()));
			await h.run(100);
		}
		assert.equal(status()?.failedIndexes, "0,1");
		assert.equal(conditions()[0], "FailureTarget: MaxFailedIndexesExceeded");
		h.stop();
	});

	it("succeeds early by its success policy, and stops what still runs", async () => {
		const { h, status, active, conditions } = cluster({
			completions: 4,
			parallelism: 4,
			completionMode: "Indexed",
			successPolicy: { rules: [{ succeededIndexes: "0", succeededCount: 1 }, { succeededCount: 3 }] },
		});
		await h.start();
		for (const index of [1, 2]) {
			const pod = active().find((p) => indexOf(p) === index);
			assert(pod !== undefined);
			await h.setPod(pod, "Succeeded", ended(0, h.clock.now()));
		}
		await h.run(100);
		assert.deepEqual(conditions(), []);
		const leader = active().find((p) => indexOf(p) === 0);
		assert(leader !== undefined);
		await h.setPod(leader, "Succeeded", ended(0, h.clock.now()));
		await h.run(1000);
		assert.deepEqual(conditions(), ["SuccessCriteriaMet: SuccessPolicy", "Complete: SuccessPolicy"]);
		assert.equal(status()?.conditions?.[0]?.message, "Matched rules at index 0");
		assert.equal(status()?.completedIndexes, "0-2");
		assert.equal(active().length, 0);
		h.stop();
	});

	it("does not give a terminating pod's index away where pods are replaced only when they have failed", async () => {
		const { h, active, end } = cluster({
			completions: 3,
			parallelism: 2,
			completionMode: "Indexed",
			podReplacementPolicy: "Failed",
		});
		await h.start();
		const zero = active().find((p) => indexOf(p) === 0);
		assert(zero !== undefined);
		await h.setPod(zero, "Running");
		await h.client.resource(pods).delete("default", zero.metadata.name ?? "");
		await end("Succeeded");
		await h.run(1000);
		assert.deepEqual(active().map(indexOf), [2]);
		h.stop();
	});

	it("counts an end once though the status update or the removal of the finalizer fails", async () => {
		const { h, status, end } = cluster({ completions: 2, parallelism: 2 });
		await h.start();
		h.client.failNext("update", "jobs", serviceUnavailable("busy"), 2);
		h.client.failNext("patch", "pods", serviceUnavailable("busy"), 3);
		await end("Succeeded");
		await h.run(5000);
		assert.equal(status()?.succeeded, 2);
		assert.equal(status()?.completionTime !== undefined, true);
		h.stop();
	});

	it("a deleted job's pods lose their finalizer", async () => {
		const { h } = cluster({ completions: 1, parallelism: 1 });
		await h.start();
		await h.client.resource(jobs).delete("default", "work");
		await h.run();
		assert.equal(h.client.all(pods)[0]?.metadata.finalizers, undefined);
		h.stop();
	});

	it("is deleted after its time to live", async () => {
		const { h, end } = cluster({ completions: 1, parallelism: 1, ttlSecondsAfterFinished: 60 });
		await h.start();
		await end("Succeeded");
		await h.run(50_000);
		assert(h.client.peek(jobs, "default/work") !== undefined);
		await h.run(15_000);
		const deletion = h.client.actions.find((a) => a.verb === "delete" && a.resource === "jobs");
		assert.equal(deletion?.options?.propagationPolicy, "Foreground");
		h.stop();
	});

	it("reads and writes index sets", () => {
		assert.deepEqual([...parseIndexes("0,2-4,7", 10)], [0, 2, 3, 4, 7]);
		assert.deepEqual([...parseIndexes("0-20", 3)], [0, 1, 2]);
		assert.equal(formatIndexes([7, 3, 2, 4, 0, 8]), "0,2-4,7,8");
		assert.equal(formatIndexes([]), "");
	});
});
