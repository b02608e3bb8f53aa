/** How much of its clients' requests the table of sessions remembers: chosen by who opens a session, and said in its entry. */
import type { Reader, Writer } from "./bytes.ts";

export interface SessionLimits {
	/** All sessions together, when this one is opened. */
	readonly maxSessions: number;
	/** All sessions together, when this one is opened or used. */
	readonly maxBytes: number;
	readonly maxAnswers: number;
	readonly maxSessionBytes: number;
}

/** Limits of sessions whose entry names none; fixed forever. */
export const defaultSessionLimits: SessionLimits = {
	maxSessions: 20_000,
	maxBytes: 64 * 2 ** 20,
	maxAnswers: 4096,
	maxSessionBytes: 2 ** 20,
};

export const sessionLimitsSize = 4 * 8;

export function writeSessionLimits(w: Writer, limits: SessionLimits): void {
	w.u53(limits.maxSessions);
	w.u53(limits.maxBytes);
	w.u53(limits.maxAnswers);
	w.u53(limits.maxSessionBytes);
}

export function readSessionLimits(r: Reader): SessionLimits {
	return { maxSessions: r.u53(), maxBytes: r.u53(), maxAnswers: r.u53(), maxSessionBytes: r.u53() };
}
