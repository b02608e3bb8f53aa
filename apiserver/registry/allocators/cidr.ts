/** The addresses of an IPv4 range as offsets; the network's own and the broadcast address are not handed out. */
import net from "node:net";

export interface Cidr {
	/** Canonical: `10.96.0.0/16`. */
	readonly text: string;
	/** Addresses that can be handed out. */
	readonly size: number;
	address(offset: number): string;
	/** Undefined: not an address of the range that can be handed out. */
	offset(address: string): number | undefined;
}

/** At most this many addresses of a range are used, as upstream bounds its bitmap. */
const maxSize = 1 << 20;

const toNumber = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toText = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

/** Throws Error for what is no IPv4 range of at least four addresses. */
export function parseCidr(text: string): Cidr {
	const [ip = "", bitsText = ""] = text.split("/");
	const bits = Number(bitsText);
	if (!net.isIPv4(ip) || !/^\d+$/.test(bitsText) || bits > 30) {
		throw new Error(`invalid CIDR ${JSON.stringify(text)}: an IPv4 range such as 10.96.0.0/16 is needed`);
	}
	const span = 2 ** (32 - bits);
	const base = Math.floor(toNumber(ip) / span) * span;
	const size = Math.min(span - 2, maxSize);
	return {
		text: `${toText(base)}/${bits}`,
		size,
		address: (offset) => toText(base + 1 + offset),
		offset(address) {
			if (!net.isIPv4(address)) return undefined;
			const offset = toNumber(address) - base - 1;
			return offset >= 0 && offset < size ? offset : undefined;
		},
	};
}
