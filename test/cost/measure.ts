/**
 * How work grows with its input: not by how long it takes, which is the machine's, but by how much longer twice the input
 * takes. Linear work doubles, quadratic work takes four times as long.
 */

/** Twice the input may take this many times as long: above noise and caches, below what quadratic work does. */
export const mostGrowth = 3;
/** A run below this is repeated within one measurement, ms. */
const shortest = 2;
const rounds = 8;
/** What takes so long is not looked at more often, nor at a larger size: no noise is as long, ms. */
const long = 200;

function time(run: () => unknown, repeats: number): number {
	const before = performance.now();
	for (let i = 0; i < repeats; i++) run();
	return (performance.now() - before) / repeats;
}

function growthAt<T>(
	make: (size: number) => T,
	run: (input: T) => unknown,
	size: number,
): { readonly ratio: number; readonly ms: number } {
	const [one, two] = [make(size), make(2 * size)];
	let [least, leastOfTwo] = [time(() => run(one), 1), Number.POSITIVE_INFINITY];
	const repeats = Math.min(200, Math.max(1, Math.ceil(shortest / least)));
	for (let round = 0; round < rounds; round++) {
		least = Math.min(
			least,
			time(() => run(one), repeats),
		);
		leastOfTwo = Math.min(
			leastOfTwo,
			time(() => run(two), repeats),
		);
		if (round >= 1 && (leastOfTwo / least < mostGrowth || leastOfTwo > long)) break;
	}
	return { ratio: leastOfTwo / least, ms: leastOfTwo };
}

/** Measurements that all have to show too much growth: a machine that is busy elsewhere disturbs one, quadratic work shows in each. */
const measurements = 4;

/**
 * The time of `run` on `make(2 * size)` divided by that on `make(size)`, each the best of several, taken in turns: what
 * else the machine does makes a run longer, never shorter. Something may change its ways at a size (a table that grows,
 * a cache that is full), so what grows too much is looked at again, every second time at four times the size.
 */
export function growth<T>(make: (size: number) => T, run: (input: T) => unknown, size: number): number {
	let least = Number.POSITIVE_INFINITY;
	for (let i = 0; i < measurements; i++) {
		const { ratio, ms } = growthAt(make, run, i % 2 === 0 ? size : 4 * size);
		least = Math.min(least, ratio);
		if (least < mostGrowth || ms > long) break;
	}
	return least;
}
