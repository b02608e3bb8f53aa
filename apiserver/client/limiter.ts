/** A token bucket over an injected clock, in client-go's terms: `qps` refill, `burst` capacity. */
import type { Clock } from "../../kit/clock.ts";

export interface TokenBucket {
	/** Takes a token now if one is there. */
	tryTake(): boolean;
	/** Takes a token, now or in the future; gives the ms to wait before acting on it. */
	reserve(): number;
}

export function createTokenBucket(clock: Clock, qps: number, burst: number): TokenBucket {
	let tokens = burst;
	let last = clock.monotonic();
	const refill = () => {
		const now = clock.monotonic();
		tokens = Math.min(burst, tokens + ((now - last) * qps) / 1000);
		last = now;
	};
	return {
		tryTake() {
			refill();
			if (tokens < 1) return false;
			tokens -= 1;
			return true;
		},
		reserve() {
			refill();
			tokens -= 1;
			return tokens >= 0 ? 0 : (-tokens * 1000) / qps;
		},
	};
}
