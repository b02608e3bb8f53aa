import assert from "node:assert/strict";
import net from "node:net";
import { linuxOnly } from "../test/platform.ts";
import { claimFreePorts, claimPort, releasePorts } from "./ports.ts";

describe("cluster: ports", () => {
	const owners = ["a", "b"];
	afterEach(() => owners.forEach(releasePorts));

	it("are kept from others until they are released", async function () {
		linuxOnly(this, "has the address that claims ports");
		const [port = 0] = await claimFreePorts("a", 1, false);
		assert.equal(await claimPort("b", port), false);
		releasePorts("a");
		assert.equal(await claimPort("b", port), true);
	});

	it("can be listened on while they are claimed, and are not given when something listens", async () => {
		const [port = 0] = await claimFreePorts("a", 1, false);
		const server = net.createServer();
		await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
		releasePorts("a");
		assert.equal(await claimPort("b", port), false);
		await new Promise((resolve) => server.close(resolve));
		assert.equal(await claimPort("b", port), true);
	});

	it("come as blocks of consecutive ones, or one by one, never twice", async () => {
		const block = await claimFreePorts("a", 4, true);
		assert.deepEqual(
			block,
			block.map((_, i) => block[0]! + i),
		);
		const all = [...block, ...(await claimFreePorts("a", 300, false)), ...(await claimFreePorts("b", 300, false))];
		assert.equal(new Set(all).size, 604);
	});
});
