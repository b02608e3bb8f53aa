/** What representation the client asked for (RFC 9110 Accept, with the API's own `as`, `g`, `v` parameters). */
import { notAcceptable, unknownRepresentation } from "../machinery/errors.ts";
import { type ApiRequest, headerValues } from "./types.ts";

export type Transform =
	| { readonly as: "none" }
	| {
			readonly as: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
			readonly version: "v1" | "v1beta1";
	  };

export interface Representation {
	readonly format: "json" | "yaml" | "protobuf";
	readonly transform: Transform;
	readonly pretty: boolean;
}

export interface AcceptClause {
	readonly type: string;
	readonly parameters: ReadonlyMap<string, string>;
	readonly quality: number;
}

/** Clauses in the client's order of preference. */
export function parseAccept(values: readonly string[]): AcceptClause[] {
	const clauses = values
		.join(",")
		.split(",")
		.map((text) => text.trim())
		.filter((text) => text !== "")
		.slice(0, 32)
		.map((text) => {
			const [type = "", ...rest] = text.split(";").map((part) => part.trim());
			const parameters = new Map(
				rest.map((part) => {
					const at = part.indexOf("=");
					return at < 0 ? ([part, ""] as const) : ([part.slice(0, at), part.slice(at + 1)] as const);
				}),
			);
			const q = Number(parameters.get("q") ?? "1");
			return { type: type.toLowerCase(), parameters, quality: Number.isFinite(q) ? q : 1 };
		});
	return clauses.filter((c) => c.quality > 0).sort((a, b) => b.quality - a.quality);
}

const served = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/** Beside them where the answer may be a watch. */
const servedStreams = ["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"];

function formatOf(type: string): Representation["format"] | undefined {
	if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
	if (type === "application/yaml") return "yaml";
	return type === "application/vnd.kubernetes.protobuf" ? "protobuf" : undefined;
}

function transformOf(clause: AcceptClause, allowed: ReadonlySet<string>): Transform | undefined {
	const as = clause.parameters.get("as");
	if (as === undefined) return { as: "none" };
	const version = clause.parameters.get("v");
	if (clause.parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
	if (!allowed.has(as)) return undefined;
	return { as: as as "Table", version };
}

/** Tools that people type into and browsers get indented JSON. */
function wantsPretty(request: ApiRequest): boolean {
	const value = request.query.get("pretty");
	// As Go's strconv.ParseBool; what it cannot read is not pretty.
	if (value !== null && value !== "") return ["1", "t", "T", "TRUE", "true", "True"].includes(value);
	const agent = headerValues(request, "user-agent")[0] ?? "";
	return agent.startsWith("curl") || agent.startsWith("Wget") || agent.startsWith("Mozilla/5.0");
}

export const objectTransforms: ReadonlySet<string> = new Set(["Table", "PartialObjectMetadata"]);
export const listTransforms: ReadonlySet<string> = new Set(["Table", "PartialObjectMetadataList"]);
export const noTransforms: ReadonlySet<string> = new Set();

/** The first clause that can be served; throws 406 where none can. */
export function negotiate(request: ApiRequest, transforms: ReadonlySet<string>): Representation {
	const pretty = wantsPretty(request);
	const clauses = parseAccept(headerValues(request, "accept"));
	if (clauses.length === 0) return { format: "json", transform: { as: "none" }, pretty };
	let protobuf: Representation | undefined;
	for (const clause of clauses) {
		const format = formatOf(clause.type);
		const transform = format === undefined ? undefined : transformOf(clause, transforms);
		if (format === undefined || transform === undefined) continue;
		const found = { format, transform, pretty: pretty || clause.parameters.get("pretty") === "1" };
		// What is stored is JSON: clients that take both get it as it is.
		if (format !== "protobuf") return found;
		if (transform.as === "none") protobuf ??= found;
	}
	if (protobuf !== undefined) return protobuf;
	if (clauses.some((clause) => formatOf(clause.type) !== undefined)) throw notAcceptable(served);
	const streams = transforms === listTransforms && request.method === "GET" ? servedStreams : [];
	throw unknownRepresentation([...served, ...streams]);
}
