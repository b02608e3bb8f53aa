/** Deletes jobs `ttlSecondsAfterFinished` seconds after they ended, with what they own. */
import { jobs, keyOf, splitKey } from "../../apiserver/client/resources.ts";
import type { Requeue } from "../../apiserver/client/workqueue.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	deleteSeen,
	ignoringNotFound,
	type Job,
	queueController,
} from "./controller.ts";
import { jobFinishedAt } from "./job/controller.ts";

/** Ms until the job may go; undefined when it stays. */
function timeLeft(job: Job, now: number): number | undefined {
	const ttl = job.spec?.ttlSecondsAfterFinished;
	const ended = jobFinishedAt(job);
	if (ttl === undefined || ended === undefined || job.metadata.deletionTimestamp !== undefined) return undefined;
	return ended + ttl * 1000 - now;
}

/** The ttl-after-finished controller. */
export function createTtlAfterFinishedController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const cache = ctx.informers.informer(jobs);
	const queue = controllerQueue(ctx, "ttl-after-finished", sync, 5, cache);
	const enqueue = (job: Job) => {
		if (timeLeft(job, clock.now()) !== undefined) queue.add(keyOf(job));
	};
	cache.addHandlers({ onAdd: enqueue, onUpdate: (_, job) => enqueue(job) });

	async function sync(key: string): Promise<Requeue | undefined> {
		const cached = cache.get(key);
		const left = cached === undefined ? undefined : timeLeft(cached, clock.now());
		if (left === undefined) return undefined;
		if (left > 0) return { requeueAfterMs: left };
		// The cache may be behind a change of the time to live: look again before deleting.
		const { namespace, name } = splitKey(key);
		const fresh = await ignoringNotFound(client.resource(jobs).get(namespace, name));
		const leftNow = fresh === undefined ? undefined : timeLeft(fresh, clock.now());
		if (fresh === undefined || leftNow === undefined) return undefined;
		if (leftNow > 0) return { requeueAfterMs: leftNow };
		await ignoringNotFound(deleteSeen(client, jobs, fresh, { propagationPolicy: "Foreground" }));
		return undefined;
	}

	return queueController("ttl-after-finished", queue);
}
