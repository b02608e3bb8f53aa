/** Watch events on the wire. The hub hands the same list to all watchers of a range, so it is packed once for all of them. */
import type { WatchEvent } from "../api.ts";
import { pack } from "../native/protocol.ts";
import { eventToWire } from "../native/wire.ts";

const packed = new WeakMap<readonly WatchEvent[], Buffer>();

export function packEvents(events: readonly WatchEvent[]): Buffer {
	let bytes = packed.get(events);
	if (bytes === undefined) {
		bytes = pack(events.map(eventToWire));
		packed.set(events, bytes);
	}
	return bytes;
}
