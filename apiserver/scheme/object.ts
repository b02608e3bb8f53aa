/** The shape every API object shares. */
import type { ObjectMeta } from "./types.gen.ts";

/** An object with its type and metadata set; T adds the kind's own fields (`KubeObject<Pod>`). */
export type KubeObject<T extends object = Record<string, unknown>> = Omit<T, "apiVersion" | "kind" | "metadata"> & {
	apiVersion: string;
	kind: string;
	metadata: ObjectMeta;
};

export interface KubeList<T extends object = Record<string, unknown>> {
	apiVersion: string;
	kind: string;
	metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
	items: KubeObject<T>[];
}

export interface GroupVersionResource {
	/** "" for core. */
	readonly group: string;
	readonly version: string;
	/** Plural, lower case: `pods`. */
	readonly resource: string;
}
