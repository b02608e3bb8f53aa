import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Said, Step } from "../testing/conversation.ts";
import { play } from "../testing/play.ts";
import { exemptionConfiguration, exemptionSteps, podSecuritySteps } from "./testing/podsecurity.cases.ts";
import { warningSteps } from "./testing/warnings.cases.ts";

/** Upstream's answers (kube-apiserver 1.36.1) by the steps' titles. */
const recorded = (name: string): Record<string, Said> =>
	JSON.parse(readFileSync(new URL(`fixtures/${name}-1.36.json`, import.meta.url), "utf8"));

const conversations: [string, string, readonly Step[], Parameters<typeof play>[1]?][] = [
	["Pod Security in namespaces", "podsecurity", podSecuritySteps],
	[
		"Pod Security's defaults and exemptions",
		"exemptions",
		exemptionSteps,
		{ admissionConfigurations: new Map([["PodSecurity", exemptionConfiguration]]) },
	],
	["Warnings about pods", "warnings", warningSteps],
];

for (const [title, name, steps, options] of conversations) {
	describe(`${title}, as upstream answers`, () => {
		const expected = recorded(name);
		let answers: Map<string, Said>;
		before(async () => {
			answers = await play(steps, options);
		});
		for (const step of steps) it(step.title, () => assert.deepEqual(answers.get(step.title), expected[step.title]));
	});
}
