/** The table of lists and watches: resourceVersion × resourceVersionMatch × limit × continue, and watches' options. */
import type { TableServer } from "./server.ts";
import { Revisions, verdictOf, watchVerdictOf } from "./verdict.ts";

const namespace = "lists";
const maps = `/api/v1/namespaces/${namespace}/configmaps`;
/** Probes that run at the same time: none of them writes, and some wait for three seconds. */
const parallel = 16;

type Row = Readonly<Record<string, string | undefined>>;

/** Every combination of the columns' values; undefined leaves the parameter out. */
function product(columns: Readonly<Record<string, readonly (string | undefined)[]>>): Row[] {
	let rows: Row[] = [{}];
	for (const [name, values] of Object.entries(columns)) {
		rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
	}
	return rows;
}

const revisionNames = [undefined, "", "0", "$made", "$last", "$future", "abc", "-1"];
const matches = [undefined, "Exact", "NotOlderThan", "exact"];

const listRows: readonly Row[] = [
	...product({
		resourceVersion: revisionNames,
		resourceVersionMatch: matches,
		limit: [undefined, "2"],
		continue: [undefined, "$made:b", "$inconsistent:b"],
	}),
	// Exactly at a compacted revision upstream may still answer, from snapshots; there it is left out.
	...product({ resourceVersion: ["$ancient"], resourceVersionMatch: [undefined, "NotOlderThan"] }),
	...product({ limit: ["0", "-1", "100", "", "x", "1e3", "1.5", "+2", "0x2", " 2", "9223372036854775808", "02"] }),
	...product({
		continue: ["$future:b", "$made:zzz", "!!!", "e30", "bnVsbA", "$zero:b", "$made:/b", "$made:../x"],
		limit: [undefined, "2"],
	}),
	...product({ resourceVersionMatch: [""], resourceVersion: [undefined, "0", "$made"] }),
	...product({ resourceVersion: ["007", "1e3", "0x1", "18446744073709551616", "18446744073709551615", " 1"] }),
	...product({ sendInitialEvents: ["true", "false", "", "x"] }),
	...product({ timeoutSeconds: ["x", "1e3", "", "-1", "0", "1.5"] }),
	...product({ allowWatchBookmarks: ["x", "", "true"] }),
	...product({ watch: ["0", "false", "FALSE", "False"] }),
	...product({ labelSelector: ["", "=", "a", "!a", "a in (b", "a=b,c", "a==b=c", "a=b,,c", "a>x", ",", "a in ()"] }),
	...product({
		fieldSelector: [
			"",
			"=",
			"!=",
			"==",
			"=b",
			"=,metadata.name=b",
			"metadata.name=",
			"metadata.name=a\\,b",
			",",
			"a=b=c",
			"metadata.name=b",
			"metadata.name!=b",
			"metadata.name",
			"data.x=1",
			"metadata.name=b,c",
		],
	}),
	...product({ resourceVersion: ["$made"], limit: ["2"], labelSelector: ["keep"] }),
	...product({ resourceVersion: ["0"], limit: ["1"], fieldSelector: ["metadata.name=b"] }),
	// What is said first where several things are wrong.
	...product({ limit: ["x"], timeoutSeconds: ["y"], labelSelector: ["a in (b"], fieldSelector: ["data.x"] }),
	...product({ labelSelector: ["a in (b"], fieldSelector: ["data.x"] }),
	...product({ resourceVersionMatch: ["Exact"], labelSelector: [undefined, "a in (b"], fieldSelector: ["data.x=1"] }),
	...product({ resourceVersion: ["abc"], continue: [undefined, "!!!"], fieldSelector: [undefined, "data.x=1"] }),
	...product({ resourceVersion: ["$made"], continue: ["!!!"] }),
	...product({ shardSelector: ["x", ""] }),
];

const watchRows: readonly Row[] = [
	...product({
		resourceVersion: [...revisionNames, "$ancient"],
		resourceVersionMatch: [undefined, "Exact", "NotOlderThan"],
		sendInitialEvents: [undefined, "true", "false"],
		allowWatchBookmarks: [undefined, "true"],
	}),
	...product({ resourceVersion: ["$last"], limit: ["2", "x", "-1"] }),
	...product({ resourceVersion: [undefined, "$last"], continue: ["$made:b", "!!!"] }),
	...product({ sendInitialEvents: ["", "x", "0"], resourceVersionMatch: ["NotOlderThan", undefined] }),
	...product({ resourceVersion: ["$last"], allowWatchBookmarks: ["x", "", "0"] }),
	...product({ resourceVersion: ["$last"], timeoutSeconds: ["x", "1e3", "1.5"] }),
	...product({
		resourceVersion: ["$made"],
		labelSelector: ["keep", "a in (b"],
		fieldSelector: [undefined, "data.x=1"],
	}),
];

/** `watch` words that make a watch of a list; each ends after a second. */
const watchWords = ["1", "true", "TRUE", "x", "", "f", "F", "no", "t"];

async function setUp(server: TableServer): Promise<Revisions> {
	const revisions = new Revisions();
	const write = async (method: string, path: string, object: object | undefined, name: string | undefined) => {
		const reply = await server.send(method, path, object === undefined ? {} : { body: JSON.stringify(object) });
		if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
		const revision = Number(JSON.parse(reply.text).metadata.resourceVersion);
		if (name !== undefined) revisions.set(name, revision);
		return revision;
	};
	const map = (name: string, data: Record<string, string> = {}) => ({
		metadata: { name, labels: { keep: "1" } },
		data,
	});
	revisions.set("ancient", 1);
	const created = await write("POST", "/api/v1/namespaces", { metadata: { name: namespace } }, undefined);
	await server.compact(created);
	await write("POST", maps, map("a"), "a");
	await write("POST", maps, map("b"), "b");
	await write("POST", maps, map("c"), "c");
	await write("POST", maps, map("d"), "d");
	await write("POST", maps, map("e"), "made");
	await write("PUT", `${maps}/a`, map("a", { x: "1" }), "changed");
	await server.send("DELETE", `${maps}/c`);
	await write("POST", maps, map("f"), "last");
	await write("POST", "/api/v1/namespaces/default/configmaps", map("elsewhere"), undefined);
	return revisions;
}

function textOf(text: string, revisions: Revisions): string {
	const [, name = "", start] = /^\$(\w+)(?::(.*))?$/.exec(text) ?? [];
	if (name === "") return text;
	const special: Readonly<Record<string, number>> = { future: 99_999_999, inconsistent: -1, zero: 0 };
	const revision = special[name] ?? revisions.get(name);
	if (start === undefined) return String(revision);
	return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: `${start}\0` })).toString("base64url");
}

function queryOf(row: Row, revisions: Revisions, show: boolean): string {
	return Object.entries(row)
		.filter(([, value]) => value !== undefined)
		.map(([name, value = ""]) => `${name}=${show ? value : encodeURIComponent(textOf(value, revisions))}`)
		.join("&");
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
	const waiting = [...items];
	const worker = async () => {
		for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
	};
	await Promise.all(Array.from({ length: parallel }, worker));
}

/** Verdicts by request, in the order of the table. */
export async function runLists(server: TableServer): Promise<Record<string, string>> {
	const revisions = await setUp(server);
	const verdicts = new Map<string, string>();
	const rows: readonly { row: Row; path: string; watch: boolean; shown: string }[] = [
		...listRows.map((row) => ({ row, path: maps, watch: false })),
		...watchRows.map((row) => ({ row: { watch: "1", ...row }, path: maps, watch: true })),
		...watchWords.map((word) => ({ row: { watch: word, resourceVersion: "$made" }, path: maps, watch: true })),
	].map((probe) => ({ ...probe, shown: `${probe.watch ? "watch" : "list"} ${queryOf(probe.row, revisions, true)}` }));
	for (const { shown } of rows) verdicts.set(shown, "");
	await inParallel(rows, async ({ row, path, watch, shown }) => {
		const lasting = watch && !("timeoutSeconds" in row) ? { ...row, timeoutSeconds: "1" } : row;
		const reply = await server.send("GET", `${path}?${queryOf(lasting, revisions, false)}`);
		const bookmarks = row["allowWatchBookmarks"] !== undefined;
		verdicts.set(shown, watch ? watchVerdictOf(reply, revisions, bookmarks) : verdictOf(reply, revisions));
	});
	return Object.fromEntries(verdicts);
}
