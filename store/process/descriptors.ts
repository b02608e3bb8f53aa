/** How a member's descriptors are shared out: its log and engine come first, then the other members, then clients. */
import { descriptorLimit } from "../../kit/descriptors.ts";

export interface DescriptorShares {
	/** Files of the engine that may be open at once. */
	readonly engineFiles: number;
	/** Connections that other members make to this one. */
	readonly peers: number;
	/** Connections of clients, over all listeners. */
	readonly clients: number;
}

/** LevelDB takes no smaller number. */
const leastEngineFiles = 74;
const mostEngineFiles = 1000;
/** Runtime, listeners, log segments, snapshots on their way in and out, the engine's own log and manifest. */
const own = 48;
/** A member has three connections from each other one, and dials as many. */
const leastPeers = 24;
const mostPeers = 256;
const mostClients = 20_000;
/** Below this a member is of no use, and says so by closing what comes too much. */
const leastClients = 8;

export function shareDescriptors(limit: number = descriptorLimit()): DescriptorShares {
	const clamp = (least: number, value: number, most: number) => Math.max(least, Math.min(Math.floor(value), most));
	const engineFiles = clamp(leastEngineFiles, limit / 4, mostEngineFiles);
	const peers = clamp(leastPeers, limit / 16, mostPeers);
	// As many links go out as come in.
	const clients = clamp(leastClients, limit - own - engineFiles - 2 * peers, mostClients);
	return { engineFiles, peers, clients };
}
