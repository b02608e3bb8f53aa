/** Pod addresses out of the node's range (a /24 under 127/8 for process containers: all of it is this machine's loopback). */

/** Hands out the addresses of an IPv4 range, each to one pod at a time. */
export class AddressPool {
	readonly #base: number;
	readonly #size: number;
	readonly #byUid = new Map<string, number>();
	readonly #taken = new Set<number>();
	#next = 1;

	/** `cidr`: `127.64.1.0/24`. Throws RangeError where it is malformed. */
	constructor(cidr: string) {
		const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
		const octets = match?.slice(1, 5).map(Number) ?? [];
		const bits = Number(match?.[5]);
		if (match === null || octets.some((octet) => octet > 255) || bits < 8 || bits > 30) {
			throw new RangeError(`--pod-cidr: ${JSON.stringify(cidr)} is not an IPv4 range of /8 to /30`);
		}
		this.#size = 2 ** (32 - bits);
		const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
		this.#base = address - (address % this.#size);
	}

	/** The uid's address, the same until released. Throws RangeError when all are taken. */
	acquire(uid: string): string {
		const known = this.#byUid.get(uid);
		if (known !== undefined) return this.#text(known);
		for (let tried = 1; tried < this.#size - 1; tried++) {
			const offset = this.#next;
			this.#next = this.#next + 1 >= this.#size - 1 ? 1 : this.#next + 1;
			if (this.#taken.has(offset)) continue;
			return this.#take(uid, offset);
		}
		throw new RangeError(`no free pod address: all ${this.#size - 2} are taken`);
	}

	/** Keeps an address that a pod has had before the kubelet's restart, where it is free and of this range. */
	reserve(uid: string, address: string): void {
		const number = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
		const offset = number - this.#base;
		if (offset > 0 && offset < this.#size - 1 && !this.#taken.has(offset) && !this.#byUid.has(uid))
			this.#take(uid, offset);
	}

	release(uid: string): void {
		const offset = this.#byUid.get(uid);
		if (offset === undefined) return;
		this.#byUid.delete(uid);
		this.#taken.delete(offset);
	}

	#take(uid: string, offset: number): string {
		this.#taken.add(offset);
		this.#byUid.set(uid, offset);
		return this.#text(offset);
	}

	#text(offset: number): string {
		const address = this.#base + offset;
		return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
	}
}
