/** What `/api`, `/apis` and the paths below them answer, by what the client accepts. */

import { createHash } from "node:crypto";
import { trimEndOf } from "../../kit/trim.ts";
import { groupVersions } from "../scheme/resources.ts";
import { aggregated, coreVersions, group, groupList, resourceList } from "./documents.ts";

export interface DocumentResponse {
	readonly status: number;
	readonly contentType: string;
	readonly body: Buffer;
	/** With its quotes, as the ETag header has it; for 304. */
	readonly etag: string;
}

const plain = "application/json";

interface Clause {
	readonly type: string;
	readonly parameters: Readonly<Record<string, string>>;
	readonly quality: number;
}

/** Accept's clauses in the order of preference: by quality, then as written. */
function parseAccept(accept: string): Clause[] {
	const clauses = accept.split(",").map((text): Clause => {
		const [type = "", ...rest] = text.split(";").map((part) => part.trim());
		const parameters = Object.fromEntries(
			rest.map((part) => {
				const equals = part.indexOf("=");
				return [part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim()];
			}),
		);
		const quality = Number(parameters["q"] ?? 1);
		return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
	});
	return clauses.filter((c) => c.quality > 0).sort((a, b) => b.quality - a.quality);
}

/** `v2` or `v2beta1` for the aggregated document, "" for the plain one; undefined where nothing we have is accepted. */
function chosen(accept: string | undefined): string | undefined {
	if (accept === undefined || accept.trim() === "") return "";
	for (const { type, parameters } of parseAccept(accept)) {
		if (type === "*/*" || type === "application/*") return "";
		if (type !== plain) continue;
		if (parameters["as"] === undefined) return "";
		const version = parameters["v"];
		const known = parameters["as"] === "APIGroupDiscoveryList" && parameters["g"] === "apidiscovery.k8s.io";
		if (known && (version === "v2" || version === "v2beta1")) return version;
	}
	return undefined;
}

const cache = new Map<string, DocumentResponse>();

/** Documents do not change while we run: each is encoded once. */
function respond(key: string, contentType: string, build: () => object): DocumentResponse {
	let response = cache.get(key);
	if (response === undefined) {
		const body = Buffer.from(`${JSON.stringify(build())}\n`);
		const etag = `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"`;
		response = { status: 200, contentType, body, etag };
		cache.set(key, response);
	}
	return response;
}

const legacy = (key: string, build: () => object) => respond(key, plain, build);

function notAcceptable(): DocumentResponse {
	const status = {
		kind: "Status",
		apiVersion: "v1",
		metadata: {},
		status: "Failure",
		message: `only the following media types are accepted: ${plain}`,
		reason: "NotAcceptable",
		code: 406,
	};
	return { status: 406, contentType: plain, body: Buffer.from(`${JSON.stringify(status)}\n`), etag: "" };
}

/** Server addresses differ by listener: `/api` alone has one, so its plain document is kept for few of them. */
const maxServerAddresses = 64;

function coreDocument(serverAddress: string): DocumentResponse {
	if (cache.size > maxServerAddresses + 64) cache.clear();
	return legacy(`/api ${serverAddress}`, () => coreVersions(serverAddress));
}

/**
 * The answer to a GET of a discovery path, or undefined where the path is not one (which is a 404). `accept` is the
 * header; `serverAddress` the host and port by which clients reach this server, shown at `/api`.
 */
export function discoveryResponse(path: string, accept?: string, serverAddress = ""): DocumentResponse | undefined {
	const parts = trimEndOf(path, "/").split("/").slice(1);
	const [root, first, second] = parts;
	if (root !== "api" && root !== "apis") return undefined;
	if (parts.length === 1) {
		const version = chosen(accept);
		if (version === undefined) return notAcceptable();
		if (version !== "") {
			const type = `${plain};g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
			return respond(`/${root} ${version}`, type, () => aggregated(root === "api", version));
		}
		return root === "api" ? coreDocument(serverAddress) : legacy("/apis", groupList);
	}
	if (root === "apis" && parts.length === 2) {
		const document = group(first ?? "");
		return document === undefined ? undefined : legacy(`/apis/${first}`, () => document);
	}
	if (parts.length !== (root === "api" ? 2 : 3)) return undefined;
	const wanted = root === "api" ? { group: "", version: first } : { group: first, version: second };
	const gv = groupVersions().find((g) => g.group === wanted.group && g.version === wanted.version);
	if (gv === undefined || (root === "apis" && gv.group === "")) return undefined;
	return legacy(`/${parts.join("/")}`, () => resourceList(gv));
}
