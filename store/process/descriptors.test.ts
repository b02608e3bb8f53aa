import assert from "node:assert/strict";
import { shareDescriptors } from "./descriptors.ts";

describe("store/process/descriptors", () => {
	it("leaves log, engine and members theirs at every limit, and takes no more than before at a high one", () => {
		for (const limit of [200, 256, 1024, 4096, 65_536, 1_048_576, Number.POSITIVE_INFINITY]) {
			const { engineFiles, peers, clients } = shareDescriptors(limit);
			assert.ok(48 + engineFiles + 2 * peers + clients <= limit, `${limit}`);
			assert.ok(clients >= 8);
		}
		assert.deepEqual(shareDescriptors(1_048_576), { engineFiles: 1000, peers: 256, clients: 20_000 });
		assert.deepEqual(shareDescriptors(200), { engineFiles: 74, peers: 24, clients: 30 });
	});
});
