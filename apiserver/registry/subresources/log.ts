/** Pod logs: a stream from the kubelet of the pod's node, handed on as it comes. */
import { textType } from "../../http/render.ts";
import { writeAll } from "../../http/types.ts";
import {
	ApiError,
	badRequest,
	type FieldError,
	fieldInvalid,
	internalError,
	invalid,
	notFound,
} from "../../machinery/errors.ts";
import { findResource, type ResourceInfo } from "../../scheme/resources.ts";
import type { Node, Pod } from "../../scheme/types.gen.ts";
import type { KubeletAnswer, Scope } from "../context.ts";
import { readConsistent } from "../read.ts";
import { decodeView } from "../views.ts";

const nodes = findResource("", "v1", "nodes") as ResourceInfo;
const defaultKubeletPort = 10250;
const passedOn = [
	"follow",
	"previous",
	"sinceSeconds",
	"sinceTime",
	"timestamps",
	"tailLines",
	"limitBytes",
	"insecureSkipTLSVerifyBackend",
	"stream",
];
/** Bytes of a kubelet's refusal that are told to the client. */
const maxErrorBytes = 2048;

function checkOptions(query: URLSearchParams): void {
	const errors: FieldError[] = [];
	const number = (name: string, least: number, why: string) => {
		const text = query.get(name);
		if (text === null || text === "") return;
		if (!/^-?\d{1,18}$/.test(text))
			throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
		if (Number(text) < least) errors.push(fieldInvalid(name, Number(text), why));
	};
	number("tailLines", 0, "must be greater than or equal to 0");
	number("limitBytes", 1, "must be greater than 0");
	number("sinceSeconds", 1, "must be greater than 0");
	if (query.has("sinceSeconds") && query.has("sinceTime")) {
		errors.push({
			type: "FieldValueForbidden",
			field: "",
			message: "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
		});
	}
	if (errors.length > 0) throw invalid("", "PodLogOptions", "", errors);
}

/** The container meant; throws ApiError 400 where that cannot be told. */
function chooseContainer(pod: Pod, wanted: string): string {
	const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
	const name = pod.metadata?.name ?? "";
	const names = (list: readonly { name?: string | undefined }[]) => list.map((c) => c.name).join(" ");
	const all = [...containers, ...initContainers, ...ephemeralContainers].map((c) => c.name);
	if (wanted !== "") {
		if (!all.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${name}`);
		return wanted;
	}
	if (containers.length === 1) return containers[0]?.name ?? "";
	if (containers.length === 0) throw badRequest(`a container name must be specified for pod ${name}`);
	const others = initContainers.length > 0 ? ` or one of the init containers: [${names(initContainers)}]` : "";
	throw badRequest(
		`a container name must be specified for pod ${name}, choose one of: [${names(containers)}]${others}`,
	);
}

/** Where the node's kubelet listens. Throws ApiError. */
async function kubeletAddress(scope: Scope, nodeName: string): Promise<{ host: string; port: number }> {
	const entry = await readConsistent(scope.services, nodes, "", nodeName);
	if (entry === undefined) throw notFound(nodes, nodeName);
	const node = decodeView(nodes, entry.bytes, entry.revision) as unknown as Node;
	const addresses = node.status?.addresses ?? [];
	for (const type of ["InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP"]) {
		const host = addresses.find((a) => a.type === type)?.address;
		if (host !== undefined)
			return { host, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultKubeletPort };
	}
	throw internalError(`no preferred addresses found; known addresses: [${addresses.map((a) => a.address).join(" ")}]`);
}

async function readError(answer: KubeletAnswer): Promise<string> {
	const parts: Buffer[] = [];
	let size = 0;
	for await (const chunk of answer.body) {
		parts.push(chunk);
		size += chunk.length;
		if (size >= maxErrorBytes) break;
	}
	return Buffer.concat(parts).toString("utf8", 0, maxErrorBytes);
}

function refusal(status: number, text: string): ApiError {
	if (status === 400) return badRequest(text);
	if (status === 404)
		return new ApiError(404, "NotFound", `the server could not find the requested resource ( pods/log ${text.trim()})`);
	if (status === 500)
		return new ApiError(500, "InternalError", `Internal error occurred: ${text}`, { causes: [{ message: text }] });
	return new ApiError(status, status === 401 ? "Unauthorized" : status === 403 ? "Forbidden" : "", text);
}

export async function getLog(scope: Scope): Promise<void> {
	const { services, resource, namespace, name, request, response } = scope;
	checkOptions(request.query);
	const entry = await readConsistent(services, resource, namespace, name);
	if (entry === undefined) throw notFound(resource, name);
	const pod = decodeView(resource, entry.bytes, entry.revision) as unknown as Pod;
	const container = chooseContainer(pod, request.query.get("container") ?? "");
	const nodeName = pod.spec?.nodeName ?? "";
	const headers = { "cache-control": "no-cache, private", "content-type": textType };
	if (nodeName === "") {
		response.head(200, headers);
		response.end();
		return;
	}
	if (services.kubelets === undefined) throw internalError("no kubelet client is configured");
	const { host, port } = await kubeletAddress(scope, nodeName);
	const query = new URLSearchParams();
	for (const key of passedOn) {
		const value = request.query.get(key);
		if (value !== null) query.set(key, value);
	}
	const text = query.toString();
	const path = `/containerLogs/${[namespace, name, container].map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
	let answer: KubeletAnswer;
	try {
		answer = await services.kubelets.get(host, port, path, request.signal);
	} catch (error) {
		if (request.signal.aborted) return;
		throw new ApiError(500, "", `Get "https://${host}:${port}${path}": ${(error as Error).message}`);
	}
	if (answer.status !== 200) throw refusal(answer.status, await readError(answer));
	response.head(200, headers);
	try {
		await writeAll(request, response, answer.body);
		response.end();
	} catch (error) {
		if (request.signal.aborted) return;
		services.log.warn("the kubelet's log stream broke", { pod: `${namespace}/${name}`, node: nodeName, error });
		response.destroy();
	}
}
