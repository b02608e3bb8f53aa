/** How authorizers combine, and those that need no objects. */
import { systemMasters, type UserInfo } from "../authn/types.ts";
import { type Attributes, type Authorizer, allow, type Decision, noOpinion, type RulesResult } from "./types.ts";

/** The first that allows or denies decides; the reasons of those without opinion are kept. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
	return {
		authorize(attributes: Attributes): Decision {
			const reasons: string[] = [];
			for (const authorizer of authorizers) {
				const decision = authorizer.authorize(attributes);
				if (decision.reason !== "") reasons.push(decision.reason);
				if (decision.decision === "allow") return decision;
				if (decision.decision === "deny") return { decision: "deny", reason: reasons.join("\n") };
			}
			return noOpinion(reasons.join("\n"));
		},
		rulesFor(user: UserInfo, namespace: string): RulesResult {
			const results = authorizers.flatMap((a) => (a.rulesFor === undefined ? [] : [a.rulesFor(user, namespace)]));
			const errors = results.map((r) => r.evaluationError).filter((e) => e !== "");
			return {
				resourceRules: results.flatMap((r) => [...r.resourceRules]),
				nonResourceRules: results.flatMap((r) => [...r.nonResourceRules]),
				incomplete: results.some((r) => r.incomplete),
				evaluationError: errors.length > 1 ? `[${errors.join(", ")}]` : (errors[0] ?? ""),
			};
		},
	};
}

/** system:masters may do everything, whatever the objects say: the way back in. */
export const privilegedGroupAuthorizer: Authorizer = {
	authorize: (attributes) => (attributes.user.groups.includes(systemMasters) ? allow() : noOpinion()),
};

/** `--authorization-mode=AlwaysAllow`. */
export const alwaysAllowAuthorizer: Authorizer = {
	authorize: () => allow(),
	rulesFor: () => ({
		resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
		nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
		incomplete: false,
		evaluationError: "",
	}),
};

/** `--authorization-mode=AlwaysDeny`. */
export const alwaysDenyAuthorizer: Authorizer = {
	authorize: () => noOpinion("Everything is forbidden."),
};

export type AuthorizationMode = "Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny";

/** The authorizer of `--authorization-mode`, in the flag's order, behind the privileged group. Throws Error for an unknown mode. */
export function authorizerForModes(
	modes: readonly string[],
	parts: { readonly node: Authorizer; readonly rbac: Authorizer },
): Authorizer {
	const byMode: Record<AuthorizationMode, Authorizer> = {
		Node: parts.node,
		RBAC: parts.rbac,
		AlwaysAllow: alwaysAllowAuthorizer,
		AlwaysDeny: alwaysDenyAuthorizer,
	};
	const chosen = modes.map((mode) => {
		if (Object.hasOwn(byMode, mode)) return byMode[mode as AuthorizationMode];
		throw new Error(
			`authorization-mode ${JSON.stringify(mode)} is not a valid mode; known: ${Object.keys(byMode).join(", ")}`,
		);
	});
	if (chosen.length === 0) throw new Error("at least one authorization-mode must be passed");
	if (new Set(modes).size !== modes.length)
		throw new Error(`authorization-mode ${JSON.stringify(modes)} has mode specified more than once`);
	return unionAuthorizer([privilegedGroupAuthorizer, ...chosen]);
}
