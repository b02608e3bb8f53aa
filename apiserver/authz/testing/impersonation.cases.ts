/** Requests in another's name: well formed or not, allowed or not. Played by escalation.test.ts. */
import type { Json, Step } from "../../testing/conversation.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const group = "rbac.authorization.k8s.io";
const authentication = "authentication.k8s.io";
const reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

type Headers = NonNullable<Step["headers"]>;

const user = (body: Json): unknown => {
	const { username, uid, groups, extra } = body.status.userInfo;
	return { username, uid, groups, extra };
};

/** Who am I, in whose name. */
const whoami = (title: string, as: string, headers: Headers): Step => ({
	title,
	as,
	method: "POST",
	path: reviews,
	body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
	headers,
	shows: user,
});
const pods = (title: string, as: string, headers: Headers, query = ""): Step => ({
	title,
	as,
	method: "GET",
	path: `/api/v1/namespaces/default/pods${query}`,
	headers,
});

interface Rule {
	verbs: string[];
	apiGroups: string[];
	resources: string[];
	resourceNames?: string[];
}

const may = (name: string, subject: string, rules: Rule[]): Step[] => [
	{
		title: `${name}: role`,
		as: "admin",
		method: "POST",
		path: `${rbac}/clusterroles`,
		body: { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: { name }, rules },
	},
	{
		title: `${name}: binding`,
		as: "admin",
		method: "POST",
		path: `${rbac}/clusterrolebindings`,
		body: {
			apiVersion: `${group}/v1`,
			kind: "ClusterRoleBinding",
			metadata: { name },
			roleRef: { apiGroup: group, kind: "ClusterRole", name },
			subjects: [{ apiGroup: group, kind: "User", name: subject }],
		},
	},
];

const impersonate = (resources: string[], apiGroups = [""], resourceNames?: string[]): Rule => ({
	verbs: ["impersonate"],
	apiGroups,
	resources,
	...(resourceNames === undefined ? {} : { resourceNames }),
});

const malformed: Step[] = [
	pods("a group and no user", "admin", { "impersonate-group": "a" }),
	pods("two groups and no user", "admin", { "impersonate-group": ["a", "b"] }),
	pods("a uid and no user", "admin", { "impersonate-uid": "7" }),
	pods("an extra and no user", "admin", { "impersonate-extra-scopes": "s" }),
	pods("two extras and no user", "admin", { "impersonate-extra-b": ["1", "2"], "impersonate-extra-a%2fX": 'q"' }),
	pods("all and no user", "admin", { "impersonate-group": "g", "impersonate-uid": "u", "impersonate-extra-k": "v" }),
	pods("an empty user and a group", "admin", { "impersonate-user": "", "impersonate-group": "a" }),
	pods("an empty user alone", "admin", { "impersonate-user": "" }),
	pods("an empty uid alone", "admin", { "impersonate-uid": "" }),
	pods("an empty group alone", "admin", { "impersonate-group": "" }),
	pods("a group and no user, from one who may not", "carol", { "impersonate-group": "a" }),
	pods("an unknown header", "admin", { "impersonate-frob": "x" }),
];

const masters: Step[] = [
	whoami("a user", "admin", { "impersonate-user": "jane" }),
	whoami("a user with groups", "admin", { "impersonate-user": "jane", "impersonate-group": ["a", "b"] }),
	whoami("an authenticated group", "admin", {
		"impersonate-user": "jane",
		"impersonate-group": "system:authenticated",
	}),
	whoami("an unauthenticated group", "admin", {
		"impersonate-user": "jane",
		"impersonate-group": ["a", "system:unauthenticated"],
	}),
	whoami("nobody", "admin", { "impersonate-user": "system:anonymous" }),
	whoami("nobody with a group", "admin", { "impersonate-user": "system:anonymous", "impersonate-group": "a" }),
	whoami("a service account", "admin", { "impersonate-user": "system:serviceaccount:ns:sa" }),
	whoami("a service account with a group", "admin", {
		"impersonate-user": "system:serviceaccount:ns:sa",
		"impersonate-group": "a",
	}),
	whoami("no service account's name", "admin", { "impersonate-user": "system:serviceaccount:ns:a..b" }),
	whoami("a node", "admin", { "impersonate-user": "system:node:n1" }),
	whoami("a node with its group", "admin", {
		"impersonate-user": "system:node:n1",
		"impersonate-group": "system:nodes",
	}),
	whoami("a uid and extras", "admin", {
		"impersonate-user": "jane",
		"impersonate-uid": "7",
		"impersonate-extra-acme.com%2fproject": ["p", "q"],
		"impersonate-extra-Scopes": "s",
		"impersonate-extra-%zz": "z",
	}),
	whoami("masters from a master", "admin", { "impersonate-user": "jane", "impersonate-group": "system:masters" }),
];

const legacy: Step[] = [
	...may("acts-as-users", "alice", [impersonate(["users"], [""], ["jane"]), impersonate(["groups"], [""], ["dev"])]),
	pods("another user than one may", "alice", { "impersonate-user": "joe" }),
	pods("markup in the name", "alice", { "impersonate-user": "<b>&" }),
	pods("masters than one may not", "alice", { "impersonate-user": "joe", "impersonate-group": "system:masters" }),
	pods("a service account than one may not", "alice", { "impersonate-user": "system:serviceaccount:kube-system:x" }),
	pods("a node than one may not", "alice", { "impersonate-user": "system:node:n1" }),
	whoami("the user one may", "alice", { "impersonate-user": "jane" }),
	whoami("the user and group one may", "alice", { "impersonate-user": "jane", "impersonate-group": "dev" }),
	// Who got through by a way before is told what that way lacks.
	pods("masters with the user one may", "alice", { "impersonate-user": "jane", "impersonate-group": "system:masters" }),
	pods("two groups, one of them allowed", "alice", { "impersonate-user": "jane", "impersonate-group": ["dev", "ops"] }),
	pods("a uid with the user one may", "alice", { "impersonate-user": "jane", "impersonate-uid": "7" }),
	pods("an extra with the user one may", "alice", { "impersonate-user": "jane", "impersonate-extra-acme.io%2fk": "v" }),
	pods("what the other may not", "alice", { "impersonate-user": "jane" }),
	...may("acts-with-extras", "alice", [
		impersonate(["userextras/acme.io/k"], [authentication], ["v"]),
		impersonate(["uids"], [authentication], ["7"]),
	]),
	whoami("the extra and uid one may", "alice", {
		"impersonate-user": "jane",
		"impersonate-extra-acme.io%2fk": "v",
		"impersonate-uid": "7",
	}),
	pods("another value of the extra", "alice", {
		"impersonate-user": "jane",
		"impersonate-extra-acme.io%2fk": ["v", "w"],
	}),
];

const constrained: Step[] = [
	...may("acts-on-pods", "bob", [
		{ verbs: ["impersonate-on:user-info:create"], apiGroups: [authentication], resources: ["selfsubjectreviews"] },
		{ verbs: ["impersonate-on:user-info:list"], apiGroups: [""], resources: ["pods"] },
		{
			verbs: ["impersonate:user-info"],
			apiGroups: [authentication],
			resources: ["users", "groups", "uids", "userextras/*"],
		},
		{ verbs: ["impersonate:user-info"], apiGroups: [authentication], resources: ["userextras/acme.io/k"] },
		{ verbs: ["impersonate-on:serviceaccount:create"], apiGroups: [authentication], resources: ["selfsubjectreviews"] },
		{ verbs: ["impersonate:serviceaccount"], apiGroups: [authentication], resources: ["serviceaccounts"] },
		{ verbs: ["impersonate-on:arbitrary-node:create"], apiGroups: [authentication], resources: ["selfsubjectreviews"] },
		{ verbs: ["impersonate:arbitrary-node"], apiGroups: [authentication], resources: ["nodes"], resourceNames: ["n1"] },
	]),
	whoami("a user by the new verbs", "bob", { "impersonate-user": "jane", "impersonate-group": ["a"] }),
	whoami("a user with an extra", "bob", { "impersonate-user": "jane", "impersonate-extra-acme.io%2fk": "v" }),
	pods("pods in a user's name", "bob", { "impersonate-user": "jane" }),
	pods("a watch in a user's name", "bob", { "impersonate-user": "jane" }, "?watch=1&timeoutSeconds=1"),
	whoami("masters by the new verbs", "bob", { "impersonate-user": "jane", "impersonate-group": "system:masters" }),
	whoami("an empty group", "bob", { "impersonate-user": "jane", "impersonate-group": ["a", ""] }),
	whoami("an extra that is no path", "bob", { "impersonate-user": "jane", "impersonate-extra-k": "v" }),
	whoami("an extra in capitals", "bob", { "impersonate-user": "jane", "impersonate-extra-acme.io%2f%41": "v" }),
	whoami("an extra of another host", "bob", { "impersonate-user": "jane", "impersonate-extra-%41.io%2fa%20b": "v" }),
	whoami("an empty extra", "bob", { "impersonate-user": "jane", "impersonate-extra-acme.io%2fk": "" }),
	whoami("an extra one may not", "bob", { "impersonate-user": "jane", "impersonate-extra-acme.io%2fx": "v" }),
	whoami("a service account by the new verbs", "bob", { "impersonate-user": "system:serviceaccount:ns:sa" }),
	whoami("a service account with a group by the new verbs", "bob", {
		"impersonate-user": "system:serviceaccount:ns:sa",
		"impersonate-group": "a",
	}),
	whoami("a node by the new verbs", "bob", { "impersonate-user": "system:node:n1" }),
	whoami("another node", "bob", { "impersonate-user": "system:node:n2" }),
	whoami("a node with a group by the new verbs", "bob", {
		"impersonate-user": "system:node:n1",
		"impersonate-group": "system:nodes",
	}),
];

export const impersonationSteps: readonly Step[] = [...malformed, ...masters, ...legacy, ...constrained];
