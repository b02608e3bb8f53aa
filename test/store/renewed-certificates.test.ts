/** Members and a client whose certificates end while they run, and are renewed before. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StoreProcesses } from "../../cluster/store-processes.ts";
import { type Authority, createAuthority, writeKeyPair } from "../../kit/pki.ts";
import { latestTls } from "../../kit/renewed.ts";

const lifetimeMs = 12_000;
const names = ["m1", "m2", "m3", "client"];

describe("store members with certificates that end", function () {
	this.timeout(120_000);
	let dir: string;
	let authority: Authority;

	const file = (name: string) => path.join(dir, name);
	const renewAll = async (ms: number) => {
		for (const name of names) {
			const request = { commonName: name, hosts: ["127.0.0.1"], days: ms / 86_400_000 };
			await writeKeyPair(dir, name, await authority.issue(request));
		}
	};
	const flags = (name: string) => [
		`--cert-file=${file(`${name}.crt`)}`,
		`--key-file=${file(`${name}.key`)}`,
		`--trusted-ca-file=${file("ca.crt")}`,
		"--client-cert-auth",
		`--peer-cert-file=${file(`${name}.crt`)}`,
		`--peer-key-file=${file(`${name}.key`)}`,
		`--peer-trusted-ca-file=${file("ca.crt")}`,
		"--peer-client-cert-auth",
	];

	before(async () => {
		dir = await mkdtemp(path.join(tmpdir(), "barque-certificates-"));
		authority = await createAuthority("members-ca");
		await writeFile(file("ca.crt"), authority.cert);
	});
	after(() => rm(dir, { recursive: true, force: true }));

	it("link, listen and connect with the renewed ones, without a restart", async () => {
		const began = performance.now();
		await renewAll(lifetimeMs);
		const latest = latestTls({ cert: file("client.crt"), key: file("client.key"), ca: file("ca.crt") }, (error) =>
			assert.fail(error),
		);
		const store = await StoreProcesses.create(3, [], { flags, client: { ...latest(), latest } });
		try {
			await store.startAll();
			const client = store.connect();
			await client.put({ key: Buffer.from("a"), value: Buffer.from("1") });
			await renewAll(3_600_000);
			await delay(began + lifetimeMs + 1_000 - performance.now());
			// m1 and m2 dial m3, m3 dials them, and one of the two is needed for a majority: all with what is in the files now.
			await store.kill("m3");
			assert.equal(await store.start("m3"), "ready", store.output("m3"));
			await store.kill("m2");
			await client.put({ key: Buffer.from("a"), value: Buffer.from("2") });
			const another = store.connect();
			const { kvs } = await another.range({ key: Buffer.from("a") });
			assert.equal(kvs[0]?.value.toString(), "2");
			await another.close();
			await client.close();
		} finally {
			await store.close();
		}
	});
});
