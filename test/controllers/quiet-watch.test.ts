/** A watch on which nothing happens must be seen to have begun: clients take a missing head for a dead server. */
import assert from "node:assert/strict";
import https from "node:https";
import { startApiserver } from "../../apiserver/server.ts";
import { silentLogger } from "../../kit/log.ts";
import { createAuthority } from "../../kit/pki.ts";
import { memoryStore } from "../../store/client/memory.ts";

describe("a quiet watch", () => {
	it("answers its head at once over HTTP/1.1", async () => {
		const ca = await createAuthority("test-ca");
		const pair = await ca.issue({ commonName: "apiserver", hosts: ["127.0.0.1"], usages: ["server"] });
		const admin = await ca.issue({ commonName: "admin", organizations: ["system:masters"], usages: ["client"] });
		const store = memoryStore();
		const address = { bindAddress: "127.0.0.1", securePort: 0, advertiseAddress: "192.0.2.1" };
		const apiserver = await startApiserver({
			store,
			...address,
			tlsCert: pair.cert,
			tlsKey: pair.key,
			clientCa: ca.cert,
			log: silentLogger,
		});
		await apiserver.started;
		const status = await new Promise<number | undefined>((resolve, reject) => {
			const path = "/api/v1/configmaps?watch=true&resourceVersion=0";
			const options = { host: "127.0.0.1", port: apiserver.port, path, ca: ca.cert, ...admin };
			const request = https.get(options, (response) => {
				resolve(response.statusCode);
				response.destroy();
			});
			request.setTimeout(5000, () => request.destroy(new Error("no head within 5 s")));
			request.on("error", reject);
		});
		assert.equal(status, 200);
		await apiserver.close();
		await store.close();
	});
});
