/** `/openapi/v3`: the index, and one document per group version; `/openapi/v2`: one document of all. */

import { createHash } from "node:crypto";
import { trimEndOf } from "../../kit/trim.ts";
import { allResources, apiVersionOf, type GroupVersion, groupVersions } from "../scheme/resources.ts";
import { addResourcePaths, type PathItem } from "./paths.ts";
import { Definitions } from "./schemas.ts";
import { type DocumentV3, documentV2, encodeDocumentV2 } from "./v2.ts";

export interface OpenApiResponse {
	readonly status: number;
	readonly contentType: string;
	readonly body: Buffer;
	/** With its quotes. */
	readonly etag: string;
	/** Where a `hash` that is no longer current leads. */
	readonly location?: string;
	/** Documents asked for by their hash never change. */
	readonly cacheControl?: string;
}

const root = "/openapi/v3";
const contentType = "application/json";
const oneYear = 365 * 24 * 3600;

const pathOf = (gv: GroupVersion): string => (gv.group === "" ? `api/${gv.version}` : `apis/${apiVersionOf(gv)}`);

/** The document of one group version. */
export function openapiDocument(gv: GroupVersion): DocumentV3 & { readonly openapi: string } {
	const definitions = new Definitions();
	const paths: Record<string, PathItem> = {};
	for (const resource of allResources) {
		if (resource.group === gv.group && resource.version === gv.version) addResourcePaths(paths, definitions, resource);
	}
	// Every group version carries the options of a deletion as a kind of its own.
	definitions.kind("meta_v1.DeleteOptions", gv, "DeleteOptions");
	if (gv.group === "") definitions.kind("meta_v1.Status", gv, "Status");
	const sorted = <T>(record: Record<string, T>) =>
		Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
	return {
		openapi: "3.0.0",
		info: { title: "Kubernetes", version: "v1.33.0" },
		paths: sorted(paths),
		components: { schemas: sorted(definitions.schemas) },
	};
}

interface Encoded {
	readonly body: Buffer;
	/** Hex, upper case. */
	readonly hash: string;
}

const documents = new Map<string, Encoded>();

function encode(path: string, build: () => object | Buffer): Encoded {
	let document = documents.get(path);
	if (document === undefined) {
		const built = build();
		const body = Buffer.isBuffer(built) ? built : Buffer.from(JSON.stringify(built));
		document = { body, hash: createHash("sha512").update(body).digest("hex").toUpperCase() };
		documents.set(path, document);
	}
	return document;
}

const documentOf = (gv: GroupVersion): Encoded => encode(pathOf(gv), () => openapiDocument(gv));

const urlOf = (gv: GroupVersion): string => `${root}/${pathOf(gv)}?hash=${documentOf(gv).hash}`;

const index = (): Encoded =>
	encode("", () => ({
		paths: Object.fromEntries(groupVersions().map((gv) => [pathOf(gv), { serverRelativeURL: urlOf(gv) }])),
	}));

const protobufV2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/** Clients name it with an @, which is no character of a media type; the answer names it without. */
const acceptedProtobufV2 = /application\/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/;

function responseV2(accept: string): OpenApiResponse {
	const build = () => documentV2(groupVersions().map(openapiDocument));
	const protobuf = acceptedProtobufV2.test(accept);
	const { body, hash } = protobuf ? encode("v2 protobuf", () => encodeDocumentV2(build())) : encode("v2", build);
	return { status: 200, contentType: protobuf ? protobufV2 : contentType, body, etag: `"${hash}"` };
}

/**
 * The answer to a GET below `/openapi`, or undefined where there is nothing (a 404). `query` is what follows the question
 * mark; `accept` the header, which chooses between JSON and protobuf for `/openapi/v2`.
 */
export function openapiResponse(path: string, query = "", accept = ""): OpenApiResponse | undefined {
	const trimmed = trimEndOf(path, "/");
	if (trimmed === "/openapi/v2") return responseV2(accept);
	if (trimmed === root) {
		const { body, hash } = index();
		return { status: 200, contentType, body, etag: `"${hash}"` };
	}
	const gv = groupVersions().find((g) => trimmed === `${root}/${pathOf(g)}`);
	if (gv === undefined) return undefined;
	const { body, hash } = documentOf(gv);
	const wanted = new URLSearchParams(query).get("hash");
	const etag = `"${hash}"`;
	if (wanted === null) return { status: 200, contentType, body, etag };
	if (wanted !== hash) return { status: 301, contentType, body: Buffer.alloc(0), etag, location: urlOf(gv) };
	return { status: 200, contentType, body, etag, cacheControl: `public, immutable, max-age=${oneYear}` };
}
