/**
 * Resources that a process or its machine can run out of: reported with a remedy, and never mistaken for damaged data.
 */
import { descriptorLimit } from "./descriptors.ts";
import type { Logger } from "./log.ts";

export interface Shortage {
	/** Whom it concerns. */
	readonly of: "descriptors" | "space";
	/** As the system says it, with the limit where it is the process's own. */
	readonly what: string;
	readonly remedy: string;
}

const nothingLost = "nothing that was acknowledged is lost";
const makeRoom = `make room there and start it again: ${nothingLost}`;

/** By the system's code; its words, which the engine and the runtime pass on without the code, find it as well. */
const shortages: readonly { readonly code: string; readonly words: RegExp; readonly shortage: () => Shortage }[] = [
	{
		code: "ENOSPC",
		words: /no space left on device/i,
		shortage: () => ({ of: "space", what: "no space left on device", remedy: makeRoom }),
	},
	{
		code: "EDQUOT",
		words: /disk quota exceeded/i,
		shortage: () => ({ of: "space", what: "disk quota exceeded", remedy: makeRoom }),
	},
	{
		code: "ENFILE",
		words: /too many open files in system/i,
		shortage: () => ({
			of: "descriptors",
			what: "too many open files in the whole system",
			remedy: `raise the system's limit (fs.file-max) and start it again: ${nothingLost}`,
		}),
	},
	{
		code: "EMFILE",
		words: /too many open files/i,
		shortage: () => ({
			of: "descriptors",
			what: `too many open files: limit ${descriptorLimit()}`,
			remedy: `raise the limit (ulimit -n, LimitNOFILE) and start it again: ${nothingLost}`,
		}),
	},
];

/** Causes looked through: an error may have itself for its cause. */
const mostCauses = 8;

/** What ran out, by an error or one of its causes; undefined: something else is wrong. */
export function shortageOf(error: unknown): Shortage | undefined {
	let at: unknown = error;
	for (let depth = 0; depth < mostCauses && at instanceof Error; depth++) {
		const { code, message, cause } = at as Error & { readonly code?: unknown };
		const found = shortages.find((one) => code === one.code || message.includes(one.code) || one.words.test(message));
		if (found !== undefined) return found.shortage();
		at = cause;
	}
	return undefined;
}

/** How often a listener that cannot accept says so, ms. */
const sayEveryMs = 10_000;

/**
 * A handler for the errors of a listening server: a connection that cannot be accepted ends nothing, and as many may come as
 * clients try, so it is said once in a while. `name` is what listens. `now` gives ms and never goes back.
 */
export function acceptErrors(
	logger: Logger,
	name: string,
	now: () => number = () => performance.now(),
): (error: Error) => void {
	let said = Number.NEGATIVE_INFINITY;
	let unsaid = 0;
	return (error) => {
		if (now() - said < sayEveryMs) {
			unsaid++;
			return;
		}
		said = now();
		const shortage = shortageOf(error);
		const more = unsaid === 0 ? {} : { "since-last": unsaid };
		unsaid = 0;
		if (shortage === undefined) logger.error(`${name}: listener failed`, { error, ...more });
		else logger.error(`${name}: cannot accept connections: ${shortage.what}`, { error, ...more });
	};
}
