import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";
import { createAuthority, loadAuthority, writeKeyPair } from "./pki.ts";

describe("kit/pki", () => {
	it("issues certificates that TLS verifies, with names, groups and usages", async () => {
		const authority = await createAuthority("test-ca");
		const server = await authority.issue({
			commonName: "server",
			hosts: ["localhost", "127.0.0.1"],
			usages: ["server"],
		});
		const client = await (await loadAuthority(authority)).issue({
			commonName: "alice",
			organizations: ["system:masters", "devs"],
			usages: ["client"],
		});
		const certificate = new X509Certificate(client.cert);
		assert.equal(certificate.subject, "CN=alice\nO=system:masters\nO=devs");
		assert.ok(certificate.verify(new X509Certificate(authority.cert).publicKey));
		const listener = tls.createServer({ ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
		const seen = new Promise<string>((resolve) => {
			listener.on("secureConnection", (socket) => {
				resolve(String(socket.getPeerCertificate().subject.CN));
				socket.end();
			});
		});
		await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
		const { port } = listener.address() as { port: number };
		const socket = tls.connect({ host: "127.0.0.1", port, servername: "localhost", ca: authority.cert, ...client });
		assert.equal(await seen, "alice");
		socket.destroy();
		await new Promise((resolve) => listener.close(resolve));
	});

	it("writes keys readable by their owner only", async () => {
		const directory = await mkdtemp(path.join(tmpdir(), "barque-pki-"));
		try {
			const authority = await createAuthority("test-ca");
			const files = await writeKeyPair(path.join(directory, "pki"), "ca", authority);
			assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600);
			assert.equal((await stat(path.join(directory, "pki"))).mode & 0o777, 0o700);
			await chmod(files.keyFile, 0o644);
			await writeKeyPair(path.join(directory, "pki"), "ca", authority);
			assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600, "also over an open one");
		} finally {
			await rm(directory, { recursive: true });
		}
	});
});
