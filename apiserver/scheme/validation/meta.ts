/** ObjectMeta: names, labels, annotations, finalizers, owners, and what an update may not touch. */
import { append } from "../../../kit/lists.ts";
import { type FieldError, fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong } from "../../machinery/errors.ts";
import { maskTrailingDash, maxAnnotationsBytes, qualifiedNameProblems } from "../../machinery/names.ts";
import type { ObjectMeta, OwnerReference } from "../types.gen.ts";
import { immutable, labels, problems, qualifiedName } from "./common.ts";

/** The reasons against a name. */
export type NameRule = (name: string) => string[];

const standardFinalizers: ReadonlySet<string> = new Set(["orphan", "foregroundDeletion", "kubernetes"]);

/** A finalizer without a domain must be one of the standard ones. */
export function finalizerName(path: string, name: string): FieldError[] {
	const errors = qualifiedName(path, name);
	if (errors.length === 0 && !name.includes("/") && !standardFinalizers.has(name)) {
		errors.push(fieldInvalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"));
	}
	return errors;
}

function annotations(path: string, map: Readonly<Record<string, string>> | undefined): FieldError[] {
	const errors: FieldError[] = [];
	let size = 0;
	for (const [key, value] of Object.entries(map ?? {})) {
		// Keys are compared without regard to case upstream.
		append(errors, problems(path, key, qualifiedNameProblems(key.toLowerCase())));
		size += Buffer.byteLength(key) + Buffer.byteLength(value);
	}
	if (size > maxAnnotationsBytes) errors.push(fieldTooLong(path, maxAnnotationsBytes));
	return errors;
}

/** References beyond the first that claim to be the controller are told of up to this number. */
const maxControllerErrors = 8;

function owners(path: string, references: readonly OwnerReference[] | undefined): FieldError[] {
	const errors: FieldError[] = [];
	let controller: string | undefined;
	let extra = 0;
	for (const [i, owner] of (references ?? []).entries()) {
		const at = `${path}[${i}]`;
		if (!owner.apiVersion) errors.push(fieldInvalid(`${at}.apiVersion`, "", "version must not be empty"));
		if (!owner.kind) errors.push(fieldInvalid(`${at}.kind`, "", "must not be empty"));
		if (!owner.name) errors.push(fieldInvalid(`${at}.name`, "", "must not be empty"));
		if (!owner.uid) errors.push(fieldInvalid(`${at}.uid`, "", "must not be empty"));
		if (owner.kind === "Event" && owner.apiVersion === "v1") {
			errors.push(fieldInvalid(at, "v1, Kind=Event", "v1, Kind=Event is disallowed from being an owner"));
		}
		if (!owner.controller) continue;
		// Each of these errors shows all references: as many of them as references would be their square.
		if (controller !== undefined && extra++ < maxControllerErrors) {
			errors.push(
				fieldInvalid(
					path,
					references,
					`Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
				),
			);
		}
		controller = owner.name;
	}
	return errors;
}

/** What holds for metadata at any time. `path` is `metadata`. */
export function objectMeta(path: string, meta: ObjectMeta, namespaced: boolean, nameRule: NameRule): FieldError[] {
	const errors: FieldError[] = [];
	if (meta.generateName) {
		append(errors, problems(`${path}.generateName`, meta.generateName, nameRule(maskTrailingDash(meta.generateName))));
	}
	if (!meta.name) errors.push(fieldRequired(`${path}.name`, "name or generateName is required"));
	else append(errors, problems(`${path}.name`, meta.name, nameRule(meta.name)));
	if (namespaced && !meta.namespace) errors.push(fieldRequired(`${path}.namespace`));
	if (!namespaced && meta.namespace) errors.push(fieldForbidden(`${path}.namespace`, "not allowed on this type"));
	if ((meta.generation ?? 0) < 0) {
		errors.push(fieldInvalid(`${path}.generation`, meta.generation, "must be greater than or equal to 0"));
	}
	append(errors, labels(`${path}.labels`, meta.labels));
	append(errors, annotations(`${path}.annotations`, meta.annotations));
	append(errors, owners(`${path}.ownerReferences`, meta.ownerReferences));
	append(errors, finalizers(`${path}.finalizers`, meta.finalizers));
	return errors;
}

function finalizers(path: string, names: readonly string[] | undefined): FieldError[] {
	const errors = (names ?? []).flatMap((name) => finalizerName(path, name));
	if (names?.includes("orphan") && names.includes("foregroundDeletion")) {
		errors.push(fieldInvalid(path, names, "finalizer orphan and foregroundDeletion cannot be both set"));
	}
	return errors;
}

/** Labels and annotations of a pod template. */
export const templateMeta = (path: string, meta: ObjectMeta | undefined): FieldError[] => [
	...labels(`${path}.labels`, meta?.labels),
	...annotations(`${path}.annotations`, meta?.annotations),
	...(meta?.finalizers ?? []).flatMap((name) => finalizerName(`${path}.finalizers`, name)),
];

/** What an update may not change in metadata. */
export function objectMetaUpdate(path: string, meta: ObjectMeta, old: ObjectMeta): FieldError[] {
	const errors: FieldError[] = [];
	// No new finalizers once deletion has begun: nobody would be told to run them.
	if (old.deletionTimestamp !== undefined) {
		const before = new Set(old.finalizers);
		const added = (meta.finalizers ?? []).filter((f) => !before.has(f));
		if (added.length > 0) {
			errors.push(
				fieldForbidden(
					`${path}.finalizers`,
					`no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(", ")}}`,
				),
			);
		}
	}
	if ((meta.generation ?? 0) < (old.generation ?? 0)) {
		errors.push(fieldInvalid(`${path}.generation`, meta.generation ?? 0, "must not be decremented"));
	}
	for (const field of [
		"name",
		"namespace",
		"uid",
		"creationTimestamp",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
	] as const) {
		append(errors, immutable(`${path}.${field}`, meta[field], old[field]));
	}
	return errors;
}
