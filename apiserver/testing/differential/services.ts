/** The table of services: what each type may have, and what becomes of the fields of one type when a service takes another. */
import type { TableServer } from "./server.ts";
import { Revisions, verdictOf } from "./verdict.ts";

const namespace = "services";
const collection = `/api/v1/namespaces/${namespace}/services`;
const merge = "application/merge-patch+json";

type Spec = Record<string, unknown>;

const ports = [{ name: "web", port: 80 }];
const selector = { app: "a" };

/** One of each sort. */
const sorts: Readonly<Record<string, Spec>> = {
	ClusterIP: { type: "ClusterIP", ports, selector },
	headless: { type: "ClusterIP", clusterIP: "None", ports, selector },
	bare: { type: "ClusterIP", clusterIP: "None", ports },
	sticky: { type: "ClusterIP", sessionAffinity: "ClientIP", ports, selector },
	NodePort: { type: "NodePort", ports, selector },
	local: { type: "NodePort", externalTrafficPolicy: "Local", internalTrafficPolicy: "Local", ports, selector },
	LoadBalancer: { type: "LoadBalancer", ports, selector },
	health: { type: "LoadBalancer", externalTrafficPolicy: "Local", ports, selector },
	portless: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports, selector },
	classed: {
		type: "LoadBalancer",
		loadBalancerClass: "example.com/lb",
		loadBalancerSourceRanges: ["10.1.0.0/16"],
		ports,
		selector,
	},
	ExternalName: { type: "ExternalName", externalName: "example.com", ports, selector },
	external: { type: "ClusterIP", externalIPs: ["1.2.3.4"], externalTrafficPolicy: "Local", ports, selector },
};

/** Fields that not every type may have, each tried with every type. */
const fields: Readonly<Record<string, Spec>> = {
	allocate: { allocateLoadBalancerNodePorts: true },
	noAllocate: { allocateLoadBalancerNodePorts: false },
	externalCluster: { externalTrafficPolicy: "Cluster" },
	externalLocal: { externalTrafficPolicy: "Local" },
	externalWrong: { externalTrafficPolicy: "Global" },
	internalLocal: { internalTrafficPolicy: "Local" },
	internalWrong: { internalTrafficPolicy: "Global" },
	healthPort: { healthCheckNodePort: 30_010 },
	healthPortLocal: { healthCheckNodePort: 30_010, externalTrafficPolicy: "Local" },
	healthPortFar: { healthCheckNodePort: 70_000, externalTrafficPolicy: "Local" },
	nodePort: { ports: [{ name: "web", port: 80, nodePort: 30_011 }] },
	nodePortFar: { ports: [{ name: "web", port: 80, nodePort: 20_000 }] },
	nodePorts: {
		ports: [
			{ name: "t", port: 53, protocol: "TCP" },
			{ name: "u", port: 53, protocol: "UDP" },
		],
	},
	clusterIP: { clusterIP: "10.0.0.7" },
	clusterIPFar: { clusterIP: "192.168.0.1" },
	clusterIPWrong: { clusterIP: "300.1.1.1" },
	clusterIPNone: { clusterIP: "None" },
	clusterIPs: { clusterIPs: ["10.0.0.7"] },
	clusterIPsTwo: { clusterIP: "10.0.0.7", clusterIPs: ["10.0.0.7", "10.0.0.8"] },
	clusterIPsDual: { clusterIP: "10.0.0.7", clusterIPs: ["10.0.0.7", "fd00::1"] },
	clusterIPsOther: { clusterIP: "10.0.0.7", clusterIPs: ["10.0.0.8"] },
	families: { ipFamilies: ["IPv4"] },
	familiesSix: { ipFamilies: ["IPv6"] },
	familiesTwo: { ipFamilies: ["IPv4", "IPv6"] },
	familiesSame: { ipFamilies: ["IPv4", "IPv4"] },
	familiesWrong: { ipFamilies: ["IPv5"] },
	policyPrefer: { ipFamilyPolicy: "PreferDualStack" },
	policyRequire: { ipFamilyPolicy: "RequireDualStack" },
	policyWrong: { ipFamilyPolicy: "x" },
	class: { loadBalancerClass: "example.com/lb" },
	classWrong: { loadBalancerClass: "a b" },
	classEmpty: { loadBalancerClass: "" },
	loadBalancerIP: { loadBalancerIP: "1.2.3.4" },
	sourceRanges: { loadBalancerSourceRanges: ["10.1.0.0/16"] },
	sourceRangesWrong: { loadBalancerSourceRanges: ["x", "10.1.0.1/16"] },
	externalIPs: { externalIPs: ["1.2.3.4"] },
	externalIPsWrong: { externalIPs: ["x", "127.0.0.1", "0.0.0.0"] },
	externalName: { externalName: "example.com" },
	externalNameWrong: { externalName: "a_b" },
	affinity: { sessionAffinity: "ClientIP" },
	affinityWrong: { sessionAffinity: "x" },
	affinityTimeout: { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } },
	affinityZero: { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
	affinityConfig: { sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } },
	affinityEmpty: { sessionAffinity: "ClientIP", sessionAffinityConfig: {} },
	distribution: { trafficDistribution: "PreferClose" },
	distributionWrong: { trafficDistribution: "x" },
	publish: { publishNotReadyAddresses: true },
	noPorts: { ports: [] },
	samePorts: {
		ports: [
			{ name: "a", port: 80 },
			{ name: "b", port: 80 },
		],
	},
	sameNames: {
		ports: [
			{ name: "a", port: 80 },
			{ name: "a", port: 81 },
		],
	},
	unnamed: { ports: [{ port: 80 }, { port: 81 }] },
	portWrong: { ports: [{ name: "A_b", port: 0, protocol: "X", targetPort: "x_y" }] },
	protocolHttp: { ports: [{ name: "web", port: 80, appProtocol: "a b" }] },
	portName: { ports: [{ name: "80-8080", port: 80, targetPort: 8080 }] },
	sixteen: { ports: [{ name: "a123456789012345", port: 80 }] },
	targetLong: { ports: [{ name: "web", port: 80, targetPort: "a-very-long-port-name" }] },
};

/** Changes of a service of every sort that are no change of type. */
const changes: Readonly<Record<string, Spec>> = {
	"other clusterIP": { clusterIP: "10.0.0.9" },
	"other clusterIPs": { clusterIPs: ["10.0.0.9"] },
	"both clusterIPs": { clusterIP: "10.0.0.9", clusterIPs: ["10.0.0.9"] },
	"no clusterIP": { clusterIP: null, clusterIPs: null },
	"empty clusterIP": { clusterIP: "" },
	headless: { clusterIP: "None", clusterIPs: ["None"] },
	"to Local": { externalTrafficPolicy: "Local" },
	"to Cluster": { externalTrafficPolicy: "Cluster" },
	"no node ports": { allocateLoadBalancerNodePorts: false },
	"node ports": { allocateLoadBalancerNodePorts: true },
	"other class": { loadBalancerClass: "example.com/other" },
	"no class": { loadBalancerClass: null },
	"other health port": { healthCheckNodePort: 30_012 },
	"no health port": { healthCheckNodePort: 0 },
	"two families": { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "PreferDualStack" },
	"other family": { ipFamilies: ["IPv6"] },
	"no policy": { ipFamilyPolicy: null },
	"other port": { ports: [{ name: "web", port: 81 }] },
	"other name": { ports: [{ name: "other", port: 80 }] },
	"more ports": {
		ports: [
			{ name: "web", port: 80 },
			{ name: "more", port: 81 },
		],
	},
	affinity: { sessionAffinity: "ClientIP" },
	"no affinity": { sessionAffinity: "None" },
};

const nodePortsOf = (spec: Spec): (number | undefined)[] => [
	...((spec["ports"] as Port[] | undefined) ?? []).map((p) => p.nodePort),
	spec["healthCheckNodePort"] as number | undefined,
];

/** Numbers and addresses that a server chose, by the order in which they are met. */
class Chosen {
	readonly #names = new Map<string, string>();

	learn(spec: Spec, asked: string): void {
		for (const number of nodePortsOf(spec)) this.#name("PORT", number === undefined ? "" : String(number), asked);
		this.#name("IP", String(spec["clusterIP"] ?? ""), asked);
	}

	in(text: string): string {
		let result = text;
		for (const [value, name] of this.#names)
			result = result.replaceAll(new RegExp(`\\b${value.replaceAll(".", "\\.")}\\b`, "g"), name);
		return result;
	}

	#name(sort: string, value: string, asked: string): void {
		if (value === "" || value === "0" || value === "None" || asked.includes(value) || this.#names.has(value)) return;
		this.#names.set(value, `${sort}${this.#names.size + 1}`);
	}
}

interface Port {
	readonly name?: string;
	readonly port?: number;
	readonly protocol?: string;
	readonly targetPort?: number | string;
	readonly nodePort?: number;
	readonly appProtocol?: string;
}

const portText = (p: Port) =>
	`${p.name ?? ""}:${p.port}>${p.targetPort}/${p.protocol}${p.nodePort === undefined ? "" : `@${p.nodePort}`}`;

const plainText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** What of a spec does not only repeat what was asked for. */
function specText(spec: Spec): string {
	const { type, clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, ports: all, selector: _, ...rest } = spec;
	const list = (value: unknown) => (value === undefined ? "-" : (value as unknown[]).join("+"));
	return [
		type,
		`${clusterIP ?? "-"}=${list(clusterIPs)}`,
		`${list(ipFamilies)} ${ipFamilyPolicy ?? "-"}`,
		((all as Port[] | undefined) ?? []).map(portText).join(","),
		...Object.entries(rest)
			.sort(([x], [y]) => (x < y ? -1 : 1))
			.map(([name, value]) => `${name}=${plainText(value)}`),
	].join(" ");
}

/** An error as its message and reason; what its causes repeat goes. */
const errorText = (text: string) =>
	text
		.replace(/ \| Service\/\/s \| .*$/, "")
		.replace('422 Invalid | Service "s" is invalid: ', "422 ")
		.replace(/(Duplicate value: )3[0-2]\d{3}/g, "$1PORT");

interface Step {
	readonly method: "POST" | "PUT" | "PATCH";
	readonly spec: Spec | ((before: Spec) => Spec);
}

const body = (name: string, spec: Spec) =>
	JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name }, spec });

/** Whether another service may have what this one let go of: what was given back is free again. */
async function freed(server: TableServer, before: Spec, now: Spec): Promise<string[]> {
	const texts: string[] = [];
	const held = JSON.stringify(now);
	const ask = async (what: string, spec: Spec) => {
		const reply = await server.send("POST", `${collection}?dryRun=All`, { body: body("other", spec) });
		texts.push(`${what} ${reply.status === 201 ? "free" : "held"}`);
	};
	const address = String(before["clusterIP"] ?? "None");
	if (address !== "None" && address !== "" && !held.includes(`"${address}"`)) {
		await ask("address", { ports, clusterIP: address });
	}
	for (const number of nodePortsOf(before)) {
		if (number === undefined || number === 0 || held.includes(String(number))) continue;
		await ask("port", { type: "NodePort", ports: [{ port: 80, nodePort: number }] });
	}
	return texts;
}

async function run(server: TableServer, steps: readonly Step[]): Promise<string> {
	const chosen = new Chosen();
	const path = `${collection}/s`;
	let before: Spec = {};
	const texts: string[] = [];
	for (const [index, { method, spec }] of steps.entries()) {
		const wanted = typeof spec === "function" ? spec(before) : spec;
		const call =
			method === "PATCH" ? { type: merge, body: JSON.stringify({ spec: wanted }) } : { body: body("s", wanted) };
		const reply = await server.send(method, method === "POST" ? collection : path, call);
		const isLast = index === steps.length - 1;
		if (reply.status >= 300) {
			texts.push(chosen.in(errorText(verdictOf(reply, new Revisions()))));
			break;
		}
		const now = (JSON.parse(reply.text) as { spec: Spec }).spec;
		chosen.learn(now, JSON.stringify(wanted));
		if (isLast) texts.push(chosen.in(`${reply.status} ${specText(now)}`));
		if (isLast) texts.push(...(await freed(server, before, now)));
		before = now;
	}
	await server.send("DELETE", path);
	return texts.join(" ");
}

/** The old object with nothing but its type changed, as an editor sends it. */
const retyped = (to: Spec) => (before: Spec) => ({ ...structuredClone(before), ...to });

function table(): Map<string, readonly Step[]> {
	const rows = new Map<string, readonly Step[]>();
	for (const [name, spec] of Object.entries(sorts)) rows.set(`create ${name}`, [{ method: "POST", spec }]);
	for (const sort of ["ClusterIP", "headless", "NodePort", "LoadBalancer", "ExternalName"]) {
		for (const [name, field] of Object.entries(fields)) {
			rows.set(`create ${sort} with ${name}`, [{ method: "POST", spec: { ...sorts[sort], ...field } }]);
		}
	}
	for (const [from, old] of Object.entries(sorts)) {
		for (const [to, spec] of Object.entries(sorts)) {
			const begin: Step = { method: "POST", spec: old };
			rows.set(`${from} patched to ${to}`, [begin, { method: "PATCH", spec }]);
			rows.set(`${from} replaced by ${to}`, [begin, { method: "PUT", spec }]);
			rows.set(`${from} edited to ${to}`, [begin, { method: "PUT", spec: retyped(spec) }]);
		}
		for (const [name, change] of Object.entries(changes)) {
			rows.set(`${from}: ${name}`, [
				{ method: "POST", spec: old },
				{ method: "PATCH", spec: change },
			]);
		}
	}
	return rows;
}

export async function runServices(server: TableServer): Promise<Record<string, string>> {
	const made = await server.send("POST", "/api/v1/namespaces", {
		body: JSON.stringify({ metadata: { name: namespace } }),
	});
	if (made.status !== 201) throw new Error(made.text);
	const verdicts: Record<string, string> = {};
	for (const [name, steps] of table()) verdicts[name] = await run(server, steps);
	return verdicts;
}
