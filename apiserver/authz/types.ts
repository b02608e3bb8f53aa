/** What is asked, and what an authorizer answers. */
import type { UserInfo } from "../authn/types.ts";
import { ApiError, forbidden } from "../machinery/errors.ts";
import type { FieldSelector } from "../machinery/fieldselectors.ts";

export interface Attributes {
	readonly user: UserInfo;
	/** get, list, watch, create, update, patch, delete, deletecollection, …; the lower-case HTTP method for paths. */
	readonly verb: string;
	readonly namespace: string;
	readonly apiGroup: string;
	readonly apiVersion: string;
	readonly resource: string;
	readonly subresource: string;
	/** Also of a list or watch that its `metadata.name` field selector narrows to one object. */
	readonly name: string;
	readonly path: string;
	/** False for paths outside the resources (`/healthz`). */
	readonly resourceRequest: boolean;
	/** Of a list, watch or deletecollection. */
	readonly fieldSelector?: FieldSelector | undefined;
}

export interface Decision {
	readonly decision: "allow" | "deny" | "no opinion";
	readonly reason: string;
}

export interface Authorizer {
	authorize(attributes: Attributes): Decision;
	/** What `user` may do in `namespace`, as far as it can be listed. */
	rulesFor?(user: UserInfo, namespace: string): RulesResult;
}

export interface ResourceRule {
	verbs: string[];
	apiGroups: string[];
	resources: string[];
	resourceNames?: string[];
}

export interface NonResourceRule {
	verbs: string[];
	nonResourceURLs: string[];
}

/** The status of a SelfSubjectRulesReview. */
export interface RulesResult {
	readonly resourceRules: readonly ResourceRule[];
	readonly nonResourceRules: readonly NonResourceRule[];
	/** Some authorizer cannot list its rules. */
	readonly incomplete: boolean;
	readonly evaluationError: string;
}

export const allow = (reason = ""): Decision => ({ decision: "allow", reason });
export const noOpinion = (reason = ""): Decision => ({ decision: "no opinion", reason });

/** Attributes of a request for a resource; what is not given is empty. */
export const resourceAttributes = (
	user: UserInfo,
	verb: string,
	what: Partial<Omit<Attributes, "user" | "verb" | "resourceRequest" | "path">>,
): Attributes => ({
	user,
	verb,
	namespace: "",
	apiGroup: "",
	apiVersion: "",
	resource: "",
	subresource: "",
	name: "",
	path: "",
	resourceRequest: true,
	...what,
});

/** Attributes of a request for a path outside the resources. */
export const pathAttributes = (user: UserInfo, verb: string, path: string): Attributes => ({
	...resourceAttributes(user, verb, {}),
	path,
	resourceRequest: false,
});

const markup: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** What was not allowed. What the client sent is in it: nothing of that may be markup where a browser shows it. */
const denial = (a: Attributes): string => denialText(a).replaceAll(/[&<>]/g, (c) => markup[c] ?? c);

function denialText(a: Attributes): string {
	const who = `User ${JSON.stringify(a.user.username)} cannot ${a.verb}`;
	if (!a.resourceRequest) return `${who} path ${JSON.stringify(a.path)}`;
	const resource = a.subresource === "" ? a.resource : `${a.resource}/${a.subresource}`;
	const what = `resource ${JSON.stringify(resource)} in API group ${JSON.stringify(a.apiGroup)}`;
	const where = a.namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(a.namespace)}`;
	return `${who} ${what} ${where}`;
}

/** The 403 for a request that no authorizer allowed. */
export function denied(attributes: Attributes, reason: string): ApiError {
	const text = reason === "" ? denial(attributes) : `${denial(attributes)}: ${reason}`;
	if (!attributes.resourceRequest) return new ApiError(403, "Forbidden", `forbidden: ${text}`, {});
	return forbidden({ group: attributes.apiGroup, resource: attributes.resource }, attributes.name, text);
}

/** Throws the 403 above unless the authorizer allows it. */
export function requireAllowed(authorizer: Authorizer, attributes: Attributes): void {
	const { decision, reason } = authorizer.authorize(attributes);
	if (decision !== "allow") throw denied(attributes, reason);
}
