import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "undici";
import { converse, type Said, type Step } from "../testing/conversation.ts";
import { type Harness, startHarness } from "../testing/harness.ts";
import { impersonationSteps } from "./testing/impersonation.cases.ts";
import { nodeSteps } from "./testing/node.cases.ts";
import { rbacSteps } from "./testing/rbac.cases.ts";

const users = [
	'admin-token,admin,admin,"system:masters"',
	'alice-token,alice,u-alice,"dev"',
	'bob-token,bob,u-bob,"ops"',
	"carol-token,carol,u-carol",
	'node1-token,system:node:node1,n1,"system:nodes"',
	'node2-token,system:node:node2,n2,"system:nodes"',
];

/** Plays the steps against a server of its own. */
async function play(steps: readonly Step[]): Promise<Map<string, Said>> {
	const h: Harness = await startHarness({
		tokenFile: { text: users.join("\n"), name: "users.csv" },
		enableAdmissionPlugins: ["NodeRestriction"],
	});
	try {
		return await converse(steps, async ({ method, path, headers, body }) => {
			const answer = await request(h.server.url + path, {
				method: method as "GET",
				headers: headers as Record<string, string | string[]>,
				dispatcher: h.anonymous(),
				...(body === undefined ? {} : { body }),
			});
			const warnings = answer.headers["warning"] ?? [];
			return {
				status: answer.statusCode,
				text: await answer.body.text(),
				warnings: typeof warnings === "string" ? [warnings] : warnings,
			};
		});
	} finally {
		await h.close();
	}
}

/** Upstream's answers (kube-apiserver 1.36.1) by the steps' titles. */
const recorded = (name: string): Record<string, Said> =>
	JSON.parse(readFileSync(new URL(`fixtures/${name}-1.36.json`, import.meta.url), "utf8"));

const conversations: [string, string, readonly Step[]][] = [
	["Rights are not gained through roles, bindings, names and selectors", "rbac", rbacSteps],
	["Acting in another's name", "impersonation", impersonationSteps],
	["Kubelets and tokens stay within their bounds", "node", nodeSteps],
];

for (const [title, name, steps] of conversations) {
	describe(`${title}, as upstream answers`, () => {
		const expected = recorded(name);
		let answers: Map<string, Said>;
		before(async () => {
			answers = await play(steps);
		});
		for (const step of steps) it(step.title, () => assert.deepEqual(answers.get(step.title), expected[step.title]));
	});
}
