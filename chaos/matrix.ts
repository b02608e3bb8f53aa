/** Every workload under every fault, one run each, with results kept in a file so that it can be broken off and resumed. */
export interface Pair {
	readonly target: string;
	readonly workload: string;
	readonly nemesis: string;
}

export interface PairResult extends Pair {
	readonly system: string;
	/** ms of work. */
	readonly time: number;
	readonly seed: number;
	readonly ok: number;
	readonly fail: number;
	readonly info: number;
	readonly faults: number;
	/** Kinds of violations, each once. */
	readonly violations: readonly string[];
}

/**
 * A JSON line each; a line cut short by the break-off is left out, so that its pair runs again. With `like` only what was
 * found of this system in runs as long as this: the same pair on another, or for a moment, says nothing about it.
 */
export function parseResults(text: string, like?: { readonly system: string; readonly time: number }): PairResult[] {
	const all = text.split("\n").flatMap((line): PairResult[] => {
		try {
			return line.trim() === "" ? [] : [JSON.parse(line) as PairResult];
		} catch (error) {
			if (error instanceof SyntaxError) return [];
			throw error;
		}
	});
	return like === undefined ? all : all.filter(({ system, time }) => system === like.system && time === like.time);
}

export const pairName = ({ target, workload, nemesis }: Pair) => `${target} ${workload} ${nemesis}`;

/** The pairs that have no result yet. */
export function pendingPairs<P extends Pair>(pairs: readonly P[], done: readonly Pair[]): P[] {
	const known = new Set(done.map(pairName));
	return pairs.filter((pair) => !known.has(pairName(pair)));
}

/** A Markdown table for each target: a row a workload, a column a fault; operations answered, or what was found. */
export function renderTables(results: readonly PairResult[]): string {
	const targets = [...new Set(results.map((each) => each.target))];
	return targets
		.map((target) => {
			const table = renderTable(results.filter((each) => each.target === target));
			return targets.length === 1 ? table : `Target \`${target}\`:\n\n${table}`;
		})
		.join("\n");
}

function renderTable(results: readonly PairResult[]): string {
	const columns = [...new Set(results.map((each) => each.nemesis))];
	const rows = [...new Set(results.map((each) => each.workload))];
	const cell = (workload: string, nemesis: string) => {
		const result = results.findLast((each) => each.workload === workload && each.nemesis === nemesis);
		if (result === undefined) return "";
		return result.violations.length === 0 ? String(result.ok) : `**${result.violations.join(", ")}**`;
	};
	const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
	return [
		line(["workload", ...columns]),
		line(["---", ...columns.map(() => "---")]),
		...rows.map((workload) => line([workload, ...columns.map((nemesis) => cell(workload, nemesis))])),
	].join("");
}
