import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { ConnectionLimit, descriptorLimit, readDescriptorLimit } from "./descriptors.ts";
import { silentLogger } from "./log.ts";

class FakeSocket extends EventEmitter {
	static #next = 1;
	readonly remotePort = FakeSocket.#next++;
	destroyed = false;
	destroy(): void {
		this.destroyed = true;
		this.emit("close");
	}
}
const sockets = (count: number) => Array.from({ length: count }, () => new FakeSocket());
const as = (socket: FakeSocket | undefined) => socket as unknown as Socket;

describe("descriptors", () => {
	it("their limit is read from the system's words", () => {
		const line = (soft: string) =>
			`Max processes 1 1 p\nMax open files            ${soft}                524288  files\n`;
		assert.equal(readDescriptorLimit(line("200")), 200);
		assert.equal(readDescriptorLimit(line("unlimited")), Number.POSITIVE_INFINITY);
		assert.equal(readDescriptorLimit("Max cpu time 1"), undefined);
		assert.ok(descriptorLimit() > 0);
	});

	it("a connection beyond the limit takes the place of the oldest that asked nothing, else none", () => {
		const limit = new ConnectionLimit({ most: 2, name: "clients", logger: silentLogger });
		const [a, b, c, d] = sockets(4);
		for (const socket of [a, b]) assert.ok(limit.enter(as(socket)));
		limit.asked(as(a));
		assert.ok(limit.enter(as(c)));
		assert.deepEqual([a?.destroyed, b?.destroyed, c?.destroyed], [false, true, false]);
		limit.asked(as(c));
		assert.equal(limit.enter(as(d)), false);
		assert.equal(d?.destroyed, true);
		a?.destroy();
		assert.equal(limit.open, 1);
		assert.ok(limit.enter(as(sockets(1)[0])));
		assert.equal(limit.refused, 2);
	});
});
