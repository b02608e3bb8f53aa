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
		assert.deepEqual([status()?.active, status()?.failed], [0, 1]);
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
		assert.deepEqual(h.client.all(pods)[0]?.metadata.finalizers, []);
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
