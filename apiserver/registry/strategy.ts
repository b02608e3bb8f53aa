/** What a kind does of its own when it is written; everything else is the generic verbs'. */
import { deepEqual } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { DeleteOptions } from "../scheme/types.gen.ts";

export interface StrategyContext {
	readonly dryRun: boolean;
}

/** Undoes what a write reserved, when the write did not happen. */
export type Release = () => Promise<void>;

export interface Strategy {
	/** PUT creates what is not there. */
	readonly allowCreateOnUpdate: boolean;
	/** PUT without a resourceVersion overwrites whatever is there. */
	readonly allowUnconditionalUpdate: boolean;
	/** Counts changes of spec in metadata.generation. */
	readonly countsGenerations: boolean;
	/** The deleted object is the answer, instead of a Status. */
	readonly returnsDeleted: boolean;
	/** Dependents are kept when the client does not say (batch/v1). */
	readonly orphansByDefault: boolean;
	/** Changes the new object, after decoding and before admission. */
	prepareForCreate?(object: KubeObject): void;
	/** Changes the new object of a PUT or patch of the object itself or a subresource other than status. */
	prepareForUpdate?(object: KubeObject, old: KubeObject, subresource: string): void;
	/** Changes the new object of a PUT or patch of its status. */
	prepareForStatusUpdate?(object: KubeObject, old: KubeObject): void;
	/** Reserves what must be unique in the cluster (addresses); the release runs if nothing was written. */
	reserve?(context: StrategyContext, object: KubeObject, old: KubeObject | undefined): Promise<Release | undefined>;
	/** Gives back what the object held, after it is gone (or no longer holds it). */
	released?(context: StrategyContext, old: KubeObject, now: KubeObject | undefined): Promise<void>;
	/** Grace in seconds of a deletion; undefined: the kind has none. */
	gracePeriod?(object: KubeObject, options: DeleteOptions): number | undefined;
	/** What else a deletion that only marks the object changes in it. */
	markDeleted?(object: KubeObject): void;
	/** More than finalizers that keep a marked object from going. */
	heldBack?(object: KubeObject): boolean;
	/** Texts of warnings about an object as its client sent it: of what prepareForCreate changes. */
	warningsOfInput?(object: KubeObject): string[];
	/** Texts of warnings about an object as it will be written. */
	warnings?(object: KubeObject, old: KubeObject | undefined): string[];
	warnOnDelete?(object: KubeObject, options: DeleteOptions): string[];
}

export const baseStrategy: Strategy = {
	allowCreateOnUpdate: false,
	allowUnconditionalUpdate: true,
	countsGenerations: false,
	returnsDeleted: false,
	orphansByDefault: false,
};

export const hasStatus = (resource: ResourceInfo): boolean => resource.subresources.some((s) => s.name === "status");

/** A status subresource makes spec and status two halves, each written through its own path. */
export function keepStatus(object: KubeObject, old: KubeObject): void {
	if (old["status"] === undefined) delete object["status"];
	else object["status"] = old["status"];
}

/** A status update changes nothing but status and what little metadata the kind lets through. */
export function keepSpec(object: KubeObject, old: KubeObject): void {
	for (const key of Object.keys(object)) {
		if (!["apiVersion", "kind", "metadata", "status"].includes(key)) delete object[key];
	}
	for (const [key, value] of Object.entries(old)) {
		if (!["apiVersion", "kind", "metadata", "status"].includes(key)) object[key] = value;
	}
}

export function bumpGeneration(object: KubeObject, old: KubeObject): void {
	const before = old.metadata.generation ?? 0;
	object.metadata.generation = deepEqual(object["spec"], old["spec"]) ? before : before + 1;
}
