import assert from "node:assert/strict";
import { silentLogger } from "../kit/log.ts";
import { type Harness, startHarness } from "./testing/harness.ts";

describe("an apiserver that is told nothing of who may do what", () => {
	let h: Harness;
	const warned: string[] = [];
	const log = { ...silentLogger, warn: (message: string) => void warned.push(message), with: () => log };
	const start = async (options: Parameters<typeof startHarness>[0]) => {
		warned.length = 0;
		h = await startHarness({ log, ...options });
		return async (path: string) => (await h.call("GET", path, { as: h.anonymous() })).status;
	};
	afterEach(() => h.close());

	it("refuses secrets to anybody, and still says to anybody that it is ready", async () => {
		const anonymous = await start({ authorizationModes: undefined });
		assert.equal(await anonymous("/api/v1/secrets"), 403);
		assert.equal(await anonymous("/readyz"), 200);
		assert.equal((await h.call("GET", "/api/v1/secrets", { as: await h.client("somebody") })).status, 403);
	});

	it("takes no anonymous requests where everything is allowed, and says what is insecure", async () => {
		const anonymous = await start({ authorizationModes: ["AlwaysAllow"] });
		assert.equal(await anonymous("/api/v1/secrets"), 401);
		assert.match(warned.join("\n"), /^--authorization-mode has AlwaysAllow: /m);
		assert.match(warned.join("\n"), /^anonymous requests are not allowed with the AlwaysAllow authorizer/m);
		assert.match(warned.join("\n"), /^without --kubelet-certificate-authority /m);
	});

	it("warns of nothing that is in order", async () => {
		await start({ kubeletTls: { ca: undefined }, anonymousAuth: false });
		assert.deepEqual(warned, [
			"without --kubelet-certificate-authority kubelets are not verified: logs may come from anybody",
		]);
		await h.close();
		await start({ kubeletTls: { ca: h.authority.cert } });
		assert.deepEqual(warned, []);
	});
});
