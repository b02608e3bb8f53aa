/** Admission: what may still change or refuse a write after it was authorized. */
import type { UserInfo } from "../authn/types.ts";
import { type ApiError, forbidden } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Namespace, Node, Pod, ServiceAccount } from "../scheme/types.gen.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

export interface AdmissionAttributes {
	readonly operation: Operation;
	readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
	readonly resource: { readonly group: string; readonly resource: string };
	readonly subresource: string;
	/** "" for cluster-scoped objects. */
	readonly namespace: string;
	/** From the path; "" for a create. */
	readonly name: string;
	/** As it would be written (for a subresource with its own kind, that); plugins change it in place. Absent for DELETE. */
	readonly object?: KubeObject | undefined;
	/** As it is stored; absent for CREATE. */
	readonly oldObject?: KubeObject | undefined;
	readonly user: UserInfo;
	readonly dryRun: boolean;
	/** Tells the client something, whatever becomes of the request. */
	warn(text: string): void;
}

type Found<T> = T | undefined | Promise<T | undefined>;

/** What plugins read; undefined where the object does not exist. */
export interface AdmissionLookups {
	namespace(name: string): Found<Namespace>;
	serviceAccount(namespace: string, name: string): Found<ServiceAccount>;
	pod(namespace: string, name: string): Found<Pod>;
	node(name: string): Found<Node>;
	/** As the cache has them. */
	podsIn(namespace: string): Iterable<Pod>;
}

export interface AdmissionPlugin {
	/** As `--enable-admission-plugins` names it. */
	readonly name: string;
	/** May change the object. Throws ApiError to refuse. */
	mutate?(attributes: AdmissionAttributes, lookups: AdmissionLookups): void | Promise<void>;
	/** Sees the object as all plugins left it. Throws ApiError to refuse. */
	validate?(attributes: AdmissionAttributes, lookups: AdmissionLookups): void | Promise<void>;
}

/** The name errors speak of: the path's, the object's, or what the name will be generated from. */
export function nameOf(a: AdmissionAttributes): string {
	const meta = a.object?.metadata;
	return a.name || meta?.name || meta?.generateName || "Unknown";
}

/** 403 as admission plugins give it. */
export const refuse = (a: AdmissionAttributes, why: string): ApiError => forbidden(a.resource, nameOf(a), why);

/** Whether the request is for this resource itself or this subresource of it. */
export const isResource = (a: AdmissionAttributes, group: string, resource: string, subresource = ""): boolean =>
	a.resource.group === group && a.resource.resource === resource && a.subresource === subresource;

/** Runs every plugin's mutation, in the chain's order. */
export async function mutate(
	chain: readonly AdmissionPlugin[],
	attributes: AdmissionAttributes,
	lookups: AdmissionLookups,
): Promise<void> {
	for (const plugin of chain) await plugin.mutate?.(attributes, lookups);
}

/** Runs every plugin's validation, in the chain's order. */
export async function validate(
	chain: readonly AdmissionPlugin[],
	attributes: AdmissionAttributes,
	lookups: AdmissionLookups,
): Promise<void> {
	for (const plugin of chain) await plugin.validate?.(attributes, lookups);
}

/** Both, for requests with nothing to check between them. Rejects with the first refusal. */
export async function admit(
	chain: readonly AdmissionPlugin[],
	attributes: AdmissionAttributes,
	lookups: AdmissionLookups,
): Promise<void> {
	await mutate(chain, attributes, lookups);
	await validate(chain, attributes, lookups);
}
