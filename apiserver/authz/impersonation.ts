/**
 * Who may act as whom. Upstream has several ways, tried one after the other: by the verb `impersonate` alone, with which one
 * may do whatever the other may; and since 1.36 by verbs of their own for nodes, service accounts and other users, which
 * also say what may be done in another's name (`impersonate-on:user-info:list`).
 */
import { type Impersonation, impersonatedUser } from "../authn/impersonation.ts";
import { splitServiceAccountUsername } from "../authn/serviceaccount.ts";
import { nodeNamePrefix, nodesGroup, systemMasters, type UserInfo } from "../authn/types.ts";
import { ApiError } from "../machinery/errors.ts";
import { dns1123SubdomainProblems } from "../machinery/names.ts";
import { type Attributes, type Authorizer, denied, requireAllowed, resourceAttributes } from "./types.ts";

const group = "authentication.k8s.io";
/** The extra of a service account's token that names the node it was made for. */
const nodeNameExtra = "authentication.kubernetes.io/node-name";
/** From so many groups or extras on, all of them at once (`*`) are asked for first. */
const manyChecks = 4;
/** Users whose last way is remembered. */
const maxRemembered = 10_000;

/** The node a user name stands for; undefined where it is no node's. */
function nodeOfName(username: string): string | undefined {
	if (!username.startsWith(nodeNamePrefix)) return undefined;
	const name = username.slice(nodeNamePrefix.length);
	return dns1123SubdomainProblems(name).length === 0 ? name : undefined;
}

const nameAlone = ({ uid, groups, extra }: Impersonation): boolean =>
	uid === "" && groups.length === 0 && Object.keys(extra).length === 0;

interface Mode {
	/** As it is called in verbs; undefined: the old one, `impersonate`. */
	readonly name?: string;
	applies(wanted: Impersonation, requestor: UserInfo): boolean;
}

/** A service account's token may act as the node it was made for. */
const associatedNode = "associated-node";

const modes: readonly Mode[] = [
	{
		name: associatedNode,
		applies(wanted, requestor) {
			const node = nodeOfName(wanted.username);
			if (node === undefined || !nameAlone(wanted)) return false;
			const [name, ...more] = requestor.extra[nodeNameExtra] ?? [];
			const account = splitServiceAccountUsername(requestor.username);
			return account !== undefined && more.length === 0 && name === node;
		},
	},
	{
		name: "arbitrary-node",
		applies: (wanted) => nameAlone(wanted) && nodeOfName(wanted.username) !== undefined,
	},
	{
		name: "serviceaccount",
		applies: (wanted) => nameAlone(wanted) && splitServiceAccountUsername(wanted.username) !== undefined,
	},
	{
		name: "user-info",
		applies: ({ username }) =>
			nodeOfName(username) === undefined && splitServiceAccountUsername(username) === undefined,
	},
	{ applies: () => true },
];

export class Impersonator {
	readonly #authorizer: Authorizer;
	/** By user, the index of the mode that last succeeded: it is tried first, and its refusal is the one that is told. */
	readonly #last = new Map<string, number>();

	constructor(authorizer: Authorizer) {
		this.#authorizer = authorizer;
	}

	/** The user that the asker of `request` acts as. Throws the ApiError 403 of the first way that was refused. */
	impersonate(wanted: Impersonation, request: Attributes): UserInfo {
		const requestor = request.user;
		const last = this.#last.get(requestor.username);
		const order = modes.map((_, i) => i);
		if (last !== undefined) order.sort((a, b) => Number(b === last) - Number(a === last));
		let refusal: unknown;
		for (const index of order) {
			const mode = modes[index] as Mode;
			if (!mode.applies(wanted, requestor)) continue;
			try {
				const user = this.#impersonateBy(mode, wanted, request);
				this.#remember(requestor.username, index);
				return user;
			} catch (error) {
				if (!(error instanceof ApiError)) throw error;
				refusal ??= error;
			}
		}
		throw refusal;
	}

	#remember(username: string, index: number): void {
		this.#last.delete(username);
		if (this.#last.size >= maxRemembered) this.#last.delete(this.#last.keys().next().value ?? "");
		this.#last.set(username, index);
	}

	#impersonateBy(mode: Mode, wanted: Impersonation, request: Attributes): UserInfo {
		const { name } = mode;
		// What an agent may do as the node it runs on is the same on all nodes.
		const user = name === associatedNode ? withKeysOnly(request.user) : request.user;
		if (name !== undefined) this.#require({ ...request, user, verb: `impersonate-on:${name}:${request.verb}` });
		const verb = name === undefined ? "impersonate" : `impersonate:${name}`;
		const asks = (resource: string, named: string, more: Partial<Attributes> = {}) =>
			resourceAttributes(user, verb, { apiGroup: group, apiVersion: "v1", resource, name: named, ...more });
		const own = { apiGroup: name === undefined ? "" : group };
		const node = name === undefined ? undefined : nodeOfName(wanted.username);
		const account = splitServiceAccountUsername(wanted.username);
		if (node !== undefined) this.#require(asks("nodes", name === associatedNode ? "*" : node, own));
		else if (account === undefined) this.#require(asks("users", wanted.username, own));
		else this.#require(asks("serviceaccounts", account.name, { ...own, namespace: account.namespace }));
		if (wanted.uid !== "") this.#require(asks("uids", wanted.uid));
		if (name !== undefined) checkGroups(wanted.groups, (g) => asks("groups", g, own));
		this.#requireEach(
			wanted.groups.map((g) => asks("groups", g, own)),
			name === undefined ? undefined : asks("groups", "*", own),
		);
		if (name !== undefined) checkExtra(wanted.extra, () => asks("userextras", ""));
		this.#requireEach(
			Object.entries(wanted.extra).flatMap(([key, items]) =>
				items.map((item) => asks("userextras", item, { subresource: key })),
			),
			name === undefined ? undefined : asks("userextras", "*", { subresource: "*" }),
		);
		return impersonatedUser(wanted, node === undefined ? undefined : [nodesGroup]);
	}

	#require(attributes: Attributes): void {
		requireAllowed(this.#authorizer, attributes);
	}

	/** `all`: what stands for every one of them, tried first where they are many. */
	#requireEach(each: readonly Attributes[], all: Attributes | undefined): void {
		if (all !== undefined && each.length >= manyChecks && this.#authorizer.authorize(all).decision === "allow") return;
		for (const attributes of each) this.#require(attributes);
	}
}

/** Groups the newer verbs never give. Throws ApiError 403. */
function checkGroups(groups: readonly string[], asks: (name: string) => Attributes): void {
	if (groups.includes("")) throw denied(asks(""), "impersonating the empty string group is not allowed");
	if (groups.includes(systemMasters)) {
		throw denied(asks(systemMasters), `impersonating the ${systemMasters} group is not allowed`);
	}
}

/** Extras the newer verbs never give. Throws ApiError 403. */
function checkExtra(extra: Impersonation["extra"], asks: () => Attributes): void {
	for (const [key, items] of Object.entries(extra)) {
		const problem = extraProblem(key, items);
		if (problem !== undefined) throw denied(asks(), problem);
	}
}

const pathCharacters = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
// linear: one class, anchored.
const pathPattern = new RegExp(`^${pathCharacters}$`);

/** Why a key is no `acme.io/foo`. */
function keyProblems(key: string): string[] {
	const slash = key.indexOf("/");
	const [host, path] = [key.slice(0, Math.max(0, slash)), key.slice(slash + 1)];
	const invalid = (value: string, why: string) => `extra.key: Invalid value: ${JSON.stringify(value)}: ${why}`;
	if (host === "" || path === "") return [invalid(key, 'must be a domain-prefixed path (such as "acme.io/foo")')];
	const problems = dns1123SubdomainProblems(host).map((why) => invalid(host, why));
	if (!pathPattern.test(path)) {
		problems.push(invalid(path, `Invalid path (regex used for validation is '${pathCharacters}')`));
	}
	return problems;
}

function extraProblem(key: string, items: readonly string[]): string | undefined {
	if (key === "") return "impersonating the empty string key in extra is not allowed";
	const problems = keyProblems(key);
	if (problems.length > 0) {
		const text = problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
		return `impersonating an invalid key in extra is not allowed: ${text}`;
	}
	if (key !== key.toLowerCase()) {
		return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
	}
	if (items.length === 0) return "impersonating empty values in extra is not allowed";
	return items.includes("") ? "impersonating the empty string value in extra is not allowed" : undefined;
}

const withKeysOnly = (user: UserInfo): UserInfo => ({
	...user,
	extra: { "authentication.kubernetes.io/associated-node-keys": Object.keys(user.extra).sort() },
});
