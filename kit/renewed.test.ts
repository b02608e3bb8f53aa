import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { type Authority, createAuthority, fingerprint, writeKeyPair } from "./pki.ts";
import { latestTls, rereadWhenChanged, serveLatest } from "./renewed.ts";

describe("renewed files", () => {
	let dir: string;
	let authority: Authority;
	const problems: string[] = [];
	const onProblem = (error: Error) => void problems.push(error.message);
	const file = (name: string) => path.join(dir, name);
	const request = { commonName: "a", hosts: ["127.0.0.1"] };

	before(async () => {
		authority = await createAuthority("a-ca");
	});
	beforeEach(() => {
		dir = mkdtempSync(path.join(tmpdir(), "barque-renewed-"));
		problems.length = 0;
	});
	afterEach(() => rmSync(dir, { recursive: true, force: true }));

	it("are read again when they have changed, and only then", () => {
		writeFileSync(file("a"), "one");
		let reads = 0;
		const latest = rereadWhenChanged(
			[file("a")],
			() => {
				reads++;
				return { size: statSync(file("a")).size };
			},
			onProblem,
		);
		const first = latest();
		assert.equal(latest(), first);
		assert.equal(reads, 1);
		writeFileSync(file("a"), "longer");
		assert.deepEqual(latest(), { size: 6 });
		assert.equal(reads, 2);
	});

	it("leave what was good in force while they are gone, unreadable or half replaced, and say so once", async () => {
		const names = { cert: file("a.crt"), key: file("a.key") };
		await writeKeyPair(dir, "a", await authority.issue(request));
		const latest = latestTls(names, onProblem);
		const good = latest();
		const next = await authority.issue(request);
		writeFileSync(names.key, next.key);
		assert.equal(latest(), good);
		assert.equal(latest(), good);
		assert.match(problems.join("\n"), /^the private key .* does not belong to the certificate [^\n]*$/);
		writeFileSync(names.cert, "rubbish");
		assert.equal(latest(), good);
		rmSync(names.cert);
		assert.equal(latest(), good);
		assert.equal(problems.length, 3);
		writeFileSync(names.cert, next.cert);
		assert.deepEqual(latest(), { ...next, ca: undefined });
		assert.equal(problems.length, 3);
	});

	it("that do not fit together at first are an error", async () => {
		await writeKeyPair(dir, "a", await authority.issue(request));
		await writeKeyPair(dir, "b", await authority.issue(request));
		const files = { cert: file("a.crt"), key: file("b.key") };
		assert.throws(() => latestTls(files, onProblem), /does not belong to the certificate/);
	});

	it("are in force for the next connection, authorities too, and open connections go on", async () => {
		await writeKeyPair(dir, "a", await authority.issue(request));
		writeFileSync(file("ca.crt"), authority.cert);
		const latest = latestTls({ cert: file("a.crt"), key: file("a.key"), ca: file("ca.crt") }, onProblem);
		const server = tls.createServer({ ...latest(), requestCert: true, rejectUnauthorized: true }, (socket) => {
			socket.on("error", () => {});
			socket.write("hello");
		});
		server.on("tlsClientError", () => {});
		serveLatest(server, latest, { minVersion: "TLSv1.2" });
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const sockets: tls.TLSSocket[] = [];
		const connect = async (by: Authority, trusts: Authority) => {
			const socket = tls.connect({ host: "127.0.0.1", port, ca: trusts.cert, ...(await by.issue(request)) });
			sockets.push(socket);
			socket.once("close", () => socket.emit("error", new Error("closed")));
			await once(socket, "data");
			socket.on("error", () => {});
			return { socket, shown: socket.getPeerCertificate().fingerprint256 };
		};
		try {
			const first = await connect(authority, authority);
			const renewed = await authority.issue(request);
			await writeKeyPair(dir, "a", renewed);
			const second = await connect(authority, authority);
			assert.equal(second.shown, fingerprint(renewed.cert));
			assert.notEqual(second.shown, first.shown);
			assert.equal(first.socket.destroyed, false);
			const other = await createAuthority("b-ca");
			await assert.rejects(connect(other, authority));
			writeFileSync(file("ca.crt"), authority.cert + other.cert);
			await connect(other, authority);
			await connect(authority, authority);
			writeFileSync(file("ca.crt"), other.cert);
			await writeKeyPair(dir, "a", await other.issue(request));
			await connect(other, other);
			await assert.rejects(connect(authority, other));
		} finally {
			for (const socket of sockets) socket.destroy();
			server.close();
		}
	});
});
