/**
 * How work grows with its input: not by how long it takes, which is the machine's, but by how much longer twice the input
 * takes. Linear work doubles, quadratic work takes four times as long.
 */

/** Twice the input may take this many times as long: above noise and caches, below what quadratic work does. */
export const mostGrowth = 3;
/** A run below this is repeated within one measurement, ms. */
const shortest = 2;
const rounds = 8;

function time(run: () => unknown, repeats: number): number {
	const before = performance.now();
	for (let i = 0; i < repeats; i++) run();
	return (performance.now() - before) / repeats;
}

function growthAt<T>(make: (size: number) => T, run: (input: T) => unknown, size: number): number {
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
		if (round >= 1 && leastOfTwo / least < mostGrowth) break;
	}
	return leastOfTwo / least;
}

/**
 * The time of `run` on `make(2 * size)` divided by that on `make(size)`, each the best of several, taken in turns: what
 * else the machine does makes a run longer, never shorter. Something may change its ways at a size (a table that grows,
 * a cache that is full), so what grows too much is looked at again at four times the size; what is quadratic still is.
 */
export function growth<T>(make: (size: number) => T, run: (input: T) => unknown, size: number): number {
	const found = growthAt(make, run, size);
	return found < mostGrowth ? found : Math.min(found, growthAt(make, run, 4 * size));
}
