/**
 * Free ports on loopback. Before a part listens on its port, and while it is dead, another cluster that starts on this
 * machine could choose the same; so a port is claimed by listening on it at an address that nothing else uses.
 */

import { randomInt } from "node:crypto";
import net from "node:net";
import { append } from "../kit/lists.ts";

const host = "127.0.0.1";
/** All of 127.0.0.0/8 is loopback on Linux; elsewhere it is mostly one address, and ports are not claimed. */
const claimHost = "127.255.255.254";
/** Below the range from which systems take ports for outgoing connections, so that a dead part's port stays free for its revival. */
const floor = 20_000;
const ceiling = 30_000;
/** That may fail before there seem to be no free ports. */
const failures = 200;

/** By owner; each listens until it is released, and keeps no process alive. */
const claims = new Map<string, net.Server[]>();

/** The server that listens there; undefined: the port is taken; "unavailable": this machine has no such address. */
function listen(port: number, address: string): Promise<net.Server | "unavailable" | undefined> {
	return new Promise((resolve) => {
		const server = net.createServer((socket) => socket.destroy());
		server.once("error", (error: NodeJS.ErrnoException) =>
			resolve(error.code === "EADDRNOTAVAIL" ? "unavailable" : undefined),
		);
		server.listen({ port, host: address, exclusive: true }, () => resolve(server.unref()));
	});
}

/** Whether it was free, and is now kept for the owner. */
export async function claimPort(owner: string, port: number): Promise<boolean> {
	const claim = await listen(port, claimHost);
	if (claim === undefined) return false;
	const probe = await listen(port, host);
	const free = probe instanceof net.Server;
	if (free) await new Promise((resolve) => probe.close(resolve));
	if (claim === "unavailable") return free;
	if (free) claims.set(owner, [...(claims.get(owner) ?? []), claim]);
	else claim.close();
	return free;
}

/** `count` distinct free ports, kept for the owner until `releasePorts`; consecutive ones where `block`. Throws when there are none. */
export async function claimFreePorts(owner: string, count: number, block: boolean): Promise<number[]> {
	const mine: number[] = [];
	for (let failed = 0; failed < failures; ) {
		const first = randomInt(floor, ceiling - count);
		const ports = block ? Array.from({ length: count }, (_, i) => first + i) : [first];
		const free: boolean[] = [];
		for (const port of ports) free.push(await claimPort(owner, port));
		if (free.includes(false)) {
			failed++;
			continue;
		}
		append(mine, ports);
		if (mine.length >= count) return mine;
	}
	throw new Error(`no ${count} free ports found between ${floor} and ${ceiling} on ${host}`);
}

/** The owner needs its ports no more. */
export function releasePorts(owner: string): void {
	for (const claim of claims.get(owner) ?? []) claim.close();
	claims.delete(owner);
}
