/** Adoption and release: a controller owns the objects its selector matches, and lets go of those it no longer matches. */
import { keyOf, type TypedResource } from "../../apiserver/client/resources.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { controllerOf, controllerReference } from "../../apiserver/machinery/meta.ts";
import type { Selector } from "../../apiserver/machinery/selectors.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import { isInvalid, isNotFound } from "./controller.ts";

export interface ClaimOptions<T extends object> {
	readonly client: ApiClient;
	readonly owner: KubeObject<object>;
	readonly ownerResource: TypedResource<object>;
	readonly selector: Selector;
	/** The claimed objects' resource. */
	readonly resource: TypedResource<T>;
	/** Finalizers added on adoption. */
	readonly finalizers?: readonly string[];
}

type Object<T extends object> = KubeObject<T>;

/** Reads the owner past the cache: one that is being deleted, or that is another of the same name, adopts nothing. */
async function canAdopt<T extends object>(options: ClaimOptions<T>): Promise<boolean> {
	const { metadata } = options.owner;
	const fresh = await options.client.resource(options.ownerResource).get(metadata.namespace ?? "", metadata.name ?? "");
	if (fresh.metadata.uid !== metadata.uid) {
		throw new Error(
			`original ${options.owner.kind} ${keyOf(options.owner)} is gone: got uid ${fresh.metadata.uid}, wanted ${metadata.uid}`,
		);
	}
	return fresh.metadata.deletionTimestamp === undefined;
}

async function adopt<T extends object>(options: ClaimOptions<T>, object: Object<T>): Promise<void> {
	const { namespace = "", name = "", uid } = object.metadata;
	const metadata = {
		uid,
		ownerReferences: [controllerReference(options.owner)],
		...(options.finalizers === undefined ? {} : { finalizers: options.finalizers }),
	};
	await options.client.resource(options.resource).patch(namespace, name, "strategic", { metadata });
}

async function release<T extends object>(options: ClaimOptions<T>, object: Object<T>): Promise<void> {
	const { namespace = "", name = "", uid } = object.metadata;
	const metadata = {
		uid,
		ownerReferences: [{ $patch: "delete", uid: options.owner.metadata.uid }],
		...(options.finalizers === undefined ? {} : { "$deleteFromPrimitiveList/finalizers": options.finalizers }),
	};
	try {
		await options.client.resource(options.resource).patch(namespace, name, "strategic", { metadata });
	} catch (error) {
		// Gone, or no longer owned by us, or the uid is another's: released all the same.
		if (!isNotFound(error) && !isInvalid(error)) throw error;
	}
}

/**
 * The objects that belong to the owner after adopting matching orphans and releasing owned ones that no longer match.
 * Throws the first failure after trying all.
 */
export async function claim<T extends object>(
	options: ClaimOptions<T>,
	objects: readonly Object<T>[],
	mayAdopt: (object: Object<T>) => boolean = () => true,
): Promise<Object<T>[]> {
	const { owner, selector } = options;
	const claimed: Object<T>[] = [];
	let adoptable: Promise<boolean> | undefined;
	let failure: unknown;
	for (const object of objects) {
		const reference = controllerOf(object);
		const matches = selector.matches(object.metadata.labels);
		if (reference !== undefined && reference.uid !== owner.metadata.uid) continue;
		if (reference !== undefined && matches) {
			claimed.push(object);
			continue;
		}
		if (owner.metadata.deletionTimestamp !== undefined) continue;
		try {
			if (reference !== undefined) {
				await release(options, object);
			} else if (matches && object.metadata.deletionTimestamp === undefined && mayAdopt(object)) {
				adoptable ??= canAdopt(options);
				if (!(await adoptable)) continue;
				await adopt(options, object);
				claimed.push(object);
			}
		} catch (error) {
			if (!isNotFound(error)) failure ??= error;
		}
	}
	if (failure !== undefined) throw failure;
	return claimed;
}
