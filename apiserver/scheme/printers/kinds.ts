/** The columns and cells of every kind but pods. */
import { ageOf, humanDuration } from "../../machinery/duration.ts";
import type {
	ClusterRole,
	ConfigMap,
	Deployment,
	EndpointSlice,
	Endpoints,
	Event,
	EventsEvent,
	Job,
	Lease,
	Namespace,
	Node,
	PodTemplateSpec,
	ReplicaSet,
	RoleBinding,
	Secret,
	Service,
	ServiceAccount,
} from "../types.gen.ts";
import {
	ageColumn,
	type Cell,
	type Column,
	formatLabels,
	integer,
	nameColumn,
	orNone,
	type Printer,
	text,
	wide,
} from "./columns.ts";
import { labelSelectorText } from "./selector-text.ts";

interface Named {
	metadata?: { name?: string | undefined; creationTimestamp?: string | undefined } | undefined;
}

const name = (object: Named): string => object.metadata?.name ?? "";
const age = (object: Named, now: number): string => ageOf(object.metadata?.creationTimestamp, now);

const templateColumns: readonly Column[] = [
	wide(text("Containers", "Names of each container in the template.")),
	wide(text("Images", "Images referenced by each container in the template.")),
	wide(text("Selector", "Which pods belong to it.")),
];

function templateCells(template: PodTemplateSpec | undefined): Cell[] {
	const containers = template?.spec?.containers ?? [];
	return [containers.map((c) => c.name).join(","), containers.map((c) => c.image).join(",")];
}

const deployments: Printer = {
	columns: [
		nameColumn,
		text("Ready", "Number of the pod with ready state"),
		integer("Up-to-date", "Pods that have the desired template."),
		integer("Available", "Pods ready for at least minReadySeconds."),
		ageColumn,
		...templateColumns,
	],
	cells: (o: Deployment, now) => [
		name(o),
		`${o.status?.readyReplicas ?? 0}/${o.spec?.replicas ?? 1}`,
		o.status?.updatedReplicas ?? 0,
		o.status?.availableReplicas ?? 0,
		age(o, now),
		...templateCells(o.spec?.template),
		labelSelectorText(o.spec?.selector),
	],
};

const replicaSets: Printer = {
	columns: [
		nameColumn,
		integer("Desired", "Pods wanted."),
		integer("Current", "Pods there are."),
		integer("Ready", "Pods that are ready."),
		ageColumn,
		...templateColumns,
	],
	cells: (o: ReplicaSet, now) => [
		name(o),
		o.spec?.replicas ?? 1,
		o.status?.replicas ?? 0,
		o.status?.readyReplicas ?? 0,
		age(o, now),
		...templateCells(o.spec?.template),
		labelSelectorText(o.spec?.selector),
	],
};

function jobStatus(job: Job): string {
	const is = (type: string) => (job.status?.conditions ?? []).some((c) => c.type === type && c.status === "True");
	if (is("Complete")) return "Complete";
	if (is("Failed")) return "Failed";
	if (job.metadata?.deletionTimestamp !== undefined) return "Terminating";
	for (const type of ["Suspended", "FailureTarget", "SuccessCriteriaMet"]) if (is(type)) return type;
	return "Running";
}

function jobCompletions(job: Job): string {
	const succeeded = job.status?.succeeded ?? 0;
	if (job.spec?.completions !== undefined) return `${succeeded}/${job.spec.completions}`;
	const parallelism = job.spec?.parallelism ?? 0;
	return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration(job: Job, now: number): string {
	const start = job.status?.startTime;
	if (start === undefined) return "";
	const end = job.status?.completionTime === undefined ? now : Date.parse(job.status.completionTime);
	return humanDuration(end - Date.parse(start));
}

const jobs: Printer = {
	columns: [
		nameColumn,
		text("Status", "Status of the job."),
		text("Completions", "Pods that have succeeded, of those wanted."),
		text("Duration", "Time required to complete the job."),
		ageColumn,
		...templateColumns,
	],
	cells: (o: Job, now) => [
		name(o),
		jobStatus(o),
		jobCompletions(o),
		jobDuration(o, now),
		age(o, now),
		...templateCells(o.spec?.template),
		labelSelectorText(o.spec?.selector),
	],
};

function externalIP(service: Service): string {
	const spec = service.spec ?? {};
	if (spec.type === "ExternalName") return spec.externalName ?? "";
	const given = spec.externalIPs ?? [];
	if (spec.type !== "LoadBalancer") return orNone(given.join(","));
	const ingress = (service.status?.loadBalancer?.ingress ?? [])
		.map((i) => i.ip || i.hostname || "")
		.filter((s) => s !== "");
	const all = [...ingress, ...given];
	return all.length === 0 ? "<pending>" : all.join(",");
}

const services: Printer = {
	columns: [
		nameColumn,
		text("Type", "How the service is exposed."),
		text("Cluster-IP", "The service's address in the cluster."),
		text("External-IP", "Addresses from which the service is reached from outside."),
		text("Port(s)", "Ports that the service offers."),
		ageColumn,
		wide(text("Selector", "Which pods serve.")),
	],
	cells: (o: Service, now) => [
		name(o),
		o.spec?.type ?? "",
		orNone(o.spec?.clusterIPs?.[0] ?? o.spec?.clusterIP),
		externalIP(o),
		orNone((o.spec?.ports ?? []).map((p) => `${p.port}${p.nodePort ? `:${p.nodePort}` : ""}/${p.protocol}`).join(",")),
		age(o, now),
		formatLabels(o.spec?.selector),
	],
};

/** The first three, and how many more. */
function firstThree(list: readonly string[], empty: string): string {
	if (list.length === 0) return empty;
	const shown = list.slice(0, 3).join(",");
	return list.length > 3 ? `${shown} + ${list.length - 3} more...` : shown;
}

const hostPort = (ip: string, port: number | undefined) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

const endpoints: Printer = {
	columns: [nameColumn, text("Endpoints", "Addresses and ports that serve."), ageColumn],
	cells(o: Endpoints, now) {
		const list = (o.subsets ?? []).flatMap((subset) => {
			const addresses = (subset.addresses ?? []).map((a) => a.ip ?? "");
			const ports = subset.ports ?? [];
			return ports.length === 0 ? addresses : ports.flatMap((p) => addresses.map((ip) => hostPort(ip, p.port)));
		});
		return [name(o), firstThree(list, "<none>"), age(o, now)];
	},
};

const endpointSlices: Printer = {
	columns: [
		nameColumn,
		text("AddressType", "The type of its addresses."),
		text("Ports", "Ports that its endpoints serve on."),
		text("Endpoints", "Addresses that serve."),
		ageColumn,
	],
	cells: (o: EndpointSlice, now) => [
		name(o),
		o.addressType ?? "",
		firstThree(
			(o.ports ?? []).map((p) => (p.port === undefined ? p.name || "*" : String(p.port))),
			"<unset>",
		),
		firstThree(
			(o.endpoints ?? []).flatMap((e) => e.addresses ?? []),
			"<unset>",
		),
		age(o, now),
	],
};

function nodeStatus(node: Node): string {
	const ready = (node.status?.conditions ?? []).find((c) => c.type === "Ready");
	const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
	if (node.spec?.unschedulable) words.push("SchedulingDisabled");
	return words.join(",");
}

const rolePrefix = "node-role.kubernetes.io/";

function nodeRoles(node: Node): string {
	const roles = new Set<string>();
	for (const [key, value] of Object.entries(node.metadata?.labels ?? {})) {
		if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
		else if (key === "kubernetes.io/role" && value !== "") roles.add(value);
	}
	return orNone([...roles].sort().join(","));
}

const nodeAddress = (node: Node, type: string) =>
	orNone((node.status?.addresses ?? []).find((a) => a.type === type)?.address);

const unknown = (value: string | undefined) => value || "<unknown>";

const nodes: Printer = {
	columns: [
		nameColumn,
		text("Status", "The status of the node"),
		text("Roles", "The roles of the node"),
		ageColumn,
		text("Version", "The version of its kubelet."),
		wide(text("Internal-IP", "Its address within the cluster.")),
		wide(text("External-IP", "Its address from outside.")),
		wide(text("OS-Image", "Its operating system.")),
		wide(text("Kernel-Version", "Its kernel.")),
		wide(text("Container-Runtime", "What runs its containers.")),
	],
	cells: (o: Node, now) => [
		name(o),
		nodeStatus(o),
		nodeRoles(o),
		age(o, now),
		o.status?.nodeInfo?.kubeletVersion ?? "",
		nodeAddress(o, "InternalIP"),
		nodeAddress(o, "ExternalIP"),
		unknown(o.status?.nodeInfo?.osImage),
		unknown(o.status?.nodeInfo?.kernelVersion),
		unknown(o.status?.nodeInfo?.containerRuntimeVersion),
	],
};

/** An event of either group, by the names of core/v1. */
function eventFacts(event: Event & EventsEvent) {
	return {
		object: event.involvedObject ?? event.regarding ?? {},
		source: event.source ?? event.deprecatedSource ?? {},
		controller: event.reportingComponent ?? event.reportingController,
		message: event.message ?? event.note ?? "",
		first: event.firstTimestamp ?? event.deprecatedFirstTimestamp ?? event.eventTime,
		last: event.lastTimestamp ?? event.deprecatedLastTimestamp,
		count: event.series?.count ?? event.count ?? event.deprecatedCount ?? 1,
	};
}

const events: Printer = {
	columns: [
		text("Last Seen", "When it was last seen."),
		text("Type", "Normal or Warning."),
		text("Reason", "Why it happened, in a word."),
		text("Object", "What it is about."),
		wide(text("Subobject", "The part of the object it is about.")),
		wide(text("Source", "Who reports it.")),
		text("Message", "What happened."),
		wide(text("First Seen", "When it was first seen.")),
		wide(text("Count", "How often it was seen.")),
		wide(text("Name", "Name must be unique within a namespace.")),
	],
	cells(o: Event & EventsEvent, now) {
		const { object, source, controller, message, first, last, count } = eventFacts(o);
		const lastSeen = o.series?.lastObservedTime ?? last ?? first;
		const component = source.component || controller || "";
		return [
			ageOf(lastSeen, now),
			o.type ?? "",
			o.reason ?? "",
			object.name ? `${(object.kind ?? "").toLowerCase()}/${object.name}` : (object.kind ?? "").toLowerCase(),
			object.fieldPath ?? "",
			source.host ? `${component}, ${source.host}` : component,
			message.trim(),
			ageOf(first, now),
			count,
			name(o),
		];
	},
};

const namespaces: Printer = {
	columns: [nameColumn, text("Status", "The status of the namespace"), ageColumn],
	cells: (o: Namespace, now) => [name(o), o.status?.phase ?? "", age(o, now)],
};

const size = (map: object | undefined) => Object.keys(map ?? {}).length;

const secrets: Printer = {
	columns: [nameColumn, text("Type", "What it is used for."), integer("Data", "Number of its keys."), ageColumn],
	cells: (o: Secret, now) => [name(o), o.type ?? "", size(o.data), age(o, now)],
};

const configMaps: Printer = {
	columns: [nameColumn, integer("Data", "Number of its keys."), ageColumn],
	cells: (o: ConfigMap, now) => [name(o), size(o.data) + size(o.binaryData), age(o, now)],
};

const serviceAccounts: Printer = {
	columns: [nameColumn, integer("Secrets", "Number of secrets it may use."), ageColumn],
	cells: (o: ServiceAccount, now) => [name(o), o.secrets?.length ?? 0, age(o, now)],
};

const leases: Printer = {
	columns: [nameColumn, text("Holder", "Who holds it."), ageColumn],
	cells: (o: Lease, now) => [name(o), o.spec?.holderIdentity ?? "", age(o, now)],
};

const roles: Printer = {
	columns: [nameColumn, text("Created At", "When the object was created.")],
	cells: (o: ClusterRole) => [name(o), o.metadata?.creationTimestamp ?? ""],
};

const roleBindings: Printer = {
	columns: [
		nameColumn,
		text("Role", "What is granted."),
		ageColumn,
		wide(text("Users", "Users in the binding.")),
		wide(text("Groups", "Groups in the binding.")),
		wide(text("ServiceAccounts", "Service accounts in the binding.")),
	],
	cells(o: RoleBinding, now) {
		const of = (kind: string) => (o.subjects ?? []).filter((s) => s.kind === kind);
		return [
			name(o),
			`${o.roleRef?.kind}/${o.roleRef?.name}`,
			age(o, now),
			of("User")
				.map((s) => s.name)
				.join(", "),
			of("Group")
				.map((s) => s.name)
				.join(", "),
			of("ServiceAccount")
				.map((s) => `${s.namespace ?? ""}/${s.name}`)
				.join(", "),
		];
	},
};

const scales: Printer = {
	columns: [
		text("Name", "Name must be unique within a namespace."),
		integer("Desired", "The desired number of instances of the scaled object."),
		integer("Available", "The actual number of instances of the scaled object."),
		ageColumn,
	],
	cells: (o: Named & { spec?: { replicas?: number }; status?: { replicas?: number } }, now) => [
		name(o),
		o.spec?.replicas ?? 0,
		o.status?.replicas ?? 0,
		age(o, now),
	],
};

/** What a kind without columns of its own shows. */
export const defaultPrinter: Printer = {
	columns: [
		nameColumn,
		{ name: "Created At", type: "date", format: "", description: "When the object was created.", priority: 0 },
	],
	cells: (o: Named) => [name(o), o.metadata?.creationTimestamp ?? ""],
};

/** Printers by the plural resource; groups with the same plural have the same columns. */
export const printers: Readonly<Record<string, Printer>> = {
	configmaps: configMaps,
	clusterrolebindings: roleBindings,
	clusterroles: roles,
	deployments,
	endpoints,
	endpointslices: endpointSlices,
	events,
	jobs,
	leases,
	namespaces,
	nodes,
	replicasets: replicaSets,
	rolebindings: roleBindings,
	roles,
	scales,
	secrets,
	serviceaccounts: serviceAccounts,
	services,
};
