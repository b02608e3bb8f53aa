/** The house plan as a table: its rooms, their folders from the ground up, and what each may know (docs/ARCHITECTURE.md). */

/** The faces of the three rooms that make a cluster's parts: what those who start them and drive them may know. */
const faces = [
	"store/api.ts",
	"store/client/",
	"apiserver/client/",
	"apiserver/scheme/",
	"apiserver/machinery/",
	"agents/kubelet/leftovers.ts",
];

/**
 * What production files of a room may import from outside it: prefixes of repository paths. A folder with an entry of its own
 * has that one instead of its room's. Nobody imports `test/` or `bin/` except themselves.
 */
export const arrows: Readonly<Record<string, readonly string[]>> = {
	"kit/": [],
	"store/": ["kit/"],
	"apiserver/": ["kit/", "store/client/", "store/api.ts"],
	"agents/": ["kit/", "apiserver/client/", "apiserver/scheme/", "apiserver/machinery/"],
	"cluster/": ["kit/", ...faces],
	"chaos/": ["kit/", ...faces, "cluster/"],
	// The simulation runs the store's own insides.
	"chaos/sim/": ["kit/", "store/"],
	// So do the benchmarks of single parts.
	"bench/": ["kit/", "store/", ...faces, "cluster/"],
	"bin/": ["kit/", "store/", "apiserver/", "agents/", "cluster/", "chaos/", "bench/"],
	"test/": ["kit/", "store/", "apiserver/", "agents/", "cluster/", "chaos/", "bench/", "bin/", "index.ts"],
	"index.ts": ["apiserver/client/", "apiserver/scheme/", "cluster/"],
};

/**
 * The folders of a room in layers from the ground up: a folder may import those of lower layers, never one beside or above it.
 * Files of the room itself (`store/api.ts`, `apiserver/server.ts`) are in no layer: what they may know follows from circles.
 */
export const layers: Readonly<Record<string, readonly (readonly string[])[]>> = {
	kit: [["sim"]],
	store: [
		["raft", "engine"],
		["wal", "mvcc"],
		["lease", "watch"],
		["machine"],
		["member"],
		["transport"],
		["native"],
		["serve", "client"],
		["process"],
	],
	apiserver: [
		["machinery"],
		["scheme"],
		["storage", "cache", "authn", "discovery", "openapi", "client"],
		["authz"],
		["admission"],
		["http"],
		["registry"],
	],
	agents: [["shell"], ["controller-manager", "scheduler", "kubelet"]],
	cluster: [],
	chaos: [["checkers", "places", "hostile"], ["workloads"], ["targets"], ["nemeses"], ["report"], ["sim"]],
	bench: [["peers"]],
	bin: [],
};

/** Tests and what only they use may cross rooms and folders; the programs and packages they describe may not. */
export const isTest = (file: string): boolean =>
	file.startsWith("test/") ||
	file.endsWith(".test.ts") ||
	/\/(testing|fixtures)\//.test(file) ||
	file === "store/testing.ts";
