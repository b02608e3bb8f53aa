/** Go's notation of spans of time (`1m30s`, `1.5h`, `-2s`), with its words for what is none. */

const unitMs: Readonly<Record<string, number>> = {
	ns: 1e-6,
	us: 1e-3,
	"\u00b5s": 1e-3,
	"\u03bcs": 1e-3,
	ms: 1,
	s: 1000,
	m: 60_000,
	h: 3_600_000,
};

/** Go counts nanoseconds in 64 bits: some 292 years. */
const mostMs = 2 ** 63 / 1e6;
/** Long enough for any span somebody means. */
const maxLength = 256;

/** `time.ParseDuration` in ms, negative ones too; throws Error with the words of time.ParseDuration. */
export function readDuration(text: string): number {
	const quoted = JSON.stringify(text.slice(0, maxLength));
	const invalid = () => new Error(`time: invalid duration ${quoted}`);
	const sign = text.startsWith("-") ? -1 : 1;
	let at = /^[+-]/.test(text) ? 1 : 0;
	if (text.slice(at) === "0") return 0;
	if (at === text.length || text.length > maxLength) throw invalid();
	let total = 0;
	while (at < text.length) {
		const number = /^(?:\d+\.?\d*|\.\d+)/.exec(text.slice(at))?.[0];
		if (number === undefined) throw invalid();
		at += number.length;
		const unit = /^[^.\d]*/.exec(text.slice(at))?.[0] ?? "";
		if (unit === "") throw new Error(`time: missing unit in duration ${quoted}`);
		const ms = unitMs[unit];
		if (ms === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
		at += unit.length;
		total += Number(number) * ms;
		if (total > mostMs) throw invalid();
	}
	return sign * total;
}
