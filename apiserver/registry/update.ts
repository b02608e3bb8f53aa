/** UPDATE: PUT, and what PATCH and the subresources share with it. */
import { append } from "../../kit/lists.ts";
import type { UserInfo } from "../authn/types.ts";
import {
	ApiError,
	badRequest,
	conflict,
	fieldInvalid,
	invalid,
	modifiedConflict,
	notFound,
} from "../machinery/errors.ts";
import { deepClone } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { Change, StoredObject } from "../storage/objects.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import { prepareUpdate, settleNamespace } from "./before.ts";
import { checkUpdate } from "./check.ts";
import type { Scope, Services } from "./context.ts";
import { create, type Written } from "./create.ts";
import { decodeBody } from "./decode.ts";
import { objectKey } from "./keys.ts";
import { readCached } from "./read.ts";
import { sendShown, sendStored } from "./respond.ts";
import { shapeOf } from "./shapes.ts";
import type { Release } from "./strategy.ts";
import { decodeView, encodeView } from "./views.ts";
import { readWriteOptions } from "./write-options.ts";

export interface UpdateRequest {
	readonly resource: ResourceInfo;
	/** "" for the object itself. */
	readonly subresource: string;
	readonly namespace: string;
	readonly name: string;
	readonly user: UserInfo;
	readonly dryRun: boolean;
	readonly warnings: string[];
	/** The wanted object, made from the current one, which it may change. May throw ApiError. */
	wanted(current: KubeObject): Promise<KubeObject> | KubeObject;
	/** With it, an absent object is created from this. */
	readonly createFrom?: KubeObject | undefined;
	/** A resourceVersion must be given. */
	readonly conditional: boolean;
	/** What admission sees at a subresource with a kind of its own. */
	readonly shows?: ((object: KubeObject) => KubeObject) | undefined;
}

export interface Updated extends Written {
	readonly created: boolean;
}

export async function updateObject(scope: Scope): Promise<void> {
	const { services, resource, subresource, name, namespace } = scope;
	const options = readWriteOptions(scope.request.query, "UpdateOptions");
	const shape = shapeOf(resource, subresource);
	const body = await decodeBody(scope, shape.kind, options.fieldValidation);
	checkName(resource, body, namespace, name);
	const strategy = services.strategyOf(resource);
	const updated = await update(services, {
		...scope,
		subresource: subresource?.name ?? "",
		dryRun: options.dryRun,
		wanted: (current) => shape.absorb(deepClone(body), current),
		createFrom: subresource === undefined && strategy.allowCreateOnUpdate ? body : undefined,
		conditional: !strategy.allowUnconditionalUpdate && shape.whole,
		shows: shape.whole ? undefined : shape.show,
	});
	const status = updated.created ? 201 : 200;
	if (shape.whole) sendStored(scope, status, updated.bytes, updated.revision);
	else sendShown(scope, status, shape.show(decodeView(resource, updated.bytes, updated.revision)));
}

/** Throws ApiError 400 where URL and body disagree. */
export function checkName(resource: ResourceInfo, object: KubeObject, namespace: string, name: string): void {
	const { metadata } = object;
	if ((metadata.name ?? "") === "") {
		throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
	}
	if (metadata.name !== name) {
		throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
	}
	const given = metadata.namespace ?? "";
	if (resource.namespaced && given !== "" && given !== namespace) {
		throw badRequest(
			`the namespace of the object (${given}) does not match the namespace on the request (${namespace})`,
		);
	}
}

/** Reads, changes, admits, checks and writes until no other writer comes between. Throws ApiError. */
export async function update(services: Services, request: UpdateRequest): Promise<Updated> {
	const { resource, namespace, name, dryRun } = request;
	const key = objectKey(services.root, resource, namespace, name);
	const strategy = services.strategyOf(resource);
	const attempt = new Attempt(services, request);
	let settled = false;
	try {
		if (dryRun) return await attempt.dryRun(key);
		const outcome = await services.storage.update(key, readCached(services, resource, namespace, name), (current) =>
			attempt.change(current),
		);
		if (outcome === undefined) {
			if (request.createFrom === undefined) throw notFound(resource, name);
			return { ...(await createInstead(services, request)), created: true };
		}
		settled = outcome.kind !== "keep";
		if (settled) {
			const now = outcome.kind === "delete" ? undefined : attempt.object;
			await strategy.released?.({ dryRun }, attempt.old as KubeObject, now);
		}
		if (outcome.kind === "delete") {
			return { bytes: encodeView(resource, attempt.object as KubeObject), revision: outcome.revision, created: false };
		}
		return { bytes: outcome.object.bytes, revision: outcome.object.revision, created: false };
	} catch (error) {
		settled = error instanceof ApiError && error.reason === "Timeout";
		throw error;
	} finally {
		if (!settled) await attempt.release?.();
	}
}

async function createInstead(services: Services, request: UpdateRequest): Promise<Written> {
	const object = request.createFrom as KubeObject;
	const { resource, name } = request;
	if ((object.metadata.resourceVersion ?? "") !== "" && object.metadata.resourceVersion !== "0") {
		throw notFound(resource, name);
	}
	delete object.metadata.resourceVersion;
	if ((object.metadata.uid ?? "") !== "") {
		throw conflict(
			resource,
			name,
			`Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: `,
		);
	}
	return create(services, { ...request, object });
}

/** One update's tries; what the last of them saw and made. */
class Attempt {
	readonly #services: Services;
	readonly #request: UpdateRequest;
	old: KubeObject | undefined;
	object: KubeObject | undefined;
	release: Release | undefined;
	/** Warnings that were there before the first try. */
	readonly #told: number;

	constructor(services: Services, request: UpdateRequest) {
		this.#services = services;
		this.#request = request;
		this.#told = request.warnings.length;
	}

	async dryRun(key: string): Promise<Updated> {
		const { resource, name, createFrom } = this.#request;
		const current = await this.#services.storage.get(key);
		if (current === undefined) {
			if (createFrom === undefined) throw notFound(resource, name);
			return { ...(await createInstead(this.#services, this.#request)), created: true };
		}
		await this.change(current);
		return { bytes: encodeView(resource, this.object as KubeObject), revision: current.revision, created: false };
	}

	async change(current: StoredObject): Promise<Change> {
		const { resource, subresource, namespace, name, user, dryRun, shows } = this.#request;
		await this.release?.();
		this.release = undefined;
		// What the last try warned of is said again by this one.
		this.#request.warnings.length = this.#told;
		const old = decodeView(resource, current.bytes, current.revision);
		const object = await this.#request.wanted(deepClone(old));
		settleNamespace(resource, object, namespace);
		this.#checkPreconditions(object, old, current.revision);
		const { warnings } = this.#request;
		const subject = { operation: "UPDATE" as const, resource, subresource, namespace, name, user, dryRun, warnings };
		const strategy = this.#services.strategyOf(resource);
		if (shows === undefined) await admitMutating(this.#services, { ...subject, object, oldObject: old });
		prepareUpdate(resource, strategy, object, old, subresource);
		const context = { dryRun };
		if (subresource === "") this.release = await strategy.reserve?.(context, object, old);
		checkUpdate(this.#services, resource, object, old, subresource);
		const seen = shows === undefined ? { object, oldObject: old } : { object: shows(object), oldObject: shows(old) };
		append(warnings, strategy.warnings?.(object, old) ?? []);
		await admitValidating(this.#services, { ...subject, ...seen });
		this.old = old;
		this.object = object;
		if (goesAway(object, strategy.heldBack)) return { kind: "delete" };
		return { kind: "put", bytes: encodeView(resource, object) };
	}

	#checkPreconditions(object: KubeObject, old: KubeObject, revision: number): void {
		const { resource, name, conditional } = this.#request;
		const uid = object.metadata.uid ?? "";
		if (uid !== "" && uid !== old.metadata.uid) {
			throw conflict(
				resource,
				name,
				`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
			);
		}
		const wanted = object.metadata.resourceVersion ?? "";
		if (wanted === "" || wanted === "0") {
			if (!conditional) return;
			throw invalid(resource.group, resource.kind, name, [
				fieldInvalid("metadata.resourceVersion", 0, "must be specified for an update"),
			]);
		}
		if (!/^\d+$/.test(wanted)) {
			throw invalid(resource.group, resource.kind, name, [
				fieldInvalid(
					"metadata.resourceVersion",
					wanted,
					`strconv.ParseUint: parsing ${JSON.stringify(wanted)}: invalid syntax`,
				),
			]);
		}
		if (Number(wanted) !== revision) throw modifiedConflict(resource, name);
	}
}

/** A marked object goes once nothing holds it any more. */
function goesAway(object: KubeObject, heldBack: ((object: KubeObject) => boolean) | undefined): boolean {
	const { metadata } = object;
	return (
		(metadata.deletionTimestamp ?? "") !== "" &&
		(metadata.finalizers?.length ?? 0) === 0 &&
		(metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
		heldBack?.(object) !== true
	);
}
