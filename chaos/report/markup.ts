/** Text and numbers of the page. */

export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A moment of the run: "12.345 s". */
export function moment(ms: number): string {
	return `${(ms / 1000).toFixed(3)} s`;
}

/** How long something took, with three digits that matter: "0.42 ms", "12.3 ms", "1.53 s". */
export function duration(ms: number): string {
	const digits = (value: number) => (value < 10 ? 2 : value < 100 ? 1 : 0);
	if (ms < 999.5) return `${ms.toFixed(digits(ms))} ms`;
	const seconds = ms / 1000;
	return `${seconds.toFixed(digits(seconds))} s`;
}

/** "12,345". */
export function grouped(count: number): string {
	// linear: the digits of a number.
	return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function clipped(text: string, length: number): string {
	return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** 1, 2 or 5 times a power of ten, not below `atLeast` (nor 0.001). */
export function niceStep(atLeast: number): number {
	const wanted = Math.max(atLeast, 0.001);
	const power = 10 ** Math.floor(Math.log10(wanted));
	return power * ([1, 2, 5, 10].find((factor) => power * factor >= wanted * (1 - 1e-9)) ?? 10);
}

/** A table whose cells are HTML; `numeric` columns are set to the right. */
export function table(
	head: readonly string[],
	rows: readonly (readonly string[])[],
	numeric: readonly number[],
): string {
	const cell = (tag: string, text: string, i: number) =>
		`<${tag}${numeric.includes(i) ? ' class="number"' : ""}>${text}</${tag}>`;
	const line = (tag: string, cells: readonly string[]) =>
		`<tr>${cells.map((text, i) => cell(tag, text, i)).join("")}</tr>`;
	const body = rows.map((row) => line("td", row)).join("\n");
	return `<div class="wide"><table><thead>${line("th", head)}</thead><tbody>${body}</tbody></table></div>`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
	return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** To a tenth: places on the page. */
export function round(value: number): number {
	return Math.round(value * 10) / 10;
}
