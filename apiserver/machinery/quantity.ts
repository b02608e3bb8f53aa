/**
 * Resource quantities (`100m`, `1.5Gi`, `2e3`): exact arithmetic on nano units with Kubernetes' canonical text.
 *
 * Every quantity is a whole number of nano units: finer parts are rounded away from zero when parsed, as upstream does.
 */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

export interface Quantity {
	/** The value in units of 10^-9. */
	readonly nano: bigint;
	/** The family of suffixes it is written with. */
	readonly format: QuantityFormat;
	/** The text it was parsed from, where upstream keeps that as its canonical form. */
	readonly text?: string | undefined;
}

/** A text that is no quantity; `message` is upstream's. */
export class QuantityError extends Error {
	override readonly name = "QuantityError";
}

export const quantityFormatError =
	"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixError = "unable to parse quantity's suffix";
const numericError = "unable to parse numeric part of quantity";

const nanoPerUnit = 10n ** 9n;
const maxInt64 = 2n ** 63n - 1n;
/** Beyond these a text is refused: they bound the cost of the arithmetic, far above any real amount. */
const maxTextLength = 512;
const maxExponent = 400;

const decimalExponents: ReadonlyMap<string, number> = new Map([
	["n", -9],
	["u", -6],
	["m", -3],
	["", 0],
	["k", 3],
	["M", 6],
	["G", 9],
	["T", 12],
	["P", 15],
	["E", 18],
]);
const decimalSuffixes: ReadonlyMap<number, string> = new Map([...decimalExponents].map(([s, e]) => [e, s]));
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

interface Suffix {
	readonly format: QuantityFormat;
	/** Power of ten, or of two in BinarySI. */
	readonly exponent: number;
}

function parseSuffix(text: string): Suffix {
	const decimal = decimalExponents.get(text);
	if (decimal !== undefined) return { format: "DecimalSI", exponent: decimal };
	const binary = binarySuffixes.indexOf(text);
	if (binary > 0) return { format: "BinarySI", exponent: binary * 10 };
	if (!/^[eE][+-]?[0-9]+$/.test(text)) throw new QuantityError(suffixError);
	const exponent = Number(text.slice(1));
	if (Math.abs(exponent) > maxExponent) throw new QuantityError(suffixError);
	return { format: "DecimalExponent", exponent };
}

/**
 * Whether upstream's fast path keeps `text` itself as the canonical form. It judges by the digits alone, so that
 * `1.500` and `+1` stay as they were written while `1.5` becomes `1500m`.
 */
function keepsText(whole: string, fraction: string, suffix: Suffix): boolean {
	const shifted = whole + fraction;
	if (suffix.format === "BinarySI") {
		const precision = 15 - whole.length - Math.trunc((suffix.exponent * 3) / 10) - 1;
		return fraction === "" && precision >= 0 && (BigInt(shifted) & 7n) !== 0n;
	}
	const scale = suffix.exponent - fraction.length;
	if (shifted.length > 18 || scale < -9) return false;
	return scale % 3 === 0 && !shifted.endsWith("000") && shifted[0] !== "0";
}

function divideAwayFromZero(value: bigint, divisor: bigint): bigint {
	const quotient = value / divisor;
	if (quotient * divisor === value) return quotient;
	return value < 0n ? quotient - 1n : quotient + 1n;
}

/** `digits * 10^exponent` units in nano units, rounded up. */
function toNano(digits: bigint, exponent: number): bigint {
	const shift = exponent + 9;
	return shift >= 0 ? digits * 10n ** BigInt(shift) : divideAwayFromZero(digits, 10n ** BigInt(-shift));
}

/** Parses a quantity; throws QuantityError with upstream's text. */
export function parseQuantity(text: string): Quantity {
	if (text === "" || text.length > maxTextLength) throw new QuantityError(quantityFormatError);
	const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?((?:[eEinumkKMGTP]+[-+]?[0-9]*)|(?:[-+][0-9]*))?$/.exec(text);
	if (match === null) throw new QuantityError(quantityFormatError);
	const [, sign, wholeDigits = "", fraction = "", suffixText = ""] = match;
	let zeros = 0;
	while (wholeDigits[zeros] === "0") zeros++;
	const whole = wholeDigits.slice(zeros) || "0";
	const suffix = parseSuffix(suffixText);
	const digits = BigInt(whole + fraction);
	let nano =
		suffix.format === "BinarySI"
			? toNano(digits << BigInt(suffix.exponent), -fraction.length)
			: toNano(digits, suffix.exponent - fraction.length);
	let format = suffix.format;
	if (format === "BinarySI" && nano > maxInt64 * nanoPerUnit) nano = maxInt64 * nanoPerUnit;
	if (format === "BinarySI" && nano > 0n && nano < nanoPerUnit) format = "DecimalSI";
	const value = sign === "-" ? -nano : nano;
	return keepsText(whole, fraction, suffix) && nano !== 0n ? { nano: value, format, text } : { nano: value, format };
}

/** Parses what JSON may hold in a quantity's place: a string (blanks around it allowed) or a number. */
export function parseQuantityValue(value: unknown): Quantity {
	if (typeof value === "string") return parseQuantity(value.trim());
	if (typeof value === "number" && Number.isFinite(value)) return parseQuantity(String(value));
	if (typeof value === "bigint") return parseQuantity(String(value));
	throw new QuantityError(typeof value === "object" ? quantityFormatError : numericError);
}

function formatDecimal(nano: bigint, format: QuantityFormat): string {
	let mantissa = nano;
	let exponent = -9;
	while (mantissa % 10n === 0n) {
		mantissa /= 10n;
		exponent++;
	}
	// DecimalSI ends at E; upstream drops the suffix of larger ones, which would change the value.
	const limit = format === "DecimalSI" ? 18 : Number.POSITIVE_INFINITY;
	while (exponent % 3 !== 0 || exponent > limit) {
		mantissa *= 10n;
		exponent--;
	}
	if (format === "DecimalSI") return `${mantissa}${decimalSuffixes.get(exponent) ?? ""}`;
	return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
}

function formatBinary(units: bigint): string {
	let mantissa = units;
	let step = 0;
	while (step < binarySuffixes.length - 1 && mantissa % 1024n === 0n) {
		mantissa /= 1024n;
		step++;
	}
	return `${mantissa}${binarySuffixes[step]}`;
}

/** The canonical text: no fraction, no precision lost, the largest suffix. */
export function formatQuantity(quantity: Quantity): string {
	const { nano, format } = quantity;
	if (quantity.text !== undefined) return quantity.text;
	if (nano === 0n) return "0";
	if (format !== "BinarySI") return formatDecimal(nano, format);
	const limit = 1024n * nanoPerUnit;
	// Small or fractional amounts cannot be said in powers of 1024 without losing precision.
	if ((nano > -limit && nano < limit) || nano % nanoPerUnit !== 0n) return formatDecimal(nano, "DecimalSI");
	return formatBinary(nano / nanoPerUnit);
}

/** The canonical text of what JSON holds; throws QuantityError. */
export const canonicalQuantity = (value: unknown): string => formatQuantity(parseQuantityValue(value));

/** Why `value` is no quantity, or undefined. */
export function quantityProblem(value: unknown): string | undefined {
	try {
		parseQuantityValue(value);
		return undefined;
	} catch (error) {
		if (error instanceof QuantityError) return error.message;
		throw error;
	}
}

/** A quantity of whole units. */
export const quantityOf = (units: bigint | number, format: QuantityFormat = "DecimalSI"): Quantity => ({
	nano: BigInt(units) * nanoPerUnit,
	format,
});

/** A quantity of thousandths. */
export const quantityOfMilli = (milli: bigint | number, format: QuantityFormat = "DecimalSI"): Quantity => ({
	nano: BigInt(milli) * 1_000_000n,
	format,
});

export const isZeroQuantity = (quantity: Quantity): boolean => quantity.nano === 0n;

/** -1, 0 or 1. */
export const compareQuantities = (a: Quantity, b: Quantity): number => (a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0);

/** a + b, in a's format, or b's where a is zero. */
export const addQuantities = (a: Quantity, b: Quantity): Quantity => ({
	nano: a.nano + b.nano,
	format: a.nano === 0n ? b.format : a.format,
});

/** a - b, in a's format, or b's where a is zero. */
export const subtractQuantities = (a: Quantity, b: Quantity): Quantity => ({
	nano: a.nano - b.nano,
	format: a.nano === 0n ? b.format : a.format,
});

/** The value divided by 10^scale, rounded away from zero (upstream's ScaledValue); scale from -9 up. */
export function scaledQuantity(quantity: Quantity, scale: number): bigint {
	return divideAwayFromZero(quantity.nano, 10n ** BigInt(scale + 9));
}

/** Whole units, rounded away from zero (upstream's Value). */
export const quantityValue = (quantity: Quantity): bigint => scaledQuantity(quantity, 0);

/** Thousandths, rounded away from zero (upstream's MilliValue). */
export const quantityMilliValue = (quantity: Quantity): bigint => scaledQuantity(quantity, -3);

/** The nearest floating-point number of units. */
export function quantityToNumber(quantity: Quantity): number {
	const whole = quantity.nano / nanoPerUnit;
	return Number(whole) + Number(quantity.nano - whole * nanoPerUnit) / 1e9;
}
