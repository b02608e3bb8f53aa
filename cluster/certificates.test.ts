import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadKubeconfig } from "../apiserver/client/kubeconfig.ts";
import { startTimeOf } from "../kit/process-table.ts";
import { renewCertificates } from "./certificates.ts";
import { prepare } from "./cluster.ts";
import { type Layout, pkiDirectory } from "./layout.ts";
import { releasePorts } from "./ports.ts";

const dayMs = 86_400_000;

describe("the cluster's certificates", () => {
	let dir: string;
	let layout: Layout;
	const messages: string[] = [];
	const options = () => ({ dir, masters: 1, nodes: 1, port: 0, runtime: "hollow" as const });
	const pki = (name: string) => path.join(pkiDirectory(dir), name);

	beforeEach(async () => {
		dir = await mkdtemp(path.join(tmpdir(), "barque-pki-"));
		messages.length = 0;
	});
	afterEach(async () => {
		releasePorts(dir);
		await rm(dir, { recursive: true, force: true });
	});

	/** Every certificate that an authority of the cluster has signed, by the file it lies in. */
	async function issued(): Promise<Map<string, X509Certificate>> {
		const found = new Map<string, X509Certificate>();
		for (const name of await readdir(pkiDirectory(dir))) {
			if (name.endsWith(".crt") && !name.endsWith("-ca.crt"))
				found.set(name, new X509Certificate(await readFile(pki(name))));
		}
		for (const file of ["admin", "master-1/scheduler", "master-1/controller-manager", "node-1/kubelet"]) {
			const { cert } = loadKubeconfig(path.join(dir, `${file}.kubeconfig`));
			found.set(file, new X509Certificate(cert!));
		}
		return found;
	}

	async function prepared(certificateDays?: number): Promise<Map<string, X509Certificate>> {
		layout = await prepare({ ...options(), certificateDays }, (message) => messages.push(message));
		return issued();
	}

	it("are all made anew on a start near or past their end, with the same authorities, names and modes", async () => {
		const before = await prepared(1 / 86_400);
		assert.equal(before.size, 13);
		const authority = await readFile(pki("cluster-ca.crt"), "utf8");
		await new Promise((resolve) => setTimeout(resolve, 1_100));
		await prepare(options(), (message) => messages.push(message));
		assert.match(messages.join("; "), /keys and certificates made; 13 certificates renewed/);
		const after = await issued();
		for (const [name, certificate] of after) {
			const old = before.get(name)!;
			assert.notEqual(certificate.serialNumber, old.serialNumber, name);
			assert.deepEqual(
				[certificate.subject, certificate.subjectAltName, certificate.keyUsage, certificate.issuer],
				[old.subject, old.subjectAltName, old.keyUsage, old.issuer],
				name,
			);
		}
		assert.equal(await readFile(pki("cluster-ca.crt"), "utf8"), authority);
		for (const secret of [pki("admin.key"), layout.adminKubeconfig, path.join(dir, "node-1", "kubelet.kubeconfig")]) {
			assert.equal((await stat(secret)).mode & 0o777, 0o600, secret);
		}
	});

	it("are renewed when a third of their time is left, and not before", async () => {
		const before = await prepared();
		const start = Date.now();
		assert.equal((await renewCertificates(dir, layout, start + 240 * dayMs)).renewed, 0);
		assert.deepEqual((await issued()).get("admin.crt")!.raw, before.get("admin.crt")!.raw);
		assert.equal((await renewCertificates(dir, layout, start + 245 * dayMs)).renewed, 13);
		assert.equal((await renewCertificates(dir, layout, Date.now())).renewed, 0);
	});

	it("are made anew where one is missing or no certificate any more", async () => {
		await prepared();
		await rm(pki("admin.crt"));
		await writeFile(pki("master-1-apiserver.crt"), "rubbish");
		assert.equal((await renewCertificates(dir, layout, Date.now())).renewed, 2);
	});

	it("are left to the process that renews them, while it lives", async () => {
		await prepared();
		await rm(pki("admin.crt"));
		await writeFile(pki("renewing"), `${process.pid} ${startTimeOf(process.pid) ?? ""}`);
		assert.equal((await renewCertificates(dir, layout, Date.now())).renewed, 0);
		await writeFile(pki("renewing"), `${process.pid} another start`);
		assert.equal((await renewCertificates(dir, layout, Date.now())).renewed, 1);
		await assert.rejects(stat(pki("renewing")), /ENOENT/);
	});

	it("outlive no authority: those that end within a year are named", async () => {
		await prepared();
		const { endingAuthorities } = await renewCertificates(dir, layout, Date.now() + 9.5 * 365 * dayMs);
		assert.deepEqual(
			endingAuthorities.map(({ file }) => path.basename(file)),
			["store-peer-ca.crt", "store-client-ca.crt", "cluster-ca.crt"],
		);
	});
});
