/** Eviction: deletion that a disruption budget may delay. No budgets are served yet, so it is deletion with its own preconditions. */
import { badRequest } from "../../machinery/errors.ts";
import { findResource, type ResourceInfo } from "../../scheme/resources.ts";
import type { DeleteOptions } from "../../scheme/types.gen.ts";
import type { Scope } from "../context.ts";
import { decodeBody } from "../decode.ts";
import { remove } from "../delete.ts";
import { readWriteOptions } from "../query.ts";
import { sendStatus } from "../respond.ts";

const pods = findResource("", "v1", "pods") as ResourceInfo;

export async function createEviction(scope: Scope): Promise<void> {
	const { services, name } = scope;
	const { dryRun, fieldValidation } = readWriteOptions(scope.request.query, "CreateOptions");
	const eviction = await decodeBody(scope, { group: "policy", version: "v1", kind: "Eviction" }, fieldValidation);
	const named = eviction.metadata.name ?? "";
	if (named !== "" && named !== name) {
		throw badRequest("name in URL does not match name in Eviction object");
	}
	const given = (eviction["deleteOptions"] ?? {}) as DeleteOptions;
	const options: DeleteOptions = dryRun ? { ...given, dryRun: ["All"] } : given;
	await remove(services, { ...scope, resource: pods, options });
	sendStatus(scope, 201, {});
}
