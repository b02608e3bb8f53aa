import assert from "node:assert/strict";
import { parseImpersonation } from "../../apiserver/authn/impersonation.ts";
import { bearerToken } from "../../apiserver/authn/union.ts";
import { discoveryResponse } from "../../apiserver/discovery/discovery.ts";
import { negotiate, objectTransforms } from "../../apiserver/http/negotiate.ts";
import { readRequestInfo } from "../../apiserver/http/request-info.ts";
import type { ApiRequest } from "../../apiserver/http/types.ts";
import { parseFieldSelector } from "../../apiserver/machinery/fieldselectors.ts";
import {
	dns1123LabelProblems,
	dns1123SubdomainProblems,
	labelValueProblems,
	qualifiedNameProblems,
} from "../../apiserver/machinery/names.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "../../apiserver/machinery/patch/index.ts";
import { parseQuantityValue } from "../../apiserver/machinery/quantity.ts";
import { parseLabelSelector } from "../../apiserver/machinery/selectors.ts";
import { openapiResponse } from "../../apiserver/openapi/openapi.ts";
import { readListOptions } from "../../apiserver/registry/query.ts";
import { decodeObject, encodeObject } from "../../apiserver/scheme/codec/codec.ts";
import { messageOfKind } from "../../apiserver/scheme/kinds.ts";
import { findResource } from "../../apiserver/scheme/resources.ts";
import { findMessage } from "../../apiserver/scheme/schema.ts";
import { unpack } from "../../store/native/protocol.ts";
import * as wire from "../../store/native/wire.ts";
import { FrameReader } from "../../store/transport/frames.ts";
import { growth, mostGrowth } from "./measure.ts";

type Case = readonly [name: string, size: number, make: (n: number) => unknown, run: (input: never) => unknown];

const configMap = { group: "", version: "v1", kind: "ConfigMap" };
const pods = findResource("", "v1", "pods");
const podMessage = messageOfKind({ group: "", version: "v1" }, "Pod");
assert.ok(pods !== undefined && podMessage !== undefined);

const decode =
	(type: string, kind = configMap) =>
	(body: Buffer) =>
		decodeObject(body, type, { fieldValidation: "Strict", defaultKind: kind });
const json = decode("application/json");
const protobuf = decode("application/vnd.kubernetes.protobuf");
const yaml = decode("application/yaml");
const yamlHead = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
const text = (part: string) => (n: number) => part.repeat(n);
const bytes =
	(before: string, part: string, after = "") =>
	(n: number) =>
		Buffer.from(before + part.repeat(n) + after);
const lines =
	(before: string, line: (i: number) => string, after = "") =>
	(n: number) =>
		Buffer.from(before + Array.from({ length: n }, (_, i) => line(i)).join("") + after);
const info = (path: string) => readRequestInfo("GET", path, new URLSearchParams());
const asks = (name: string) => (value: string) =>
	negotiate({ query: new URLSearchParams(), headers: { [name]: value } } as unknown as ApiRequest, objectTransforms);
const query = (q: string) => readListOptions(new URLSearchParams(q), pods, false);
const numbered = (n: number, of: (i: number) => string) => Array.from({ length: n }, (_, i) => of(i)).join(",");
const selects = (selector: string) => parseLabelSelector(selector);
/** One selector against as many objects as it has values. */
const selectsAmong = ([selector, count]: readonly [string, number]) => {
	const parsed = parseLabelSelector(selector);
	for (let i = 0; i < count; i++) parsed.matches({ a: `other${i}`, b: "2" });
};
const manyContainers = (n: number, more: object = {}) => ({
	spec: { containers: Array.from({ length: n }, (_, i) => ({ name: `c${i}`, image: "a", ...more })) },
});

/** As a connection does: a frame that cannot be read ends it. */
const unpacks = (frame: Buffer) => {
	try {
		return unpack(frame);
	} catch {
		return undefined;
	}
};

const cases: readonly Case[] = [
	// ---- paths and headers, read before anyone is known ----
	["path of slashes", 30_000, text("/"), info],
	["path with slashes inside", 30_000, (n) => `/api/v1${"/".repeat(n)}x`, info],
	["path of many segments", 15_000, text("/a"), info],
	["path of percent signs", 20_000, text("/%"), info],
	["path of escapes", 10_000, text("/%41"), info],
	["discovery path of slashes", 30_000, (n) => `/api${"/".repeat(n)}x`, (p: string) => discoveryResponse(p)],
	["openapi path of slashes", 30_000, (n) => `/openapi/v3${"/".repeat(n)}x`, (p: string) => openapiResponse(p)],
	["Accept of commas", 30_000, text(","), asks("accept")],
	["Accept of clauses", 10_000, text("application/json;q=0.5,"), asks("accept")],
	["Accept of parameters", 10_000, (n) => `application/json${";a=b".repeat(n)}`, asks("accept")],
	["User-Agent", 30_000, text("curl "), asks("user-agent")],
	["Authorization of blanks", 30_000, (n) => `Bearer ${" ".repeat(n)}x`, (v: string) => bearerToken(v)],
	[
		"impersonated groups and extras",
		2_000,
		(n) => ({
			"impersonate-user": ["a"],
			"impersonate-group": Array.from({ length: n }, (_, i) => `g${i}`),
			...Object.fromEntries(Array.from({ length: n }, (_, i) => [`impersonate-extra-k${i}%41`, ["v"]])),
		}),
		(headers: Record<string, string[]>) => parseImpersonation(headers),
	],
	// ---- queries ----
	["query of many parameters", 5_000, (n) => numbered(n, (i) => `a${i}=1`).replaceAll(",", "&"), query],
	["labelSelector of values", 10_000, (n) => `a in (${numbered(n, (i) => `v${i}`)})`, selects],
	["labelSelector of requirements", 5_000, (n) => numbered(n, (i) => `a${i}=b`), selects],
	["labelSelector of one key", 5_000, (n) => numbered(n, (i) => `a!=b${i}`), selects],
	["labelSelector of symbols", 30_000, text("="), selects],
	["labelSelector of exclamation marks", 30_000, text("!"), selects],
	["labelSelector of blanks", 30_000, (n) => `a${" ".repeat(n)}in (b)`, selects],
	["labelSelector of parentheses", 30_000, (n) => `a in ${"(".repeat(n)}`, selects],
	["labelSelector of empty values", 30_000, (n) => `a in (${",".repeat(n)})`, selects],
	["labelSelector with a long name", 30_000, (n) => `${"a.".repeat(n)}=b`, selects],
	["labelSelector of values, by objects", 1_000, (n) => [`a in (${numbered(n, (i) => `v${i}`)})`, n], selectsAmong],
	[
		"labelSelector of refused values, by objects",
		1_000,
		(n) => [`a notin (${numbered(n, (i) => `v${i}`)})`, n],
		selectsAmong,
	],
	["labelSelector of one key refused, by objects", 1_000, (n) => [numbered(n, (i) => `a!=v${i}`), n], selectsAmong],
	[
		"fieldSelector of terms",
		5_000,
		(n) => numbered(n, (i) => `metadata.name!=${i}`),
		(s: string) => parseFieldSelector(s),
	],
	["fieldSelector without operator", 30_000, text("a"), (s: string) => parseFieldSelector(s)],
	["fieldSelector of bangs", 30_000, text("!"), (s: string) => parseFieldSelector(s)],
	["fieldSelector of newlines", 30_000, text("\n"), (s: string) => parseFieldSelector(s)],
	["fieldSelector of backslashes", 30_000, (n) => `a=${"\\\\".repeat(n)}`, (s: string) => parseFieldSelector(s)],
	[
		"request info's fieldSelector",
		30_000,
		text("metadata.name="),
		(s: string) => readRequestInfo("GET", "/api/v1/pods", new URLSearchParams({ fieldSelector: s })),
	],
	[
		"request info's fieldSelector of commas",
		30_000,
		(n) => `${",metadata.name=a".repeat(n)}!`,
		(s: string) => readRequestInfo("GET", "/api/v1/pods", new URLSearchParams({ fieldSelector: s })),
	],
	["continue token", 20_000, text("a"), (s: string) => query(`continue=${s}&limit=1`)],
	// ---- texts in objects ----
	["name of dots", 20_000, text("a."), (s: string) => dns1123SubdomainProblems(s)],
	["name of dashes", 20_000, (n) => `a${"-".repeat(n)}`, (s: string) => dns1123SubdomainProblems(s)],
	["label of dashes", 20_000, (n) => `a${"-".repeat(n)}`, (s: string) => dns1123LabelProblems(s)],
	["label value of dots", 20_000, (n) => `a${".".repeat(n)}`, (s: string) => labelValueProblems(s)],
	["qualified name of slashes", 20_000, text("/"), (s: string) => qualifiedNameProblems(s)],
	["quantity of zeros", 30_000, (n) => `${"0".repeat(n)}x`, (s: string) => parseQuantityValue(s)],
	["quantity of digits", 30_000, (n) => `${"1".repeat(n)}x`, (s: string) => parseQuantityValue(s)],
	["quantity of suffixes", 30_000, (n) => `1${"e".repeat(n)}!`, (s: string) => parseQuantityValue(s)],
	["quantity of blanks", 30_000, (n) => `1${" ".repeat(n)}x`, (s: string) => parseQuantityValue(s)],
	// ---- JSON bodies ----
	["JSON of keys", 10_000, lines('{"data":{', (i) => `"k${i}":"v",`, '"z":""}}'), json],
	["JSON of repeated keys", 10_000, bytes('{"data":{', '"k":"v",', '"k":""}}'), json],
	["JSON of unknown fields", 10_000, lines("{", (i) => `"k${i}":1,`, '"kind":"ConfigMap"}'), json],
	[
		"JSON of unknown fields below a long name",
		5_000,
		(n) => Buffer.from(`{"x":1,"${"a".repeat(n * 50)}":{${numbered(n, (i) => `"k${i}":1`)}}}`),
		json,
	],
	["JSON of nested arrays", 20_000, text("["), (t: string) => json(Buffer.from(t))],
	["JSON of nested objects", 20_000, bytes("", '{"a":'), json],
	["JSON of blanks", 60_000, bytes("{", " ", "}"), json],
	["JSON of escapes", 20_000, bytes('{"data":{"a":"', "\\u0041", '"}}'), json],
	["JSON of a long number", 30_000, bytes('{"data":', "1", "}"), json],
	["JSON that ends early", 30_000, bytes('{"data":{"a":"', "x"), json],
	["JSON of lines that ends wrong", 30_000, bytes("{", "\n", "?"), json],
	// ---- YAML bodies ----
	["YAML of document markers", 5_000, bytes("", "---\n"), yaml],
	["YAML of document markers and comments", 5_000, bytes("", "# a\n---\n"), yaml],
	["YAML behind a long comment", 10_000, bytes("", "# a\n", `---\n${yamlHead}`), yaml],
	["YAML with markers behind it", 5_000, bytes(yamlHead, "---\n"), yaml],
	["YAML of document ends", 5_000, bytes("", "...\n"), yaml],
	["YAML of directives", 5_000, bytes("", "%a\n", "---\n"), yaml],
	["YAML of keys", 3_000, lines(`${yamlHead}data:\n`, (i) => `  k${i}: v\n`), yaml],
	["YAML of repeated keys", 3_000, bytes(`${yamlHead}data:\n`, "  k: v\n"), yaml],
	["YAML of list items", 3_000, bytes(`${yamlHead}x:\n`, "- a\n"), yaml],
	["YAML of nested lists", 400, bytes(`${yamlHead}x: `, "- "), yaml],
	["YAML of open brackets", 400, bytes(`${yamlHead}x: `, "["), yaml],
	["YAML of open braces", 400, bytes(`${yamlHead}x: `, "{a: "), yaml],
	["YAML of brackets", 3_000, bytes(`${yamlHead}x: [`, "[],", "]"), yaml],
	["YAML of one long word", 20_000, bytes(`${yamlHead}x: `, "a"), yaml],
	["YAML of one long line", 10_000, bytes(`${yamlHead}x: `, "a "), yaml],
	["YAML of one scalar over lines", 5_000, bytes(`${yamlHead}x: a\n`, "  b\n"), yaml],
	["YAML of empty lines", 10_000, bytes(yamlHead, "\n"), yaml],
	["YAML of blanks", 10_000, bytes(`${yamlHead}x: "a"`, " ", "b"), yaml],
	["YAML of tabs", 10_000, bytes(`${yamlHead}x: `, "\t", "b"), yaml],
	["YAML of a block scalar", 5_000, bytes(`${yamlHead}data:\n  x: |\n`, "    a\n"), yaml],
	["YAML of a folded scalar", 5_000, bytes(`${yamlHead}data:\n  x: >\n`, "    a\n\n"), yaml],
	["YAML of quoted lines", 5_000, bytes(`${yamlHead}data:\n  x: "`, "a\n    ", '"'), yaml],
	["YAML of comments", 5_000, bytes(yamlHead, "# a\n"), yaml],
	["YAML of anchors", 2_000, lines(`${yamlHead}data:\n`, (i) => `  k${i}: &a${i} v\n`), yaml],
	["YAML of aliases", 1_000, lines(`${yamlHead}data:\n  a: &a b\n`, (i) => `  k${i}: *a\n`), yaml],
	["YAML of merge keys", 500, lines(`${yamlHead}a: &a {b: c}\ndata:\n`, (i) => `  k${i}: {<<: *a}\n`), yaml],
	["YAML of tags", 3_000, bytes(`${yamlHead}x:\n`, "- !!str a\n"), yaml],
	["YAML of question marks", 1_000, bytes(`${yamlHead}x:\n`, "  ? a\n"), yaml],
	["YAML of colons", 5_000, bytes(`${yamlHead}x`, ":"), yaml],
	["YAML of digits", 20_000, bytes(`${yamlHead}x: `, "1", "z"), yaml],
	["YAML of underscores", 20_000, bytes(`${yamlHead}x: 1`, "_", "z"), yaml],
	// ---- protobuf bodies ----
	[
		"protobuf of many entries",
		5_000,
		(n) =>
			encodeObject(
				{
					apiVersion: "v1",
					kind: "ConfigMap",
					metadata: {},
					data: Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, "v"])),
				},
				"application/vnd.kubernetes.protobuf",
			),
		protobuf,
	],
	["protobuf of unknown bytes", 20_000, (n) => Buffer.concat([Buffer.from("k8s\0"), Buffer.alloc(n, 0x78)]), protobuf],
	[
		"protobuf of repeated envelopes",
		10_000,
		(n) => Buffer.concat([Buffer.from("k8s\0"), Buffer.from("\x12\x02\x0a\x00".repeat(n), "latin1")]),
		protobuf,
	],
	// ---- patches ----
	[
		"JSON patch of operations",
		2_000,
		(n) => Array.from({ length: n }, (_, i) => ({ op: "add", path: `/data/k${i}`, value: "v" })),
		(patch: unknown[]) => jsonPatch({ data: {} }, patch),
	],
	[
		"JSON patch of a long path",
		20_000,
		(n) => [{ op: "add", path: "/a".repeat(n), value: 1 }],
		(patch: unknown[]) => jsonPatch({ a: {} }, patch),
	],
	[
		"JSON patch of tildes",
		20_000,
		(n) => [{ op: "add", path: `/${"~1".repeat(n)}`, value: 1 }],
		(patch: unknown[]) => jsonPatch({ a: {} }, patch),
	],
	[
		"merge patch of keys",
		10_000,
		(n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i % 2 ? null : "v"])),
		(patch: unknown) => mergePatch({ data: {} }, { data: patch }),
	],
	[
		"strategic patch of containers",
		1_000,
		(n) => manyContainers(n),
		(patch: Record<string, unknown>) =>
			strategicMergePatch(manyContainers(100) as Record<string, unknown>, patch, podMessage, findMessage),
	],
	[
		"strategic patch of as many containers as there are",
		500,
		(n) => [manyContainers(n), manyContainers(n, { image: "b" })],
		([object, patch]: Record<string, unknown>[]) => strategicMergePatch(object ?? {}, patch, podMessage, findMessage),
	],
	[
		"strategic patch of deletions",
		500,
		(n) => [manyContainers(n), manyContainers(n, { $patch: "delete" })],
		([object, patch]: Record<string, unknown>[]) => strategicMergePatch(object ?? {}, patch, podMessage, findMessage),
	],
	[
		"strategic patch of an order",
		500,
		(n) => [
			manyContainers(n),
			{ spec: { "$setElementOrder/containers": Array.from({ length: n }, (_, i) => ({ name: `c${n - i}` })) } },
		],
		([object, patch]: Record<string, unknown>[]) => strategicMergePatch(object ?? {}, patch, podMessage, findMessage),
	],
	[
		"strategic patch of finalizers",
		2_000,
		(n) => [
			{ metadata: { finalizers: Array.from({ length: n }, (_, i) => `a/${i}`) } },
			{
				metadata: {
					"$deleteFromPrimitiveList/finalizers": Array.from({ length: n }, (_, i) => `a/${i}`),
					finalizers: Array.from({ length: n }, (_, i) => `b/${i}`),
				},
			},
		],
		([object, patch]: Record<string, unknown>[]) => strategicMergePatch(object ?? {}, patch, podMessage, findMessage),
	],
	// ---- the store's native protocol ----
	["native frame of nested arrays", 5_000, (n) => Buffer.alloc(n, 0x91), unpacks],
	[
		"native frame of a long array",
		20_000,
		(n) => Buffer.concat([Buffer.from([0xdd, 0, 0, n >> 8, n & 0xff]), Buffer.alloc(n, 1)]),
		(frame: Buffer) => unpack(frame),
	],
	[
		"native transaction of operations",
		2_000,
		(n) => [
			[],
			Array.from({ length: n }, (_, i) => [2, [Buffer.from(`k${i}`), Buffer.from("v"), 0n, false, false, false]]),
			[],
		],
		(txn: unknown) => wire.txnFromWire(txn),
	],
	[
		"native bytes in small pieces",
		5_000,
		(n) => Buffer.concat([Buffer.from([0, 0, n >> 8, n & 0xff]), Buffer.alloc(n)]),
		(stream: Buffer) => {
			const reader = new FrameReader(1 << 20, () => {});
			for (let i = 0; i < stream.length; i++) reader.push(stream.subarray(i, i + 1));
		},
	],
];

/** A refusal is an answer; a bug is not. */
function answered(run: (input: never) => unknown, input: never): void {
	try {
		run(input);
	} catch (error) {
		if (error instanceof RangeError || error instanceof TypeError || error instanceof ReferenceError) throw error;
	}
}

describe("work on what clients send grows no faster than it", function () {
	this.timeout(120_000);

	for (const [name, size, make, run] of cases) {
		it(name, () => {
			const found = growth(make, (input) => answered(run, input as never), size);
			assert.ok(found < mostGrowth, `twice the input takes ${found.toFixed(1)} times as long`);
		});
	}
});
