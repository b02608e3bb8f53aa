/** Binding: the scheduler assigns a pod to a node. */
import { conflict, fieldNotSupported, fieldRequired, invalid } from "../../machinery/errors.ts";
import { formatTime, withCondition } from "../../machinery/meta.ts";
import type { KubeObject } from "../../scheme/object.ts";
import { findResource, type ResourceInfo } from "../../scheme/resources.ts";
import type { Binding, PodSpec, PodStatus } from "../../scheme/types.gen.ts";
import { admitMutating, admitValidating } from "../admit.ts";
import type { Scope } from "../context.ts";
import { decodeBody } from "../decode.ts";
import { sendStatus } from "../respond.ts";
import { checkName, update } from "../update.ts";
import { readWriteOptions } from "../write-options.ts";

const pods = findResource("", "v1", "pods") as ResourceInfo;

function check(name: string, binding: Binding): void {
	const { kind = "", name: node = "" } = binding.target ?? {};
	const errors = [];
	if (kind !== "" && kind !== "Node") errors.push(fieldNotSupported("target.kind", kind, ["Node", "<empty>"]));
	if (node === "") errors.push(fieldRequired("target.name"));
	if (errors.length > 0) throw invalid("", "Binding", name, errors);
}

/** The pod on its node; throws ApiError 409 where it is bound, or going. */
function bind(pod: KubeObject, binding: KubeObject, now: string): KubeObject {
	const name = pod.metadata.name ?? "";
	const spec = (pod["spec"] ?? {}) as PodSpec;
	const status = (pod["status"] ?? {}) as PodStatus;
	const node = (binding["target"] as { name: string }).name;
	if (pod.metadata.deletionTimestamp !== undefined) {
		throw conflict(
			{ group: "", resource: "pods/binding" },
			name,
			`pod ${name} is being deleted, cannot be assigned to a host`,
		);
	}
	if ((spec.nodeName ?? "") !== "") {
		throw conflict(
			{ group: "", resource: "pods/binding" },
			name,
			`pod ${name} is already assigned to node "${spec.nodeName}"`,
		);
	}
	if ((spec.schedulingGates?.length ?? 0) > 0) {
		throw conflict({ group: "", resource: "pods/binding" }, name, `pod ${name} has non-empty .spec.schedulingGates`);
	}
	return {
		...pod,
		metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...binding.metadata.annotations } },
		spec: { ...spec, nodeName: node },
		status: {
			...status,
			conditions: withCondition(status.conditions, { type: "PodScheduled", status: "True" }, now),
		},
	};
}

/** POST pods/NAME/binding, and the older POST bindings. */
export async function createBinding(scope: Scope): Promise<void> {
	const { services, namespace, user } = scope;
	const { dryRun, fieldValidation } = readWriteOptions(scope.request.query, "CreateOptions");
	const kind = { group: "", version: "v1", kind: "Binding" };
	const binding = await decodeBody(scope, kind, fieldValidation);
	if (scope.name !== "") checkName(pods, binding, namespace, scope.name);
	const name = scope.name === "" ? (binding.metadata.name ?? "") : scope.name;
	const subject = {
		operation: "CREATE" as const,
		resource: scope.resource,
		subresource: scope.subresource?.name ?? "",
		namespace,
		name,
		object: binding,
		user,
		dryRun,
		warnings: scope.warnings,
	};
	await admitMutating(services, subject);
	check(name, binding as Binding);
	await admitValidating(services, subject);
	const now = formatTime(services.clock.now());
	await update(services, {
		...scope,
		resource: pods,
		subresource: "binding",
		name,
		dryRun,
		conditional: false,
		wanted(current) {
			const uid = binding.metadata.uid ?? "";
			if (uid !== "" && uid !== current.metadata.uid) {
				throw conflict(
					{ group: "", resource: "pods/binding" },
					name,
					`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
				);
			}
			return bind(current, binding, now);
		},
	});
	sendStatus(scope, 201, {});
}
