/** Numbers of a run, in tables. */
import type { Operation } from "../history.ts";
import { clipped, duration, escapeHtml, grouped, plural, table } from "./markup.ts";
import { outcomes, quantile } from "./operations.ts";

const outcomeNames = { ok: "ok", fail: "failed", info: "unknown" } as const;

/** Latency of each function by outcome; what was never answered has none. */
export function latencyTable(operations: readonly Operation[]): string {
	const functions = [...new Set(operations.map((op) => op.f))].sort();
	const rows = functions.flatMap((f) =>
		outcomes.flatMap((type) => {
			const chosen = operations.filter((op) => op.f === f && op.type === type);
			if (chosen.length === 0) return [];
			const sorted = chosen
				.flatMap((op) => (op.completedMs === undefined ? [] : op.completedMs - op.invokedMs))
				.sort((a, b) => a - b);
			const shares =
				sorted.length === 0
					? []
					: [quantile(sorted, 0.5), quantile(sorted, 0.95), quantile(sorted, 0.99), sorted.at(-1)!];
			const cells = [0, 1, 2, 3].map((i) => (shares[i] === undefined ? "–" : duration(shares[i])));
			return [[escapeHtml(f), `<i class="dot ${type}"></i>${outcomeNames[type]}`, grouped(chosen.length), ...cells]];
		}),
	);
	const head = ["operation", "outcome", "count", "median", "95 %", "99 %", "slowest"];
	return `<section><h2>Latency by outcome</h2>${table(head, rows, [2, 3, 4, 5, 6])}</section>`;
}

const maxErrors = 15;
const maxError = 200;

/** The commonest errors, numbers in them aside. */
export function errorsTable(operations: readonly Operation[]): string {
	const kinds = new Map<string, { readonly example: string; readonly type: "fail" | "info"; count: number }>();
	for (const { error, type } of operations) {
		if (error === undefined || type === "ok") continue;
		const kind = `${type} ${error.replace(/\d+/g, "0")}`;
		const known = kinds.get(kind);
		if (known === undefined) kinds.set(kind, { example: error, type, count: 1 });
		else known.count++;
	}
	if (kinds.size === 0) return "";
	const sorted = [...kinds.values()].sort((a, b) => b.count - a.count);
	const rows = sorted
		.slice(0, maxErrors)
		.map(({ example, type, count }) => [
			grouped(count),
			`<i class="dot ${type}"></i>${outcomeNames[type]}`,
			escapeHtml(clipped(example, maxError)),
		]);
	const left = sorted.length - rows.length;
	const more = left === 0 ? "" : `<p class="note">${plural(left, "rarer kind")} not shown.</p>`;
	return `<section><h2>Errors <small>the commonest, with an example of each</small></h2>${table(["count", "outcome", "error"], rows, [0])}${more}</section>`;
}
