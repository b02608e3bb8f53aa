/** Requests to the whole store and their answers, short enough to be compared by eye in a witness. */
import type { ModelAnswer, ModelCompare, ModelKv, ModelOp, ModelOpAnswer, ModelRequest } from "./model.ts";

const signs = { equal: "=", not_equal: "≠", greater: ">", less: "<" } as const;

/** `put a x`, `range a..c limit 2`, `if version(a) = 0 then put a x else range a`. */
export function describeRequest(request: ModelRequest): string {
	if (request.op === "lease_grant" || request.op === "lease_revoke") return `${request.op} ${request.lease}`;
	if (request.op !== "txn") return describeOp(request);
	const list = (ops: readonly ModelOp[]) => ops.map(describeOp).join(", ") || "nothing";
	const { compare, success, failure } = request;
	return `if ${compare.map(describeCompare).join(" and ") || "true"} then ${list(success)} else ${list(failure)}`;
}

function describeCompare({ key, target, result, operand }: ModelCompare): string {
	return `${target}(${key}) ${signs[result]} ${operand}`;
}

function describeOp(op: ModelOp): string {
	const keys = op.op === "put" || op.end === undefined ? op.key : `${op.key}..${op.end}`;
	if (op.op === "delete") return `delete ${keys}`;
	if (op.op === "put") return `put ${keys} ${op.value}${op.lease === undefined ? "" : ` lease ${op.lease}`}`;
	const limit = op.limit === undefined || op.limit === 0 ? "" : ` limit ${op.limit}`;
	return `range ${keys}${limit}${op.revision === undefined || op.revision === 0 ? "" : ` at revision ${op.revision}`}`;
}

/** `revision 7: [a=x@5 v2] of 3`, with `else` where a transaction's comparison failed: of each key its value, revision and version. */
export function describeAnswer(answer: ModelAnswer): string {
	if ("refused" in answer) return `revision ${answer.revision}, refused: ${answer.refused}`;
	const parts = answer.answers.flatMap(describeOpAnswer);
	const branch = answer.succeeded === false ? ", else" : "";
	return `revision ${answer.revision}${branch}${parts.length === 0 ? "" : `: ${parts.join(", ")}`}`;
}

function describeOpAnswer(answer: ModelOpAnswer): string[] {
	if (answer.op === "put") return [];
	if (answer.op === "delete") return [`${answer.deleted} deleted`];
	const { kvs, count } = answer;
	return [`[${kvs.map(describeKv).join(" ")}]${count === kvs.length ? "" : ` of ${count}`}`];
}

function describeKv({ key, value, modRevision, version }: ModelKv): string {
	return `${key}=${value}@${modRevision} v${version}`;
}
