/** Spans of time as people read them: `45s`, `2m10s`, `3d4h`. */

/** Upstream's HumanDuration: at most two units, coarser the longer it is. */
export function humanDuration(ms: number): string {
	const seconds = Math.trunc(ms / 1000);
	// Clocks of different machines may disagree by a second or two.
	if (seconds < -1) return "<invalid>";
	if (seconds < 0) return "0s";
	if (seconds < 120) return `${seconds}s`;
	const two = (large: number, largeUnit: string, small: number, smallUnit: string) =>
		small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
	if (minutes < 180) return `${minutes}m`;
	const hours = Math.floor(minutes / 60);
	if (hours < 8) return two(hours, "h", minutes % 60, "m");
	if (hours < 48) return `${hours}h`;
	const days = Math.floor(hours / 24);
	if (days < 8) return two(days, "d", hours % 24, "h");
	if (days < 365 * 2) return `${days}d`;
	const years = Math.floor(days / 365);
	if (years < 8) return two(years, "y", days % 365, "d");
	return `${years}y`;
}

/** The time since an RFC 3339 text, or `<unknown>` where there is none. */
export function ageOf(timestamp: string | undefined, now: number): string {
	if (timestamp === undefined || timestamp === "") return "<unknown>";
	const then = Date.parse(timestamp);
	return Number.isNaN(then) ? "<unknown>" : humanDuration(now - then);
}
