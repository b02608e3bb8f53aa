/** From a request's resource and verb to the code that answers it. */
import { listTransforms, negotiate, noTransforms, objectTransforms } from "../http/negotiate.ts";
import { noSuchMethod } from "../http/render.ts";
import { notFound } from "../machinery/errors.ts";
import type { Scope } from "./context.ts";
import { createObject } from "./create.ts";
import { deleteCollection, deleteObject } from "./delete.ts";
import { getObject } from "./get.ts";
import { listObjects } from "./list.ts";
import { patchObject } from "./patch.ts";
import { readConsistent } from "./read.ts";
import { sendShown } from "./respond.ts";
import { shapeOf } from "./shapes.ts";
import { createBinding } from "./subresources/binding.ts";
import { createEviction } from "./subresources/eviction.ts";
import { getLog } from "./subresources/log.ts";
import { createReview, isReview } from "./subresources/reviews.ts";
import { createToken } from "./subresources/token.ts";
import { updateObject } from "./update.ts";
import { decodeView } from "./views.ts";
import { watchObjects } from "./watch.ts";

type Verb = (scope: Scope) => Promise<void>;

const verbs: Readonly<Record<string, Verb>> = {
	get: getObject,
	list: listObjects,
	watch: watchObjects,
	create: createObject,
	update: updateObject,
	patch: patchObject,
	delete: deleteObject,
	deletecollection: deleteCollection,
};

const subresources: Readonly<Record<string, Verb>> = {
	"binding create": createBinding,
	"eviction create": createEviction,
	"token create": createToken,
	"log get": getLog,
};

/** What an answer may be transformed into, by verb; a stream of its own (`log get`) is not negotiated. */
function transformsOf(verb: string, subresource: string): ReadonlySet<string> | undefined {
	if (subresource === "log") return undefined;
	if (!["", "status", "scale"].includes(subresource)) return noTransforms;
	return verb === "list" || verb === "deletecollection" ? listTransforms : objectTransforms;
}

/** Verbs whose subject may be a whole collection. */
const collectionVerbs: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"]);

/** GET of a subresource that shows something else than the object. */
async function getShown(scope: Scope): Promise<void> {
	const { services, resource, namespace, name } = scope;
	const entry = await readConsistent(services, resource, namespace, name);
	if (entry === undefined) throw notFound(resource, name);
	sendShown(scope, 200, shapeOf(resource, scope.subresource).show(decodeView(resource, entry.bytes, entry.revision)));
}

/** Answers a request for a resource. Throws ApiError. */
export async function dispatch(scope: Scope, verb: string): Promise<void> {
	const { resource, subresource, name } = scope;
	const offered = subresource?.verbs ?? resource.verbs;
	if (!offered.includes(verb)) throw noSuchMethod();
	// Nothing is done for a client that could not be told of it.
	const transforms = transformsOf(verb, subresource?.name ?? "");
	if (transforms !== undefined) negotiate(scope.request, transforms);
	if (subresource !== undefined) {
		const own = subresources[`${subresource.name} ${verb}`];
		if (own !== undefined) return own(scope);
		return subresource.name === "scale" && verb === "get" ? getShown(scope) : (verbs[verb] as Verb)(scope);
	}
	if (resource.storagePrefix === "") {
		if (isReview(resource.resource)) return createReview(scope);
		return createBinding(scope);
	}
	if ((verb === "create") !== (name === "") && !collectionVerbs.has(verb)) throw noSuchMethod();
	return (verbs[verb] as Verb)(scope);
}
