/** Structured logging: one JSON object a line on standard error, or readable text on a terminal. Never pass secrets. */
export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
	debug(message: string, fields?: Fields): void;
	info(message: string, fields?: Fields): void;
	warn(message: string, fields?: Fields): void;
	error(message: string, fields?: Fields): void;
	/** A logger that adds `fields` to every line. */
	with(fields: Fields): Logger;
}

const severity: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

function printable(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") return value.toString(16);
	if (value instanceof Error) return value.message;
	return value;
}

export interface LoggerOptions {
	readonly level?: Level;
	readonly format?: "json" | "text";
	readonly write?: (line: string) => void;
	/** ms since the epoch, for the line's time. */
	readonly now?: () => number;
}

export function createLogger(options: LoggerOptions = {}, bound: Fields = {}): Logger {
	const floor = severity[options.level ?? "info"];
	const write = options.write ?? ((line: string) => void process.stderr.write(line));
	const now = options.now ?? (() => Date.now());
	const emit = (level: Level, message: string, fields?: Fields) => {
		if (severity[level] < floor) return;
		const time = new Date(now()).toISOString();
		if (options.format === "text") {
			const rest = Object.entries({ ...bound, ...fields }).map(([k, v]) => ` ${k}=${JSON.stringify(v, printable)}`);
			write(`${time} ${level.toUpperCase()} ${message}${rest.join("")}\n`);
		} else {
			write(`${JSON.stringify({ ts: time, level, msg: message, ...bound, ...fields }, printable)}\n`);
		}
	};
	return {
		debug: (message, fields) => emit("debug", message, fields),
		info: (message, fields) => emit("info", message, fields),
		warn: (message, fields) => emit("warn", message, fields),
		error: (message, fields) => emit("error", message, fields),
		with: (fields) => createLogger(options, { ...bound, ...fields }),
	};
}

export const silentLogger: Logger = createLogger({ write: () => {} });
