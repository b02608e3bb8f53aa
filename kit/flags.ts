/**
 * Command-line flags in Go's style (`--flag=value`, `--flag value`, booleans `--flag` or `--flag=false`), declared once
 * with type, default and help; split by Node's `parseArgs`. Environment variables stand in for absent flags when a command names prefixes for them.
 */

import { parseArgs } from "node:util";
import { readDuration } from "./duration.ts";

interface Common {
	/** One line or more; shown by `--help`. */
	readonly help: string;
	/** Heading under which `--help` lists the flag. */
	readonly group?: string;
	/** Placeholder in help; by default the type. */
	readonly placeholder?: string;
	readonly hidden?: boolean;
}

export type FlagSpec =
	| (Common & {
			readonly type: "string";
			readonly default?: string;
			readonly required?: boolean;
			readonly choices?: readonly string[];
	  })
	| (Common & { readonly type: "boolean"; readonly default?: boolean })
	| (Common & {
			readonly type: "integer" | "number";
			readonly default?: number;
			readonly required?: boolean;
			readonly min?: number;
			readonly max?: number;
	  })
	/** Go's duration ("1h30m", "500ms"); the value is in ms. */
	| (Common & { readonly type: "duration"; readonly default?: number; readonly required?: boolean })
	/** Comma-separated, and may be given many times. */
	| (Common & { readonly type: "list"; readonly default?: readonly string[]; readonly choices?: readonly string[] })
	/** `key=value` pairs, comma-separated, and may be given many times. */
	| (Common & { readonly type: "map"; readonly default?: Readonly<Record<string, string>> });

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

type Given<S, V> = S extends { readonly default: unknown } | { readonly required: true } ? V : V | undefined;

export type FlagValue<S extends FlagSpec> = S extends { readonly type: "string" }
	? Given<S, string>
	: S extends { readonly type: "boolean" }
		? boolean
		: S extends { readonly type: "integer" | "number" | "duration" }
			? Given<S, number>
			: S extends { readonly type: "list" }
				? readonly string[]
				: Readonly<Record<string, string>>;

export type FlagValues<T extends FlagSpecs> = { readonly [K in keyof T]: FlagValue<T[K]> };

export interface CommandSpec<T extends FlagSpecs> {
	/** As typed: "barque store". */
	readonly name: string;
	/** What it does, in a line or a short paragraph. */
	readonly summary: string;
	readonly flags: T;
	readonly examples?: readonly string[];
	/** Name and help of each positional argument; the last may repeat ("FILE..."). Absent: positionals are refused. */
	readonly positionals?: string;
	/** Prefixes of environment variables (`ETCD_` gives ETCD_DATA_DIR for data-dir); the first found counts, flags win. */
	readonly env?: readonly string[];
}

export interface ParsedFlags<T extends FlagSpecs> {
	readonly values: FlagValues<T>;
	readonly positionals: readonly string[];
	/** Names of flags given on the command line or by the environment. */
	readonly given: ReadonlySet<string>;
}

/** What is wrong with the command line, naming the flag and the value. Exit code 2. */
export class FlagError extends Error {
	override name = "FlagError";
}

/** Go's `time.ParseDuration`, in ms; undefined when malformed. */
export function parseDuration(text: string): number | undefined {
	try {
		return readDuration(text);
	} catch {
		return undefined;
	}
}

/** Go's `Duration.String` for whole milliseconds and above: "1h30m0s", "100ms". */
export function formatDuration(ms: number): string {
	if (ms === 0) return "0s";
	if (Math.abs(ms) < 1000) return `${ms}ms`;
	const sign = ms < 0 ? "-" : "";
	const all = Math.abs(ms) / 1000;
	const hours = Math.floor(all / 3600);
	const minutes = Math.floor((all % 3600) / 60);
	const seconds = Number((all % 60).toFixed(3));
	return `${sign}${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}

const truths: Readonly<Record<string, boolean>> = {
	"1": true,
	t: true,
	T: true,
	true: true,
	TRUE: true,
	True: true,
	"0": false,
	f: false,
	F: false,
	false: false,
	FALSE: false,
	False: false,
};

type Raw = string | boolean | number | readonly string[] | Readonly<Record<string, string>>;

function malformed(flag: string, text: string, why: string): FlagError {
	return new FlagError(`invalid argument ${JSON.stringify(text)} for "--${flag}": ${why}`);
}

function parseNumber(flag: string, spec: FlagSpec & { type: "integer" | "number" }, text: string): number {
	const value = text.trim() === "" ? Number.NaN : Number(text);
	if (spec.type === "integer" ? !Number.isSafeInteger(value) : !Number.isFinite(value)) {
		throw malformed(flag, text, spec.type === "integer" ? "must be an integer" : "must be a number");
	}
	if (spec.min !== undefined && value < spec.min) throw malformed(flag, text, `must be at least ${spec.min}`);
	if (spec.max !== undefined && value > spec.max) throw malformed(flag, text, `must be at most ${spec.max}`);
	return value;
}

function parseList(flag: string, choices: readonly string[] | undefined, text: string): string[] {
	const items = text
		.split(",")
		.map((item) => item.trim())
		.filter((item) => item !== "");
	for (const item of items) {
		if (choices !== undefined && !choices.includes(item))
			throw malformed(flag, item, `must be of ${choices.join(", ")}`);
	}
	return items;
}

function parsePairs(flag: string, text: string): Record<string, string> {
	const pairs: Record<string, string> = {};
	for (const item of parseList(flag, undefined, text)) {
		const at = item.indexOf("=");
		if (at <= 0) throw malformed(flag, item, "must be of the form key=value");
		pairs[item.slice(0, at)] = item.slice(at + 1);
	}
	return pairs;
}

function parseValue(flag: string, spec: FlagSpec, text: string, before: Raw | undefined): Raw {
	switch (spec.type) {
		case "string":
			if (spec.choices !== undefined && !spec.choices.includes(text)) {
				throw malformed(flag, text, `must be one of ${spec.choices.join(", ")}`);
			}
			return text;
		case "boolean": {
			const value = truths[text];
			if (value === undefined) throw malformed(flag, text, "must be true or false");
			return value;
		}
		case "integer":
		case "number":
			return parseNumber(flag, spec, text);
		case "duration": {
			const value = parseDuration(text);
			if (value === undefined) throw malformed(flag, text, 'must be a duration such as "30s" or "1h30m"');
			return value;
		}
		case "list":
			return [...((before as readonly string[] | undefined) ?? []), ...parseList(flag, spec.choices, text)];
		case "map":
			return { ...(before as Record<string, string> | undefined), ...parsePairs(flag, text) };
	}
}

interface Token {
	readonly flag: string;
	readonly spec: FlagSpec;
	readonly text: string;
}

function closest(name: string, names: readonly string[]): string | undefined {
	const near = names.filter((other) => other.startsWith(name) || name.startsWith(other) || distance(name, other) <= 2);
	return near.sort((a, b) => distance(name, a) - distance(name, b))[0];
}

function distance(a: string, b: string): number {
	let row = Array.from({ length: b.length + 1 }, (_, i) => i);
	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
		}
		row = next;
	}
	return row[b.length] ?? 0;
}

/** Go's `-flag` as `--flag`; what is the value of the flag before it stays as it is. */
function withTwoDashes(flags: FlagSpecs, argv: readonly string[]): string[] {
	const end = argv.indexOf("--");
	let isValue = false;
	return argv.map((arg, i) => {
		if (isValue || (end !== -1 && i >= end)) {
			isValue = false;
			return arg;
		}
		const name = arg.replace(/^--?/, "");
		const spec = name !== arg && Object.hasOwn(flags, name) ? flags[name] : undefined;
		isValue = spec !== undefined && spec.type !== "boolean";
		return /^-[^-]/.test(arg) ? `-${arg}` : arg;
	});
}

function unknownFlag(name: string, flags: FlagSpecs): FlagError {
	const near = closest(name, Object.keys(flags));
	return new FlagError(`unknown flag: --${name}${near === undefined ? "" : ` (did you mean --${near}?)`}`);
}

function tokenize(
	flags: FlagSpecs,
	argv: readonly string[],
): { tokens: Token[]; positionals: string[]; help: boolean } {
	const types = Object.entries(flags).map(([name, { type }]) => [name, type === "boolean" ? type : "string"] as const);
	const { tokens: parsed } = parseArgs({
		args: withTwoDashes(flags, argv),
		options: Object.fromEntries(types.map(([name, type]) => [name, { type }])),
		// What is wrong is told below, in Go's words and with the flag that was meant.
		strict: false,
		allowPositionals: true,
		tokens: true,
	});
	const tokens: Token[] = [];
	const positionals: string[] = [];
	for (const token of parsed) {
		if (token.kind === "positional") positionals.push(token.value);
		else if (token.kind === "option") {
			const { name, value } = token;
			const spec = Object.hasOwn(flags, name) ? flags[name] : undefined;
			if (spec === undefined) {
				if ((name === "help" || name === "h") && value === undefined) return { tokens, positionals, help: true };
				throw unknownFlag(name, flags);
			}
			if (value === undefined && spec.type !== "boolean") throw new FlagError(`flag needs an argument: --${name}`);
			tokens.push({ flag: name, spec, text: value ?? "true" });
		}
	}
	return { tokens, positionals, help: false };
}

function fromEnvironment(
	flag: string,
	prefixes: readonly string[],
	env: Readonly<Record<string, string | undefined>>,
): string | undefined {
	for (const prefix of prefixes) {
		const text = env[prefix + flag.toUpperCase().replaceAll("-", "_").replaceAll(".", "_")];
		if (text !== undefined && text !== "") return text;
	}
	return undefined;
}

function fallback(spec: FlagSpec): Raw | undefined {
	if (spec.default !== undefined) return spec.default;
	if (spec.type === "boolean") return false;
	if (spec.type === "list") return [];
	return spec.type === "map" ? {} : undefined;
}

/** Undefined when help was asked for. Throws FlagError. */
export function parseFlags<const T extends FlagSpecs>(
	command: CommandSpec<T>,
	argv: readonly string[],
	env: Readonly<Record<string, string | undefined>> = {},
): ParsedFlags<T> | undefined {
	const { tokens, positionals, help } = tokenize(command.flags, argv);
	if (help) return undefined;
	if (positionals.length > 0 && command.positionals === undefined) {
		throw new FlagError(`unexpected argument ${JSON.stringify(positionals[0])}`);
	}
	const found: Record<string, Raw> = {};
	for (const { flag, spec, text } of tokens) found[flag] = parseValue(flag, spec, text, found[flag]);
	for (const [flag, spec] of Object.entries(command.flags)) {
		const text = found[flag] === undefined ? fromEnvironment(flag, command.env ?? [], env) : undefined;
		if (text !== undefined) found[flag] = parseValue(flag, spec, text, undefined);
	}
	const given = new Set(Object.keys(found));
	for (const [flag, spec] of Object.entries(command.flags)) {
		if (found[flag] !== undefined) continue;
		if ("required" in spec && spec.required === true) throw new FlagError(`required flag "--${flag}" not set`);
		const value = fallback(spec);
		if (value !== undefined) found[flag] = value;
	}
	return { values: found as FlagValues<T>, positionals, given };
}

function shownDefault(spec: FlagSpec): string {
	const value = spec.default;
	if (value === undefined || value === "" || value === false) return "";
	if (spec.type === "duration") return formatDuration(value as number);
	if (Array.isArray(value)) return value.join(",");
	if (typeof value === "object") {
		return Object.entries(value)
			.map(([k, v]) => `${k}=${v}`)
			.join(",");
	}
	return String(value);
}

function flagHelp(name: string, spec: FlagSpec): string {
	const placeholder = spec.placeholder ?? (spec.type === "map" ? "key=value,..." : spec.type);
	const head = `  --${name}${spec.type === "boolean" ? "" : ` ${placeholder}`}`;
	const choices = "choices" in spec && spec.choices !== undefined ? ` One of: ${spec.choices.join(", ")}.` : "";
	const shown = shownDefault(spec);
	const text = `${spec.help}${choices}${shown === "" ? "" : ` (default ${shown})`}`;
	return `${head}\n${text
		.split("\n")
		.map((line) => `        ${line}`)
		.join("\n")}`;
}

/** The text of `--help`: usage, flags by group, examples. */
export function renderHelp<T extends FlagSpecs>(command: CommandSpec<T>): string {
	const groups = new Map<string, string[]>();
	for (const [name, spec] of Object.entries(command.flags)) {
		if (spec.hidden === true) continue;
		const group = spec.group ?? "Flags";
		const lines = groups.get(group) ?? [];
		lines.push(flagHelp(name, spec));
		groups.set(group, lines);
	}
	const sections = [
		`${command.summary}`,
		`Usage:\n  ${command.name} [flags]${command.positionals ? ` ${command.positionals}` : ""}`,
	];
	for (const [group, lines] of groups) sections.push(`${group}:\n${lines.join("\n")}`);
	if (command.env !== undefined && command.env.length > 0) {
		const shape = command.env.map((prefix) => `${prefix}FLAG_NAME`).join(" or ");
		sections.push(`Environment:\n  ${shape} stands for an absent --flag-name.`);
	}
	if (command.examples !== undefined)
		sections.push(`Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`);
	return `${sections.join("\n\n")}\n`;
}

export interface FlagsIo {
	readonly env?: Readonly<Record<string, string | undefined>>;
	readonly stdout?: (text: string) => void;
	readonly stderr?: (text: string) => void;
}

/**
 * Parses, or prints what the user needs to know and gives the exit code: 0 after `--help`, 2 after a wrong command line.
 * Usage: `const flags = parseCommand(spec, argv); if ("exit" in flags) return flags.exit;`
 */
export function parseCommand<const T extends FlagSpecs>(
	command: CommandSpec<T>,
	argv: readonly string[],
	io: FlagsIo = {},
): ParsedFlags<T> | { readonly exit: number } {
	const stdout = io.stdout ?? ((text: string) => void process.stdout.write(text));
	const stderr = io.stderr ?? ((text: string) => void process.stderr.write(text));
	try {
		const parsed = parseFlags(command, argv, io.env ?? process.env);
		if (parsed !== undefined) return parsed;
		stdout(renderHelp(command));
		return { exit: 0 };
	} catch (error) {
		if (!(error instanceof FlagError)) throw error;
		stderr(`Error: ${error.message}\nSee "${command.name} --help" for usage.\n`);
		return { exit: 2 };
	}
}
