/** Pod logs: a stream from the kubelet of the pod's node, handed on as it comes. */

import { boolParameter, intParameter, timeParameter } from "../../http/parameters.ts";
import { textType } from "../../http/render.ts";
import { writeAll } from "../../http/types.ts";
import {
	ApiError,
	badRequest,
	type FieldError,
	fieldForbidden,
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
const flags = ["follow", "previous", "timestamps", "insecureSkipTLSVerifyBackend"];
/** Bytes of a kubelet's refusal that are told to the client. */
const maxErrorBytes = 2048;

/** What the kubelet is asked for; throws ApiError 400 and 422. */
function readOptions(name: string, query: URLSearchParams): URLSearchParams {
	const numbers = {
		sinceSeconds: intParameter(query, "sinceSeconds"),
		tailLines: intParameter(query, "tailLines"),
		limitBytes: intParameter(query, "limitBytes"),
	};
	const sinceTime = timeParameter(query, "sinceTime");
	const errors: FieldError[] = [];
	const atLeast = (field: keyof typeof numbers, least: number, why: string) => {
		const value = numbers[field];
		if (value !== undefined && value < least) errors.push(fieldInvalid(field, value, why));
	};
	atLeast("tailLines", 0, "must be greater than or equal to 0");
	atLeast("limitBytes", 1, "must be greater than 0");
	if (numbers.sinceSeconds !== undefined && sinceTime !== undefined) {
		errors.push(fieldForbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
	} else {
		atLeast("sinceSeconds", 1, "must be greater than 0");
	}
	// One stream alone is of a feature that is off by default.
	if (query.has("stream")) errors.push(fieldForbidden("stream", "may not be specified"));
	if (errors.length > 0) throw invalid("", "PodLogOptions", name, errors);
	const passed = new URLSearchParams();
	for (const flag of flags) if (boolParameter(query, flag)) passed.set(flag, "true");
	for (const [field, value] of Object.entries(numbers)) if (value !== undefined) passed.set(field, String(value));
	if (sinceTime !== undefined) passed.set("sinceTime", sinceTime);
	return passed;
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
	const query = readOptions(name, request.query);
	const entry = await readConsistent(services, resource, namespace, name);
	if (entry === undefined) throw notFound(resource, name);
	const pod = decodeView(resource, entry.bytes, entry.revision) as unknown as Pod;
	const container = chooseContainer(pod, request.query.get("container") ?? "");
	const nodeName = pod.spec?.nodeName ?? "";
	const cacheControl = { "cache-control": "no-cache, private" };
	if (nodeName === "") {
		response.head(204, cacheControl);
		response.end();
		return;
	}
	if (services.kubelets === undefined) throw internalError("no kubelet client is configured");
	const { host, port } = await kubeletAddress(scope, nodeName);
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
	response.head(200, { ...cacheControl, "content-type": textType });
	try {
		await writeAll(request, response, answer.body);
		response.end();
	} catch (error) {
		if (request.signal.aborted) return;
		services.log.warn("the kubelet's log stream broke", { pod: `${namespace}/${name}`, node: nodeName, error });
		response.destroy();
	}
}
