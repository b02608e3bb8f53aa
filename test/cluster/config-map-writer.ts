/** A client that creates and updates ConfigMaps through the balancer and remembers what was acknowledged. */
import { configMaps } from "../../apiserver/client/resources.ts";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import type { ConfigMap } from "../../apiserver/scheme/types.gen.ts";

/** What is known of one ConfigMap. Its counter only grows: one writer owns it. */
export interface Known {
	/** The highest counter whose write was acknowledged; -1: not even its creation was. */
	acknowledged: number;
	/** The highest counter that was ever sent. */
	attempted: number;
}

export interface WriterReport {
	readonly known: ReadonlyMap<string, Known>;
	readonly acknowledged: number;
	readonly failed: number;
	/** The longest time between two acknowledged writes, ms. */
	readonly longestGapMs: number;
}

/** An answer that tells "not now": the write may be sent again. */
const isRefusal = (error: unknown) => error instanceof ApiError && [429, 500, 503, 504].includes(error.code);

export class ConfigMapWriter {
	readonly #client: ApiClient;
	readonly #namespace: string;
	readonly #prefix: string;
	readonly #names: number;
	readonly #known = new Map<string, Known>();
	#stopped = false;
	#acknowledged = 0;
	#failed = 0;
	#lastAckAt = 0;
	#longestGapMs = 0;
	#done: Promise<void> | undefined;

	constructor(
		client: ApiClient,
		options: { readonly namespace: string; readonly prefix: string; readonly names: number },
	) {
		this.#client = client;
		this.#namespace = options.namespace;
		this.#prefix = options.prefix;
		this.#names = options.names;
	}

	get acknowledged(): number {
		return this.#acknowledged;
	}

	start(): void {
		this.#lastAckAt = performance.now();
		this.#done = this.#run();
	}

	async stop(): Promise<WriterReport> {
		this.#stopped = true;
		await this.#done;
		this.#noteGap();
		return {
			known: this.#known,
			acknowledged: this.#acknowledged,
			failed: this.#failed,
			longestGapMs: this.#longestGapMs,
		};
	}

	#noteGap(): void {
		const now = performance.now();
		this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAckAt);
		this.#lastAckAt = now;
	}

	async #run(): Promise<void> {
		for (let counter = 0; !this.#stopped; counter++) {
			const name = `${this.#prefix}-${counter % this.#names}`;
			const known = this.#known.get(name) ?? { acknowledged: -1, attempted: -1 };
			this.#known.set(name, known);
			const isFirst = known.attempted === -1;
			known.attempted = counter;
			try {
				await this.#write(name, counter, known, isFirst);
				known.acknowledged = counter;
				this.#acknowledged++;
				this.#noteGap();
			} catch (error) {
				if (!(error instanceof ConnectionError || isRefusal(error))) throw error;
				this.#failed++;
			}
		}
	}

	/** One write, sent once more after a connection error. */
	async #write(name: string, counter: number, known: Known, isFirst: boolean): Promise<void> {
		try {
			await this.#send(name, counter, known, isFirst);
		} catch (error) {
			if (!(error instanceof ConnectionError)) throw error;
			await this.#send(name, counter, known, false);
		}
	}

	async #send(name: string, counter: number, known: Known, isFirst: boolean): Promise<void> {
		const api = this.#client.resource<ConfigMap>(configMaps);
		const data = { counter: String(counter) };
		if (known.acknowledged >= 0) {
			await api.patch(this.#namespace, name, "merge", { data });
			return;
		}
		try {
			await api.create(this.#namespace, { metadata: { name }, data });
		} catch (error) {
			// An earlier attempt of ours was applied although its answer was lost.
			if (!(error instanceof ApiError && error.code === 409 && !isFirst)) throw error;
			await api.patch(this.#namespace, name, "merge", { data });
		}
	}
}

/** What is wrong with a replica's list: an acknowledged write missing or older than acknowledged, or a value never written. */
export function findLost(report: WriterReport, items: ReadonlyArray<ConfigMap>): string[] {
	const seen = new Map(items.map((item) => [item.metadata?.name ?? "", Number(item.data?.["counter"])]));
	const problems: string[] = [];
	for (const [name, known] of report.known) {
		if (known.acknowledged < 0) continue;
		const counter = seen.get(name);
		if (counter === undefined) problems.push(`${name}: acknowledged with ${known.acknowledged}, missing`);
		else if (counter < known.acknowledged)
			problems.push(`${name}: acknowledged ${known.acknowledged}, found ${counter}`);
		else if (counter > known.attempted)
			problems.push(`${name}: found ${counter}, only ${known.attempted} was ever sent`);
	}
	return problems;
}
