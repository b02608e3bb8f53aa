/** Randomness as a dependency, so that a run replays from its seed. */
import { randomFillSync } from "node:crypto";

export interface Random {
	/** Uniform in [0, 1). */
	float(): number;
	/** Uniform integer in [0, bound). */
	int(bound: number): number;
	bytes(length: number): Buffer;
}

export const systemRandom: Random = {
	float: () => Math.random(),
	int: (bound) => Math.floor(Math.random() * bound),
	bytes: (length) => randomFillSync(Buffer.allocUnsafe(length)),
};

/** xoshiro128** seeded by splitmix32 (Blackman and Vigna): the same seed gives the same sequence on every machine. */
export function seededRandom(seed: number): Random {
	let s = seed >>> 0;
	const splitmix = () => {
		s = (s + 0x9e3779b9) | 0;
		let z = s ^ (s >>> 16);
		z = Math.imul(z, 0x21f0aaad);
		z ^= z >>> 15;
		z = Math.imul(z, 0x735a2d97);
		return (z ^ (z >>> 15)) >>> 0;
	};
	let a = splitmix();
	let b = splitmix();
	let c = splitmix();
	let d = splitmix();
	const next = () => {
		const r = Math.imul(b, 5);
		const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0;
		const t = b << 9;
		c ^= a;
		d ^= b;
		b ^= c;
		a ^= d;
		c ^= t;
		d = (d << 11) | (d >>> 21);
		return result;
	};
	return {
		float: () => next() / 2 ** 32,
		int: (bound) => Math.floor((next() / 2 ** 32) * bound),
		bytes(length) {
			const bytes = Buffer.allocUnsafe(length);
			for (let i = 0; i < length; i++) bytes[i] = next() & 0xff;
			return bytes;
		},
	};
}
