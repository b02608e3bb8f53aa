/** Kinds that are questions: who am I, what may I do, whose token is this. Created, answered, never stored. */
import { append } from "../../../kit/lists.ts";
import { reviewToken, userStatus } from "../../authn/review.ts";
import type { UserInfo } from "../../authn/types.ts";
import { type Attributes, pathAttributes, resourceAttributes } from "../../authz/types.ts";
import { badRequest, type FieldError, fieldForbidden, fieldInvalid, invalid } from "../../machinery/errors.ts";
import { formatTime } from "../../machinery/meta.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type {
	NonResourceAttributes,
	ResourceAttributes,
	SelfSubjectRulesReviewSpec,
	SubjectAccessReviewSpec,
	TokenReview,
} from "../../scheme/types.gen.ts";
import { settleNamespace } from "../before.ts";
import type { Scope } from "../context.ts";
import { decodeBody } from "../decode.ts";
import { sendShown } from "../respond.ts";
import { readWriteOptions } from "../write-options.ts";

type Answer = (scope: Scope, object: KubeObject) => Promise<object> | object;

interface AccessSpec {
	resourceAttributes?: ResourceAttributes | undefined;
	nonResourceAttributes?: NonResourceAttributes | undefined;
}

function attributesOf(user: UserInfo, spec: AccessSpec): Attributes {
	const { resourceAttributes: r, nonResourceAttributes: n } = spec;
	if (r === undefined) return pathAttributes(user, n?.verb ?? "", n?.path ?? "");
	return resourceAttributes(user, r.verb ?? "", {
		namespace: r.namespace ?? "",
		apiGroup: r.group ?? "",
		apiVersion: r.version ?? "",
		resource: r.resource ?? "",
		subresource: r.subresource ?? "",
		name: r.name ?? "",
	});
}

function checkAccess(kind: string, spec: AccessSpec, more: FieldError[] = []): void {
	const errors: FieldError[] = [];
	const { resourceAttributes: r, nonResourceAttributes: n } = spec;
	if (r !== undefined && n !== undefined) {
		errors.push(
			fieldInvalid("spec.nonResourceAttributes", n, "cannot be specified in combination with resourceAttributes"),
		);
	}
	if (r === undefined && n === undefined) {
		errors.push(
			fieldInvalid(
				"spec.resourceAttributes",
				null,
				"exactly one of nonResourceAttributes or resourceAttributes must be specified",
			),
		);
	}
	append(errors, more);
	if (errors.length > 0) throw invalid("authorization.k8s.io", kind, "", errors);
}

function access(scope: Scope, object: KubeObject, user: UserInfo): object {
	const { decision, reason } = scope.services.authorizer.authorize(attributesOf(user, object["spec"] as AccessSpec));
	return {
		...object,
		status: {
			allowed: decision === "allow",
			...(decision === "deny" ? { denied: true } : {}),
			...(reason === "" ? {} : { reason }),
		},
	};
}

function selfSubjectAccess(scope: Scope, object: KubeObject): object {
	checkAccess("SelfSubjectAccessReview", (object["spec"] ?? {}) as AccessSpec);
	return access(scope, object, scope.user);
}

function subjectAccess(scope: Scope, object: KubeObject): object {
	const spec = (object["spec"] ?? {}) as SubjectAccessReviewSpec;
	const { user = "", groups = [], uid = "", extra = {} } = spec;
	const nobody = user === "" && groups.length === 0;
	checkAccess(
		object.kind,
		spec,
		nobody ? [fieldInvalid("spec.user", "", "at least one of user or group must be specified")] : [],
	);
	return access(scope, object, { username: user, groups, uid, extra });
}

function localSubjectAccess(scope: Scope, object: KubeObject): object {
	settleNamespace(scope.resource, object, scope.namespace);
	const spec = (object["spec"] ?? {}) as SubjectAccessReviewSpec;
	const errors: FieldError[] = [];
	if (spec.resourceAttributes !== undefined && spec.resourceAttributes.namespace !== scope.namespace) {
		errors.push(
			fieldInvalid(
				"spec.resourceAttributes.namespace",
				spec.resourceAttributes.namespace ?? "",
				"must match metadata.namespace",
			),
		);
	}
	if (spec.nonResourceAttributes !== undefined) {
		errors.push(fieldForbidden("spec.nonResourceAttributes", "disallowed on this kind of request"));
	}
	if (errors.length > 0) throw invalid("authorization.k8s.io", "LocalSubjectAccessReview", "", errors);
	return subjectAccess(scope, object);
}

function selfSubjectRules(scope: Scope, object: KubeObject): object {
	const { namespace = "" } = (object["spec"] ?? {}) as SelfSubjectRulesReviewSpec;
	if (namespace === "") throw badRequest("no namespace on request");
	const rules = scope.services.authorizer.rulesFor?.(scope.user, namespace);
	return {
		...object,
		status: {
			resourceRules: rules?.resourceRules ?? [],
			nonResourceRules: rules?.nonResourceRules ?? [],
			incomplete: rules?.incomplete ?? true,
			...((rules?.evaluationError ?? "") === "" ? {} : { evaluationError: rules?.evaluationError }),
		},
	};
}

const selfSubject = (scope: Scope, object: KubeObject): object => ({
	...object,
	metadata: { ...object.metadata, creationTimestamp: formatTime(scope.services.clock.now()) },
	status: { userInfo: userStatus(scope.user) },
});

const tokenReview = (scope: Scope, object: KubeObject): Promise<object> =>
	reviewToken(object as unknown as TokenReview, scope.services.tokens, scope.services.apiAudiences);

const answers: Readonly<Record<string, Answer>> = {
	selfsubjectaccessreviews: selfSubjectAccess,
	subjectaccessreviews: subjectAccess,
	localsubjectaccessreviews: localSubjectAccess,
	selfsubjectrulesreviews: selfSubjectRules,
	selfsubjectreviews: selfSubject,
	tokenreviews: tokenReview,
};

export const isReview = (resource: string): boolean => Object.hasOwn(answers, resource);

export async function createReview(scope: Scope): Promise<void> {
	const { fieldValidation } = readWriteOptions(scope.request.query, "CreateOptions");
	const object = await decodeBody(scope, scope.resource, fieldValidation);
	const answer = answers[scope.resource.resource] as Answer;
	sendShown(scope, 201, await answer(scope, object));
}
