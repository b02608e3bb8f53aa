/** How many requests are served at the same time; more are told to come again. */
import type { RequestInfo } from "./request-info.ts";

const readVerbs: ReadonlySet<string> = new Set(["get", "list", "watch", "head", "options"]);

export class InflightLimits {
	readonly #limits: { readonly readOnly: number; readonly mutating: number };
	readonly current = { readOnly: 0, mutating: 0 };

	/** 0: no limit. */
	constructor(limits: { readonly readOnly: number; readonly mutating: number }) {
		this.#limits = limits;
	}

	/** The way to give the place back, or undefined when all are taken. */
	enter(info: RequestInfo, exempt: boolean): (() => void) | undefined {
		const kind = readVerbs.has(info.verb) ? "readOnly" : "mutating";
		const limit = this.#limits[kind];
		if (!exempt && limit > 0 && this.current[kind] >= limit) return undefined;
		this.current[kind]++;
		let left = false;
		return () => {
			if (!left) this.current[kind]--;
			left = true;
		};
	}
}
