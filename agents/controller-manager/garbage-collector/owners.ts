/**
 * Where the owners that references name are looked up, live: solid, gone, or not to be told. What cannot be told keeps
 * its dependents.
 */
import type { ApiClient } from "../../../apiserver/client/types.ts";
import { ApiError } from "../../../apiserver/machinery/errors.ts";
import type { KubeObject } from "../../../apiserver/scheme/object.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";
import type { DiscoveredResource } from "../discovery.ts";
import { type Coordinates, foregroundFinalizer, type Identity } from "./graph.ts";

const maxAbsent = 500;

export type Live = KubeObject<object>;

/**
 * How one owner stands. `unknown`: its kind is not served, or not in the caches yet, and may be later; `invalid`: a
 * cluster-scoped object cannot have an owner in a namespace, which no waiting mends.
 */
export type Standing = "solid" | "gone" | "waiting" | "unknown" | "invalid";

/** How an object's owners stand. */
export type Owners = Readonly<Record<Standing, OwnerReference[]>>;

/** What the finder is told of the server. */
export interface Kinds {
	/** The resource of a kind in exactly this version; undefined where the server has none. */
	resolve(apiVersion: string, kind: string): DiscoveredResource | undefined;
	/** False while the objects of a followed resource are not all in. */
	synced(resource: DiscoveredResource): boolean;
}

const keyOfCoordinates = ({ uid, apiVersion, kind, namespace, name }: Coordinates): string =>
	[uid, apiVersion, kind, namespace, name].join("\0");

/** Whether the answer is about this very object: a path that is not served, or a proxy's page, is 404 too. */
const saysAbsent = (error: unknown, name: string): boolean =>
	error instanceof ApiError && error.code === 404 && error.reason === "NotFound" && error.details?.name === name;

const isWaiting = (object: Live): boolean =>
	object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(foregroundFinalizer) === true;

export class OwnerFinder {
	readonly #client: ApiClient;
	readonly #kinds: Kinds;
	/** Whole coordinates known to be of nothing, the latest last. A uid is never given twice, so this stays true. */
	readonly #absent = new Set<string>();

	constructor(client: ApiClient, kinds: Kinds) {
		this.#client = client;
		this.#kinds = kinds;
	}

	/** An object with these coordinates was there and is gone. */
	remember(gone: Coordinates): void {
		const key = keyOfCoordinates(gone);
		this.#absent.delete(key);
		this.#absent.add(key);
		if (this.#absent.size <= maxAbsent) return;
		const oldest = this.#absent.values().next();
		if (oldest.done !== true) this.#absent.delete(oldest.value);
	}

	/** The object itself; undefined when it is gone, or another has its name. Rejects where neither is certain. */
	async live(identity: Identity): Promise<Live | undefined> {
		try {
			const found = await this.#client.resource(identity.resource).get(identity.namespace, identity.name);
			return found.metadata.uid === identity.uid ? found : undefined;
		} catch (error) {
			if (saysAbsent(error, identity.name)) return undefined;
			throw error;
		}
	}

	/** How the owner stands that `reference` of an object in `namespace` ("": of none) names. */
	async standing(reference: OwnerReference, namespace: string): Promise<Standing> {
		const coordinates = this.#locate(reference, namespace);
		if (typeof coordinates === "string") return coordinates;
		if (this.#absent.has(keyOfCoordinates(coordinates))) return "gone";
		const owner = await this.live(coordinates);
		if (owner !== undefined) return isWaiting(owner) ? "waiting" : "solid";
		this.remember(coordinates);
		return "gone";
	}

	/** All of `references`; where one cannot be told, none of the others is asked for. */
	async classify(references: readonly OwnerReference[], namespace: string): Promise<Owners> {
		const owners: Owners = { solid: [], gone: [], waiting: [], unknown: [], invalid: [] };
		for (const reference of references) {
			const found = this.#locate(reference, namespace);
			if (typeof found === "string") owners[found].push(reference);
		}
		if (owners.unknown.length > 0 || owners.invalid.length > 0) return owners;
		for (const reference of references) owners[await this.standing(reference, namespace)].push(reference);
		return owners;
	}

	#locate(reference: OwnerReference, namespace: string): Identity | "unknown" | "invalid" {
		const { uid = "", name = "", apiVersion = "", kind = "" } = reference;
		const resource = this.#kinds.resolve(apiVersion, kind);
		if (resource === undefined) return "unknown";
		if (resource.namespaced && namespace === "") return "invalid";
		if (!this.#kinds.synced(resource)) return "unknown";
		return { uid, name, apiVersion, kind, resource, namespace: resource.namespaced ? namespace : "" };
	}
}
