/** NamespaceLifecycle: nothing is made in a namespace that does not exist or ends, and the first namespaces stay. */
import { ApiError, forbidden, notFound } from "../machinery/errors.ts";
import { type AdmissionAttributes, type AdmissionLookups, type AdmissionPlugin, refuse } from "./types.ts";

const immortal: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);
const namespaces = { group: "", resource: "namespaces" };

function terminating(a: AdmissionAttributes): ApiError {
	const error = refuse(a, `unable to create new content in namespace ${a.namespace} because it is being terminated`);
	return new ApiError(error.code, error.reason, error.message, {
		...error.details,
		causes: [
			{
				reason: "NamespaceTerminating",
				message: `namespace ${a.namespace} is being terminated`,
				field: "metadata.namespace",
			},
		],
	});
}

export const namespaceLifecycle: AdmissionPlugin = {
	name: "NamespaceLifecycle",
	async mutate(a: AdmissionAttributes, lookups: AdmissionLookups) {
		const isNamespace = a.kind.group === "" && a.kind.kind === "Namespace";
		if (a.operation === "DELETE" && isNamespace && immortal.has(a.name)) {
			throw forbidden(namespaces, a.name, "this namespace may not be deleted");
		}
		if (a.namespace === "" || isNamespace || a.operation === "DELETE") return;
		// Reviews of access are questions, not content.
		if (a.resource.group === "authorization.k8s.io" && a.resource.resource === "localsubjectaccessreviews") return;
		const namespace = await lookups.namespace(a.namespace);
		if (namespace === undefined) throw notFound(namespaces, a.namespace);
		const ends = namespace.status?.phase === "Terminating" || namespace.metadata?.deletionTimestamp !== undefined;
		if (a.operation === "CREATE" && ends) throw terminating(a);
	},
};
