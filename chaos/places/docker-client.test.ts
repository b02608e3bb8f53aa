import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../cluster/launcher.ts";
import { connectDocker, type Testcontainers } from "./docker-client.ts";

describe("a Docker engine", () => {
	let before: string | undefined;
	beforeEach(() => {
		before = process.env["DOCKER_HOST"];
	});
	afterEach(() => {
		if (before === undefined) delete process.env["DOCKER_HOST"];
		else process.env["DOCKER_HOST"] = before;
	});

	it("is the wanted one, or it is an error; an empty DOCKER_HOST wants none", async () => {
		const modem = { socketPath: "/run/one.sock" };
		const testcontainers = {
			getContainerRuntimeClient: async () => ({ container: { dockerode: { modem } } }),
		} as unknown as Testcontainers;
		for (const host of ["unix:///run/one.sock", ""]) {
			process.env["DOCKER_HOST"] = host;
			assert.equal((await connectDocker(testcontainers)).modem, modem);
		}
		for (const host of ["unix:///run/other.sock", "tcp://127.0.0.1:2375", "nonsense"]) {
			process.env["DOCKER_HOST"] = host;
			await assert.rejects(connectDocker(testcontainers), /no Docker engine answers at DOCKER_HOST=/);
		}
	});

	it("is not asked for by a matrix without containers", async function () {
		this.timeout(30_000);
		const folder = await mkdtemp(path.join(tmpdir(), "barque-matrix-"));
		try {
			const without = ["--target", "etcd", "--etcd", "barque-no-such-program", "--nemesis", "kill"];
			const inNamespaces = ["--target", "netns", "--system", "etcd", "--etcd", "barque-no-such-program"];
			for (const flags of [without, [...inNamespaces, "--nemesis", "isolate", "--sample", "1"]]) {
				const args = [launcher, "chaos", ...flags, "--matrix", path.join(folder, "results.jsonl")];
				const env = { ...process.env, DOCKER_HOST: `unix://${folder}/none.sock` };
				const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"], env });
				let output = "";
				child.stderr.on("data", (chunk: Buffer) => {
					output += chunk.toString();
				});
				await once(child, "close");
				assert.match(output, /^1 of \d+: /m);
				assert.doesNotMatch(output, /Docker/);
			}
		} finally {
			await rm(folder, { recursive: true });
		}
	});
});
