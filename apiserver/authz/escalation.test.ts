import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Said, Step } from "../testing/conversation.ts";
import { play } from "../testing/play.ts";
import { impersonationSteps } from "./testing/impersonation.cases.ts";
import { nodeSteps } from "./testing/node.cases.ts";
import { rbacSteps } from "./testing/rbac.cases.ts";

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
