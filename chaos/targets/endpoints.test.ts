import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type EndpointOptions, endpointMembers } from "./endpoints.ts";

const [first, second] = ["http://127.0.0.1:1", "http://127.0.0.1:2"] as const;

describe("endpoints of others", () => {
	let folder: string;
	let log: string;

	beforeEach(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-endpoints-"));
		log = path.join(folder, "log");
	});
	afterEach(() => rm(folder, { recursive: true }));

	const options = (more: Partial<EndpointOptions> = {}): EndpointOptions => ({
		endpoints: [first, second],
		api: "etcd",
		prefix: "barque-chaos/test/",
		requestTimeoutMs: 1000,
		serializableReads: false,
		killHook: `echo kill $BARQUE_CHAOS_ENDPOINT >> ${log}`,
		startHook: `echo start $BARQUE_CHAOS_ENDPOINT >> ${log}`,
		...more,
	});
	const logged = async () => (await readFile(log, "utf8")).trimEnd().split("\n");

	it("are killed and started by their hooks, and not left dead in the end", async () => {
		const members = endpointMembers(options());
		await members.kill(first);
		await members.start(first);
		await members.kill(second);
		await Promise.all([members.close(), members.close()]);
		assert.deepEqual(await logged(), [`kill ${first}`, `start ${first}`, `kill ${second}`, `start ${second}`]);
	});

	it("are started again in the end though their kill hook failed, which may have killed all the same", async () => {
		const members = endpointMembers(options({ killHook: `echo kill >> ${log}; exit 7` }));
		await assert.rejects(members.kill(first), /--kill-hook for http:\/\/127\.0\.0\.1:1 ended with 7/);
		await members.close();
		assert.deepEqual(await logged(), ["kill", `start ${first}`]);
	});

	it("are not left dead by a run that is interrupted", async () => {
		const source = `import { endpointMembers } from ${JSON.stringify(path.join(import.meta.dirname, "endpoints.ts"))};
			const members = endpointMembers(${JSON.stringify(options())});
			await members.kill(${JSON.stringify(first)});
			console.log("killed");
			setInterval(() => {}, 1000);`;
		const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
			stdio: ["ignore", "pipe", "ignore"],
		});
		await once(child.stdout!, "data");
		child.kill("SIGINT");
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.deepEqual(await logged(), [`kill ${first}`, `start ${first}`]);
	});

	it("say which hook takes too long", async () => {
		const members = endpointMembers(options({ startHook: "exec sleep 60", hookMs: 50 }));
		await assert.rejects(members.start(first), /--start-hook for http:\/\/127\.0\.0\.1:1 took longer than 0\.05 s/);
		await members.close();
	});
});
