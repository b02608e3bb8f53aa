/** Latencies in buckets 1 % apart, from a microsecond to minutes: a fixed size however long the run. */
const base = Math.log(1.01);
const bucketCount = 2048;

export interface LatencySummary {
	readonly count: number;
	readonly meanMs: number;
	readonly p50Ms: number;
	readonly p90Ms: number;
	readonly p99Ms: number;
	readonly p999Ms: number;
	readonly maxMs: number;
}

export class Histogram {
	readonly #buckets = new Float64Array(bucketCount);
	#count = 0;
	#sum = 0;
	#max = 0;

	record(ms: number): void {
		const bucket = Math.min(bucketCount - 1, Math.max(0, Math.ceil(Math.log(Math.max(ms, 0.001) * 1000) / base)));
		this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
		this.#count++;
		this.#sum += ms;
		if (ms > this.#max) this.#max = ms;
	}

	get count(): number {
		return this.#count;
	}

	/** Upper edge of the bucket where the share `quantile` of all is reached, ms. */
	quantile(quantile: number): number {
		const wanted = Math.ceil(this.#count * quantile);
		let seen = 0;
		for (let i = 0; i < bucketCount; i++) {
			seen += this.#buckets[i] ?? 0;
			if (seen >= wanted) return Math.min(this.#max, Math.exp(i * base) / 1000);
		}
		return this.#max;
	}

	summary(): LatencySummary {
		return {
			count: this.#count,
			meanMs: this.#count === 0 ? 0 : this.#sum / this.#count,
			p50Ms: this.quantile(0.5),
			p90Ms: this.quantile(0.9),
			p99Ms: this.quantile(0.99),
			p999Ms: this.quantile(0.999),
			maxMs: this.#max,
		};
	}
}

export function renderLatency(summary: LatencySummary): string {
	const line = (name: string, ms: number) => `  ${name.padEnd(6)} ${ms.toFixed(3)} ms\n`;
	return (
		line("mean", summary.meanMs) +
		line("p50", summary.p50Ms) +
		line("p90", summary.p90Ms) +
		line("p99", summary.p99Ms) +
		line("p99.9", summary.p999Ms) +
		line("max", summary.maxMs)
	);
}
