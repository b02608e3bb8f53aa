/** What every controller is given, and what it is to the manager. */
import type { EventRecorder } from "../../apiserver/client/events.ts";
import type { DynamicInformerFactory } from "../../apiserver/client/informer.ts";
import type { ApiClient, DeleteOptions } from "../../apiserver/client/types.ts";
import { createWorkQueue, type Requeue, type RunningWorkQueue } from "../../apiserver/client/workqueue.ts";
import { ApiError, notFound } from "../../apiserver/machinery/errors.ts";
import { QuantityError } from "../../apiserver/machinery/quantity.ts";
import { SelectorError } from "../../apiserver/machinery/selectors.ts";
import type { GroupVersionResource, KubeObject } from "../../apiserver/scheme/object.ts";
import type * as api from "../../apiserver/scheme/types.gen.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";

export type Pod = KubeObject<api.Pod>;
export type ReplicaSet = KubeObject<api.ReplicaSet>;
export type Deployment = KubeObject<api.Deployment>;
export type Job = KubeObject<api.Job>;
export type Node = KubeObject<api.Node>;
export type Namespace = KubeObject<api.Namespace>;
export type Service = KubeObject<api.Service>;

export interface ControllerContext {
	readonly client: ApiClient;
	readonly informers: DynamicInformerFactory;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** Events in the name of `component`. */
	readonly recorder: (component: string) => EventRecorder;
	/** Keys a queue processes at a time, by flag; the controller's own default otherwise. */
	readonly workers?: number | undefined;
}

/** One control loop. Made before the informers start, started after they have synced. */
export interface Controller {
	readonly name: string;
	readonly queues: readonly RunningWorkQueue[];
	start(): void;
	stop(): void;
	/** After `stop`: resolves when nothing is under way beside its queues. Absent: nothing ever is. */
	settled?(): Promise<unknown>;
}

/** An object that cannot be processed as it is, is looked at again this late, or when it changes. */
const parkedMs = 300_000;

/** Errors that come of what an object says, so that trying again helps nobody. */
const isOfData = (error: unknown): boolean =>
	error instanceof TypeError ||
	error instanceof RangeError ||
	error instanceof SelectorError ||
	error instanceof QuantityError;

/**
 * The usual queue of a controller: waits for `start`, and takes lost races as a matter of course. An object that cannot be
 * read as its kind (stored by others, or before a rule was added) is parked, with an event where `cache` has it.
 */
export function controllerQueue(
	ctx: ControllerContext,
	name: string,
	process: (key: string) => Promise<Requeue | undefined> | Promise<void>,
	workers = 5,
	cache?: { get(key: string): KubeObject<object> | undefined },
): RunningWorkQueue {
	const logger = ctx.logger.with({ controller: name });
	let recorder: EventRecorder | undefined;
	return createWorkQueue({
		name,
		workers: ctx.workers ?? workers,
		clock: ctx.clock,
		logger,
		autoStart: false,
		expected: (error) => isConflict(error) || isNotFound(error),
		async process(key) {
			try {
				return (await process(key)) ?? undefined;
			} catch (error) {
				if (!isOfData(error)) throw error;
				logger.error("an object cannot be processed as it is", { key, error, stack: (error as Error).stack });
				const object = cache?.get(key);
				recorder ??= ctx.recorder(`${name}-controller`);
				if (object !== undefined) recorder.event(object, "Warning", "FailedSync", `Error syncing: ${errorText(error)}`);
				return { requeueAfterMs: parkedMs };
			}
		},
	});
}

/** A controller that is nothing but its queues. */
export function queueController(name: string, ...queues: RunningWorkQueue[]): Controller {
	return {
		name,
		queues,
		start() {
			for (const queue of queues) queue.start();
		},
		stop() {
			for (const queue of queues) queue.stop();
		},
	};
}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.code === 404;
export const isAlreadyExists = (error: unknown): boolean =>
	error instanceof ApiError && error.code === 409 && error.reason === "AlreadyExists";
export const isConflict = (error: unknown): boolean =>
	error instanceof ApiError && error.code === 409 && error.reason === "Conflict";
export const isInvalid = (error: unknown): boolean => error instanceof ApiError && error.code === 422;

/** A create was refused because its namespace is going away: nothing can be done, and nothing needs to be. */
export const isNamespaceTerminating = (error: unknown): boolean =>
	error instanceof ApiError &&
	error.code === 403 &&
	(error.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");

/** The error's text, as events and conditions show it. */
export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Awaits `call`, taking "not found" as done. */
export async function ignoringNotFound<T>(call: Promise<T>): Promise<T | undefined> {
	try {
		return await call;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

/**
 * Deletes the very object that was seen: another that took its name since is not touched, and the answer is "not found",
 * as it is where the object is gone.
 */
export async function deleteSeen(
	client: ApiClient,
	resource: GroupVersionResource,
	object: KubeObject<object>,
	options: DeleteOptions = {},
): Promise<void> {
	const { namespace = "", name = "", uid = "" } = object.metadata;
	try {
		await client.resource(resource).delete(namespace, name, { ...options, preconditions: { uid } });
	} catch (error) {
		// With nothing but the uid asked for, a conflict can be about nothing else.
		if (isConflict(error)) throw notFound(resource, name);
		throw error;
	}
}

/** Runs `call` for each item, at most `limit` at a time; after all have ended, throws the first failure. */
export async function forEachLimited<T>(
	items: readonly T[],
	limit: number,
	call: (item: T) => Promise<void>,
): Promise<void> {
	const failures: unknown[] = [];
	let next = 0;
	const worker = async () => {
		for (let i = next++; i < items.length; i = next++) {
			await call(items[i] as T).catch((error: unknown) => void failures.push(error));
		}
	};
	await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
	if (failures.length > 0) throw failures[0];
}

/** Ms since the epoch of an API time; NaN where there is none. */
export const timeOf = (time: string | undefined): number => (time === undefined ? Number.NaN : Date.parse(time));
