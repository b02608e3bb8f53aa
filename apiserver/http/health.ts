/** `/healthz`, `/livez`, `/readyz`: named checks, all or one, in upstream's words. */
import { sendBytes, textType } from "./render.ts";
import type { ApiRequest, ApiResponse } from "./types.ts";

export interface HealthCheck {
	readonly name: string;
	/** Rejects or throws with why not. */
	check(): Promise<void> | void;
}

export interface HealthChecks {
	readonly healthz: readonly HealthCheck[];
	readonly livez: readonly HealthCheck[];
	readonly readyz: readonly HealthCheck[];
}

export const ping: HealthCheck = { name: "ping", check: () => {} };

const headers = { "x-content-type-options": "nosniff" };

/** Answers `/readyz`, `/readyz/NAME` and their like; false where the path is none of them. */
export async function serveHealth(
	checks: HealthChecks,
	request: ApiRequest,
	response: ApiResponse,
	onFailure: (name: string, error: unknown) => void,
): Promise<boolean> {
	const [, root = "", ...rest] = request.path.split("/");
	if (root !== "healthz" && root !== "livez" && root !== "readyz") return false;
	const all = checks[root];
	const one = rest.join("/");
	if (one !== "") {
		const check = all.find((c) => c.name === one);
		if (check === undefined) return false;
		await serveChecks(root, [check], request, response, onFailure);
		return true;
	}
	const excluded = new Set(request.query.getAll("exclude"));
	await serveChecks(
		root,
		all.filter((c) => !excluded.has(c.name)),
		request,
		response,
		onFailure,
	);
	return true;
}

async function serveChecks(
	root: string,
	checks: readonly HealthCheck[],
	request: ApiRequest,
	response: ApiResponse,
	onFailure: (name: string, error: unknown) => void,
): Promise<void> {
	const results = await Promise.all(
		checks.map(async (check) => {
			try {
				await check.check();
				return true;
			} catch (error) {
				onFailure(check.name, error);
				return false;
			}
		}),
	);
	const lines = checks.map((check, i) =>
		results[i] ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`,
	);
	if (!results.every((ok) => ok)) {
		sendBytes(response, 500, textType, `${lines.join("\n")}\n${root} check failed\n`, headers);
	} else if (request.query.has("verbose")) {
		sendBytes(response, 200, textType, `${lines.join("\n")}\n${root} check passed\n`, headers);
	} else {
		sendBytes(response, 200, textType, "ok", headers);
	}
}
