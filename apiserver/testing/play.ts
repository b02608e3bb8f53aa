/** Plays conversations against a replica of its own; users have tokens. */
import { request } from "undici";
import { converse, type Said, type Step } from "./conversation.ts";
import { startHarness } from "./harness.ts";

const users = [
	'admin-token,admin,admin,"system:masters"',
	'alice-token,alice,u-alice,"dev"',
	'bob-token,bob,u-bob,"ops"',
	"carol-token,carol,u-carol",
	'node1-token,system:node:node1,n1,"system:nodes"',
	'node2-token,system:node:node2,n2,"system:nodes"',
];

export async function play(
	steps: readonly Step[],
	options: NonNullable<Parameters<typeof startHarness>[0]> = {},
): Promise<Map<string, Said>> {
	const h = await startHarness({
		tokenFile: { text: users.join("\n"), name: "users.csv" },
		enableAdmissionPlugins: ["NodeRestriction"],
		...options,
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
