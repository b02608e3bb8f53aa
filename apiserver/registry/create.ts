/** CREATE. */
import { append } from "../../kit/lists.ts";
import type { UserInfo } from "../authn/types.ts";
import { type Attributes, requireAllowed, resourceAttributes } from "../authz/types.ts";
import { ApiError, alreadyExists, generateNameConflict } from "../machinery/errors.ts";
import { decodeStored } from "../scheme/codec/stored.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import { prepareCreate, renew, settleNamespace } from "./before.ts";
import { checkCreate } from "./check.ts";
import type { Scope, Services } from "./context.ts";
import { decodeBody } from "./decode.ts";
import { objectKey } from "./keys.ts";
import { readConsistent } from "./read.ts";
import { sendStored } from "./respond.ts";
import { encodeView } from "./views.ts";
import { readWriteOptions } from "./write-options.ts";

export interface CreateRequest {
	readonly resource: ResourceInfo;
	readonly namespace: string;
	/** The path's: "" but for a PUT that creates. */
	readonly name: string;
	readonly user: UserInfo;
	readonly object: KubeObject;
	readonly dryRun: boolean;
	readonly warnings: string[];
}

export interface Written {
	readonly bytes: Buffer;
	/** 0: nothing was written (dry run). */
	readonly revision: number;
}

/** Names tried for an object with generateName before the client hears of the clash. */
const maxNames = 8;

export async function createObject(scope: Scope): Promise<void> {
	const options = readWriteOptions(scope.request.query, "CreateOptions");
	const object = await decodeBody(scope, scope.resource, options.fieldValidation);
	const written = await create(scope.services, { ...scope, object, dryRun: options.dryRun });
	sendStored(scope, 201, written.bytes, written.revision);
}

/** Admits, checks and writes a new object. Throws ApiError. */
export async function create(services: Services, request: CreateRequest): Promise<Written> {
	const { resource, object, namespace, name, user, dryRun } = request;
	settleNamespace(resource, object, namespace);
	if ((object.metadata.resourceVersion ?? "") !== "" && object.metadata.resourceVersion !== "0") {
		throw new ApiError(500, "", "resourceVersion should not be set on objects to be created");
	}
	delete object.metadata.resourceVersion;
	const subject = {
		operation: "CREATE" as const,
		resource,
		subresource: "",
		namespace,
		name,
		object,
		user,
		dryRun,
		warnings: request.warnings,
	};
	await admitMutating(services, subject);
	const strategy = services.strategyOf(resource);
	// A name that its client chose is never changed, whatever else was given.
	const isNamed = (object.metadata.name ?? "") !== "";
	append(request.warnings, strategy.warningsOfInput?.(object) ?? []);
	prepareCreate(services, resource, strategy, object);
	const release = await strategy.reserve?.({ dryRun }, object, undefined);
	try {
		checkCreate(services, resource, object);
		// A PUT was allowed to update: that it may create is asked where upstream asks it.
		if (name !== "") requireAllowed(services.authorizer, createAttributes(request));
		append(request.warnings, strategy.warnings?.(object, undefined) ?? []);
		await admitValidating(services, subject);
		return await write(services, request, isNamed ? 1 : maxNames);
	} catch (error) {
		// Where the outcome is unknown, what was reserved stays so: the object may be there. Repair settles it.
		if (!(error instanceof ApiError && error.reason === "Timeout")) await release?.();
		throw error;
	}
}

const createAttributes = ({ resource, namespace, name, user }: CreateRequest): Attributes =>
	resourceAttributes(user, "create", {
		namespace,
		apiGroup: resource.group,
		apiVersion: resource.version,
		resource: resource.resource,
		name,
	});

/** `names`: how many may be tried. */
async function write(services: Services, request: CreateRequest, names: number): Promise<Written> {
	const { resource, object, namespace } = request;
	for (let attempt = 1; ; attempt++) {
		const name = object.metadata.name ?? "";
		const key = objectKey(services.root, resource, namespace, name);
		const bytes = encodeView(resource, object);
		if (request.dryRun) {
			if ((await readConsistent(services, resource, namespace, name)) === undefined) return { bytes, revision: 0 };
		} else {
			const lease =
				resource.storagePrefix === "events" ? await services.leases.lease(services.eventTtlSeconds) : undefined;
			const written = await services.storage.create(key, bytes, lease);
			if (written !== undefined) return { bytes, revision: written.revision };
		}
		if (attempt >= names) throw await taken(services, request);
		renew(services, services.strategyOf(resource), object);
	}
}

/** As upstream: says so when the one in the way is on its way out. */
async function taken(services: Services, { resource, object, namespace }: CreateRequest): Promise<ApiError> {
	const { name = "", generateName = "" } = object.metadata;
	const { code, reason, message, details } = (generateName === "" ? alreadyExists : generateNameConflict)(
		resource,
		name,
	);
	// That the name is taken is certain, whatever becomes of this read.
	const holder = await readConsistent(services, resource, namespace, name).catch(() => undefined);
	const isLeaving =
		holder !== undefined && (decodeStored(holder.bytes, holder.revision).metadata.deletionTimestamp ?? "") !== "";
	return new ApiError(code, reason, isLeaving ? `object is being deleted: ${message}` : message, details);
}
