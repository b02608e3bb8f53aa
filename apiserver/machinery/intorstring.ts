/** Fields that hold a whole number or a percentage of something (`maxSurge: 25%`). */
export type IntOrString = number | string;

/** The share `value` names of `total`, as a whole number: a percentage is rounded, a number is taken as it is. Throws Error with upstream's text. */
export function scaledIntOrPercent(value: IntOrString | undefined, total: number, roundUp: boolean): number {
	if (value === undefined) throw new Error("nil value for IntOrString");
	if (typeof value === "number") return value;
	const percent = parsePercent(value);
	const share = (percent * total) / 100;
	return roundUp ? Math.ceil(share) : Math.floor(share);
}

/** The number before the percent sign; throws Error with upstream's text. */
export function parsePercent(text: string): number {
	if (!text.endsWith("%")) throw new Error("invalid value for IntOrString: invalid type: string is not a percentage");
	const digits = text.slice(0, -1);
	if (!/^[+-]?[0-9]{1,18}$/.test(digits)) {
		const quoted = JSON.stringify(text);
		throw new Error(
			`invalid value for IntOrString: invalid value ${quoted}: strconv.Atoi: parsing ${JSON.stringify(digits)}: invalid syntax`,
		);
	}
	return Number(digits);
}
