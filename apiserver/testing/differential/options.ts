/** The table of the verbs' options: every query parameter and option, right and wrong, and what became of the object. */
import type { Call, TableServer } from "./server.ts";
import { Revisions, verdictOf } from "./verdict.ts";

const namespace = "options";
const root = `/api/v1/namespaces/${namespace}`;

interface Probe {
	readonly shown: string;
	readonly method: string;
	readonly path: string;
	readonly call: Call;
}

const merge = "application/merge-patch+json";
const map = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "t" }, data: { a: "1" } });
const newMap = map.replace('"t"', '"new"');
const patch = '{"data":{"a":"2"}}';
const evictionOf = (fields: object = {}) =>
	JSON.stringify({ apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" }, ...fields });
const usualBodies = [map, newMap, patch, evictionOf()];

/** What stands in the table: bodies and headers only where they are what is asked about. */
function shownAs(method: string, path: string, call: Call, note: string): string {
	const { type, body, userAgent } = call;
	const isUsual = body !== undefined && usualBodies.includes(body);
	const parts = [method, path.replace(/m{100,}/g, (run) => `m*${run.length}`)];
	if (type !== undefined && type !== merge) parts.push(type);
	if (body !== undefined && !isUsual) parts.push(body);
	if (userAgent !== undefined) parts.push(userAgent);
	if (note !== "") parts.push(note);
	return parts.join(" ");
}

const probe = (method: string, path: string, call: Call = {}, note = ""): Probe => ({
	shown: shownAs(method, path, call, note),
	method,
	path: root + path,
	call,
});

const withQuery = (path: string, queries: readonly string[]) => queries.map((query) => `${path}?${query}`);
const values = (name: string, list: readonly string[]) => list.map((value) => `${name}=${value}`);

const integers = ["x", "1e3", "", "1", "0", "-1", "9999999999999999999", "%2B5", "1%20", "1.5", "0x1", "_1"];
const booleans = ["true", "false", "", "x", "0", "1", "FALSE", "f"];
const long = (n: number) => "m".repeat(n);

const unknownField = map.replace('"data"', '"dota":{},"data"');
const writeQueries = [
	...values("dryRun", ["All", "", "x", "all", "All&dryRun=All", "All&dryRun=x"]),
	...values("fieldValidation", ["Strict", "Warn", "Ignore", "", "x", "strict"]),
	...values("fieldManager", ["", "me", long(128), long(129), "%C3%A9", "a%0Ab", "a%09", "%E2%80%8B"]),
	...values("pretty", ["x", "", "true", "1", "0", "false", "T"]),
	...values("timeout", ["x", "1e3", "", "10", "10s", "1m30s", "-1s", "0", "0s", "1h", "1.5h", ".5m", "10d", "s"]),
	...values("gracePeriodSeconds", ["x"]),
	...values("unknown", ["x"]),
	"dryRun=x&fieldValidation=y&fieldManager=%0A",
	"fieldManager=%0A&fieldValidation=y",
];

const deleteQueries = [
	...values("gracePeriodSeconds", integers),
	...values("orphanDependents", booleans),
	...values("propagationPolicy", [
		"Orphan",
		"Foreground",
		"Background",
		"",
		"x",
		"orphan",
		"Orphan&propagationPolicy=x",
	]),
	...values("dryRun", ["All", "", "x"]),
	...values("ignoreStoreReadErrorWithClusterBreakingPotential", ["true", "false", "x"]),
	...values("timeout", ["x", "-1s", "5s"]),
	...values("pretty", ["x", "true"]),
	...values("resourceVersion", ["x", "1"]),
	...values("uid", ["x", ""]),
	...values("resourceVersion", [""]),
	...values("preconditions", ["x"]),
	"orphanDependents=true&propagationPolicy=Orphan",
	"orphanDependents=true&propagationPolicy=x",
	"gracePeriodSeconds=x&propagationPolicy=x",
	"gracePeriodSeconds=1&dryRun=All",
	"dryRun=x&propagationPolicy=x&orphanDependents=true",
	"ignoreStoreReadErrorWithClusterBreakingPotential=true&gracePeriodSeconds=0",
	"fieldManager=x&fieldValidation=x",
];

const options = (fields: object, apiVersion = "v1", kind = "DeleteOptions") =>
	JSON.stringify({ kind, apiVersion, ...fields });

const deleteBodies: readonly Call[] = [
	"{}",
	"null",
	"[]",
	"x",
	"{",
	'"x"',
	options({}),
	options({}, "meta.k8s.io/v1"),
	options({}, "apps/v1"),
	options({}, "policy/v1"),
	options({}, "nothing/v1"),
	options({}, "v2"),
	options({}, "v1", "Pod"),
	options({}, "v1", "Nothing"),
	options({ gracePeriodSeconds: "x" }),
	options({ gracePeriodSeconds: 1.5 }),
	options({ gracePeriodSeconds: null }),
	options({ gracePeriodSeconds: 5 }),
	options({ gracePeriodSeconds: 0 }),
	options({ gracePeriodSeconds: -1 }),
	options({ gracePeriodSeconds: -5 }),
	options({ orphanDependents: "x" }),
	options({ orphanDependents: true }),
	options({ orphanDependents: false }),
	options({ orphanDependents: true, propagationPolicy: "Orphan" }),
	options({ propagationPolicy: "" }),
	options({ propagationPolicy: "x" }),
	options({ propagationPolicy: "Orphan" }),
	options({ propagationPolicy: "Foreground" }),
	options({ dryRun: ["All"] }),
	options({ dryRun: "All" }),
	options({ dryRun: ["x"] }),
	options({ dryRun: [] }),
	options({ dryRun: ["All", "All"] }),
	options({ dryRun: ["All", "x"] }),
	options({ preconditions: { uid: "x" } }),
	options({ preconditions: { uid: "" } }),
	options({ preconditions: { resourceVersion: "x" } }),
	options({ preconditions: { resourceVersion: "1" } }),
	options({ preconditions: { resourceVersion: 1 } }),
	options({ preconditions: null }),
	options({ preconditions: "x" }),
	options({ unknown: 1 }),
	options({ ignoreStoreReadErrorWithClusterBreakingPotential: true }),
	options({
		ignoreStoreReadErrorWithClusterBreakingPotential: true,
		gracePeriodSeconds: 1,
		propagationPolicy: "Orphan",
		preconditions: { uid: "x" },
	}),
].map((body) => ({ body }));

const otherBodies: readonly Call[] = [
	{ body: "gracePeriodSeconds: 5", type: "application/yaml" },
	{ body: "gracePeriodSeconds: x", type: "application/yaml" },
	{ body: options({}), type: "text/plain" },
	{ body: options({}), type: "application/json; charset=utf-8" },
	{ body: options({}), type: "application/x-www-form-urlencoded" },
	{ body: options({}), type: "nothing" },
];

const getQueries = [
	...values("resourceVersion", ["", "0", "1", "x", "-1", "1e3", "18446744073709551616", "99999999"]),
	...values("resourceVersionMatch", ["Exact", "x"]),
	...values("pretty", ["x", "", "true", "1", "0", "false", "T", "TRUE", "tRUE"]),
	...values("timeout", ["x", "", "5s"]),
	...values("exact", ["x"]),
	...values("gracePeriodSeconds", ["x"]),
	...values("watch", ["false", "true", "x"]),
	...values("limit", ["x"]),
	...values("fieldSelector", ["x"]),
	...values("includeObject", ["x"]),
];

const logQueries = [
	...values("tailLines", ["x", "", "0", "-1", "1e3", "1.5"]),
	...values("limitBytes", ["x", "", "0", "-1", "1", "1e3"]),
	...values("sinceSeconds", ["x", "", "0", "-1", "1"]),
	...values("sinceTime", ["x", "", "2020-01-01T00:00:00Z", "2020-01-01", "2020-01-01T00:00:00"]),
	...values("stream", ["x", "", "All", "Stdout", "Stderr", "stdout"]),
	...values("follow", ["x", "", "false"]),
	...values("previous", ["x", "", "true"]),
	...values("timestamps", ["x", ""]),
	...values("insecureSkipTLSVerifyBackend", ["x", ""]),
	...values("container", ["c", "none", ""]),
	...values("timeout", ["x"]),
	"sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
	"tailLines=1&stream=Stdout",
	"tailLines=1&stream=All",
	"tailLines=-1&limitBytes=0&sinceSeconds=0",
	"tailLines=x&limitBytes=y",
	"container=none&tailLines=-1",
];

const table = "application/json;as=Table;v=v1;g=meta.k8s.io";

const probes: readonly Probe[] = [
	...withQuery("/configmaps/t", getQueries).map((path) => probe("GET", path)),
	...["curl/8", "Wget/1", "Mozilla/5.0 x", "kubectl/v1"].map((userAgent) =>
		probe("GET", "/configmaps/t", { userAgent }),
	),
	probe("GET", "/configmaps/t?pretty=0", { userAgent: "curl/8" }),
	probe("GET", "/configmaps/t?pretty=x", { userAgent: "curl/8" }),
	probe("GET", "/configmaps/none", { userAgent: "curl/8" }),
	probe("GET", "/configmaps/none?pretty=1"),
	...withQuery("/configmaps/t", values("includeObject", ["", "None", "Metadata", "Object", "x", "none"])).map((path) =>
		probe("GET", path, { accept: table }, "table"),
	),
	...withQuery("/configmaps", values("includeObject", ["x", "None"])).map((path) =>
		probe("GET", path, { accept: table }, "table"),
	),
	...withQuery("/configmaps", writeQueries).map((path) => probe("POST", path, { body: newMap })),
	...withQuery("/configmaps", values("fieldValidation", ["Strict", "Warn", "Ignore", "x"])).map((path) =>
		probe("POST", path, { body: unknownField.replace('"t"', '"new"') }),
	),
	...["", "{}", "null", "[]", "x"].map((body) => probe("POST", "/configmaps", { body })),
	probe("POST", "/configmaps", { body: map, type: "text/plain" }),
	probe("POST", "/configmaps?dryRun=x", { body: "x" }),
	probe("POST", "/configmaps/t", { body: map }),
	...withQuery("/configmaps/t", writeQueries).map((path) => probe("PUT", path, { body: map })),
	probe("PUT", "/configmaps/t?dryRun=x", { body: "x" }),
	...withQuery("/configmaps/t", [...writeQueries, ...values("force", booleans)]).map((path) =>
		probe("PATCH", path, { body: patch, type: merge }),
	),
	...withQuery("/configmaps/t", values("fieldValidation", ["Strict", "Warn", "Ignore", "x"])).map((path) =>
		probe("PATCH", path, { body: '{"dota":{"a":"2"}}', type: merge }),
	),
	...withQuery("/configmaps/t", values("force", ["true"])).map((path) =>
		probe("PATCH", path, { body: "[]", type: "application/json-patch+json" }),
	),
	probe("PATCH", "/configmaps/t?dryRun=x", { body: "x", type: merge }),
	probe("PATCH", "/configmaps/none?dryRun=x", { body: "{}", type: merge }),
	...withQuery("/configmaps/t", deleteQueries).map((path) => probe("DELETE", path)),
	...withQuery("/pods/p", deleteQueries).map((path) => probe("DELETE", path)),
	...[...deleteBodies, ...otherBodies].map((call) => probe("DELETE", "/configmaps/t", call)),
	...deleteBodies.map((call) => probe("DELETE", "/pods/p", call)),
	probe("DELETE", "/pods/p?gracePeriodSeconds=x", { body: options({ gracePeriodSeconds: 5 }) }),
	...withQuery("/pods/b", values("gracePeriodSeconds", ["5", "0", "-1", "253402300799"])).map((path) =>
		probe("DELETE", path),
	),
	...["text/html", "application/xml", table.replace("Table", "Nothing"), table].flatMap((accept) => [
		probe("GET", "/configmaps/none", { accept }, accept),
		probe("GET", "/configmaps", { accept: accept === table ? "text/html" : accept }, `${accept} list`),
		probe("POST", "/configmaps", { body: newMap, accept }, accept),
		probe("PUT", "/configmaps/t", { body: map, accept }, accept),
		probe("PATCH", "/configmaps/t", { body: patch, type: merge, accept }, accept),
		probe("DELETE", "/configmaps/t", { accept }, accept),
		probe("DELETE", "/configmaps", { accept }, accept),
		probe("POST", "/pods/p/eviction", { body: evictionOf(), accept }, accept),
	]),
	probe("DELETE", "/configmaps/none?gracePeriodSeconds=x"),
	probe("DELETE", "/configmaps/none?propagationPolicy=x"),
	...withQuery("/configmaps", [
		...deleteQueries.filter((q) => !q.startsWith("resourceVersion")),
		...values("limit", ["x", ""]),
		...values("timeoutSeconds", ["x"]),
		...values("resourceVersion", ["x"]),
		...values("resourceVersionMatch", ["Exact", "x"]),
		...values("sendInitialEvents", ["true"]),
		...values("labelSelector", ["a%20in%20(", "none=1"]),
		...values("fieldSelector", ["data.x=1", "metadata.name=t", "x"]),
		...values("continue", ["!!!"]),
		...values("watch", ["true"]),
		"limit=x&propagationPolicy=x",
		"fieldSelector=data.x=1&propagationPolicy=x",
		"resourceVersionMatch=Exact&propagationPolicy=x",
	]).map((path) => probe("DELETE", path)),
	...deleteBodies
		.filter((call) => !/precond/.test(call.body ?? ""))
		.map((call) => probe("DELETE", "/configmaps", call)),
	...withQuery("/pods/p/log", logQueries).map((path) => probe("GET", path)),
	probe("GET", "/pods/none/log?tailLines=-1"),
	probe("GET", "/pods/none/log?tailLines=x"),
	...withQuery("/pods/p/status", [
		...values("dryRun", ["x", "All"]),
		...values("fieldManager", ["%0A"]),
		...values("force", ["true"]),
		...values("timeout", ["x"]),
	]).map((path) => probe("PATCH", path, { body: '{"status":{"message":"m"}}', type: merge })),
	...withQuery("/pods/p/eviction", [
		...values("dryRun", ["x", "All"]),
		...values("fieldValidation", ["x"]),
		...values("gracePeriodSeconds", ["x"]),
		...values("timeout", ["x"]),
	]).map((path) => probe("POST", path, { body: evictionOf() })),
	...[
		{ gracePeriodSeconds: "x" },
		{ propagationPolicy: "x" },
		{ dryRun: ["x"] },
		{ dryRun: ["All"] },
		{ orphanDependents: true, propagationPolicy: "Orphan" },
		{ preconditions: { uid: "x" } },
	].map((deleteOptions) => probe("POST", "/pods/p/eviction", { body: evictionOf({ deleteOptions }) })),
	...withQuery("/serviceaccounts/default/token", [
		...values("dryRun", ["x"]),
		...values("fieldValidation", ["x"]),
		...values("fieldManager", ["%0A"]),
	]).map((path) =>
		probe("POST", path, { body: '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}' }),
	),
	...["GET", "POST", "PUT", "PATCH", "DELETE"].map((method) =>
		probe(
			method,
			"/unknowns",
			method === "GET" || method === "DELETE"
				? undefined
				: { body: "{}", type: method === "PATCH" ? merge : "application/json" },
		),
	),
	...["GET", "POST", "PUT", "PATCH", "DELETE"].map((method) =>
		probe(
			method,
			"/unknowns/x",
			method === "GET" || method === "DELETE"
				? undefined
				: { body: "{}", type: method === "PATCH" ? merge : "application/json" },
		),
	),
	probe("GET", "/configmaps/t/unknown"),
	probe("GET", "/configmaps/t/status"),
	probe("GET", "/pods/p/unknown"),
	probe("PUT", "/configmaps", { body: map }),
	probe("PATCH", "/configmaps", { body: "{}", type: merge }),
	probe("GET", "/unknowns?limit=x", { userAgent: "curl/8" }),
];

const podOf = (name: string, spec: object = {}) =>
	JSON.stringify({
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name },
		spec: { containers: [{ name: "c", image: "i" }], ...spec },
	});

/** Paths of no resource: of served groups, and of others. */
const nowhere = [
	"/api/v1/unknowns",
	"/api/v2/pods",
	"/apis/apps/v1/unknowns",
	"/apis/apps/v1/unknowns/x",
	"/apis/apps/v9/deployments",
	"/apis/apps/v9",
	"/api/v9",
	"/apis/nothing",
	"/apis/nothing/v1",
	"/apis/nothing/v1/unknowns",
	"/apis/apps/v1/namespaces/x/unknowns/y",
	"/apis/apps/v1/namespaces/x/deployments/y/unknown",
	"/apis/apps/v1/deployments/x",
	"/apis/apps/v1/namespaces/x",
	"/api/v1/nodes/x/unknown",
	"/api/v1/namespaces/x/nodes",
	"/api/v1/configmaps/x",
	"/api/v1/namespaces/x/pods/y/z/w",
];

/** The objects that probes act on, as they are before each; `b` is bound to a node, so that its deletion takes time. */
const fixtures: ReadonlyArray<readonly [collection: string, name: string, body: string]> = [
	["/configmaps", "t", map],
	["/pods", "p", podOf("p")],
	["/pods", "b", podOf("b", { nodeName: "n" })],
];

async function settle(server: TableServer): Promise<void> {
	for (const [collection, name, body] of fixtures) {
		const path = `${root}${collection}/${name}`;
		const current = await server.send("GET", path);
		if (current.status === 200 && !/deletionTimestamp|"message"/.test(current.text)) continue;
		if (current.status === 200) {
			await server.send("PATCH", path, { type: merge, body: '{"metadata":{"finalizers":null}}' });
			await server.send("DELETE", `${path}?gracePeriodSeconds=0`);
		}
		const made = await server.send("POST", root + collection, { body });
		if (made.status !== 201) throw new Error(`cannot make ${path}: ${made.status} ${made.text}`);
	}
	await server.send("DELETE", `${root}/configmaps/new`);
}

/** Which of the objects are there afterwards, and in what state. */
async function aftermath(server: TableServer): Promise<string> {
	const states: string[] = [];
	for (const [collection, name] of [...fixtures, ["/configmaps", "new"]]) {
		const reply = await server.send("GET", `${root}${collection}/${name}`);
		if (name === "new" ? reply.status === 404 : reply.status === 200 && !reply.text.includes("deletionTimestamp"))
			continue;
		if (reply.status === 404) states.push(`${name} gone`);
		else states.push(verdictOf(reply, new Revisions()).replace(/^200 /, ""));
	}
	return states.length === 0 ? "" : ` => ${states.join("; ")}`;
}

export async function runOptions(server: TableServer): Promise<Record<string, string>> {
	const made = await server.send("POST", "/api/v1/namespaces", {
		body: JSON.stringify({ metadata: { name: namespace } }),
	});
	if (made.status !== 201) throw new Error(made.text);
	await server.send("POST", `${root}/serviceaccounts`, { body: '{"metadata":{"name":"default"}}' });
	const verdicts: Record<string, string> = {};
	for (const path of nowhere) {
		for (const method of ["GET", "DELETE"]) {
			verdicts[`${method} ${path}`] = verdictOf(await server.send(method, path), new Revisions());
		}
	}
	for (const { shown, method, path, call } of probes) {
		await settle(server);
		if (shown in verdicts) throw new Error(`the table asks twice: ${shown}`);
		verdicts[shown] =
			verdictOf(await server.send(method, path, call), new Revisions()) +
			(method === "GET" ? "" : await aftermath(server));
	}
	return verdicts;
}
