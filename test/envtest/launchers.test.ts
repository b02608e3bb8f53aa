/** The launchers of `barque envtest`, started as controller-runtime's envtest starts upstream's programs. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request as plain } from "node:http";
import { request } from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createAuthority, createSigningKey } from "../../kit/pki.ts";
import { runBarque } from "../barque.ts";
import { eventually } from "../until.ts";

async function freePort(): Promise<number> {
	const server = net.createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as net.AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

interface Reply {
	readonly status: number;
	readonly text: string;
}

interface Asked {
	readonly method?: string;
	readonly cert?: string;
	readonly key?: string;
	readonly ca?: string;
	readonly body?: unknown;
}

function ask(url: string, options: Asked = {}): Promise<Reply> {
	const { body, ...rest } = options;
	return new Promise((resolve, reject) => {
		const tls = { ...rest, agent: false as const, rejectUnauthorized: options.ca !== undefined };
		const call = (url.startsWith("https:") ? request : plain)(url, tls, (answer) => {
			let text = "";
			answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
			answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
		});
		call.once("error", reject);
		if (body !== undefined) call.setHeader("content-type", "application/json");
		call.end(body === undefined ? undefined : JSON.stringify(body));
	});
}

const pod = (name: string, privileged: boolean) => ({
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name },
	spec: { containers: [{ name: "c", image: "i", securityContext: { privileged } }] },
});

describe("barque envtest", function () {
	this.timeout(120_000);
	let folder: string;
	let assets: string;
	const running: { readonly child: ChildProcess; readonly ended: Promise<unknown> }[] = [];
	let printed = "";

	before(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-envtest-"));
		// A name that a shell must not take apart.
		assets = path.join(folder, "it's a folder");
		const written = await runBarque(["envtest", assets]);
		assert.equal(written.code, 0, written.stderr);
		assert.match(written.stdout, /^export KUBEBUILDER_ASSETS='/);
	});
	afterEach(async () => {
		for (const { child, ended } of running.splice(0).reverse()) {
			child.kill("SIGTERM");
			await ended;
		}
	});
	after(() => rm(folder, { recursive: true, force: true }));

	function start(name: string, args: readonly string[]): ChildProcess {
		const child = spawn(path.join(assets, name), args, { stdio: ["ignore", "pipe", "pipe"] });
		for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
		running.push({ child, ended: once(child, "exit") });
		return child;
	}

	async function help(name: string): Promise<string> {
		const child = spawn(path.join(assets, name), ["--help"], { stdio: ["ignore", "pipe", "pipe"] });
		let text = "";
		child.stdout.on("data", (chunk: Buffer) => (text += chunk));
		const [code] = await once(child, "close");
		assert.equal(code, 0);
		return text;
	}

	/** envtest's etcd. */
	async function startStore(): Promise<string> {
		const url = `http://127.0.0.1:${await freePort()}`;
		start("etcd", [
			`--advertise-client-urls=${url}`,
			`--data-dir=${await mkdtemp(path.join(folder, "etcd-"))}`,
			`--listen-client-urls=${url}`,
			`--listen-peer-urls=http://127.0.0.1:${await freePort()}`,
			"--unsafe-no-fsync=true",
		]);
		await eventually("etcd healthy", async () => (await ask(`${url}/health`)).status === 200, 20_000);
		return url;
	}

	it("shows in --help what envtest looks for there, and not what it must not pass", async () => {
		// Its pattern is ^\s*--NAME\b on a line.
		assert.match(await help("etcd"), /^\s*--unsafe-no-fsync\b/m);
		assert.doesNotMatch(await help("kube-apiserver"), /^\s*--insecure-port\b/m);
	});

	it("starts a store and an API with envtest's flags, the certificate taken from --cert-dir", async () => {
		const store = await startStore();
		const dir = path.join(folder, "certs");
		await mkdir(dir);
		const [serving, clients, signing] = await Promise.all([
			createAuthority("serving"),
			createAuthority("clients"),
			createSigningKey(),
		]);
		const pair = await serving.issue({ commonName: "localhost", hosts: ["localhost", "127.0.0.1"] });
		const admin = await clients.issue({ commonName: "admin", organizations: ["system:masters"] });
		await writeFile(path.join(dir, "apiserver.crt"), pair.cert);
		await writeFile(path.join(dir, "apiserver.key"), pair.key);
		await writeFile(path.join(dir, "client-cert-auth-ca.crt"), clients.cert);
		await writeFile(path.join(dir, "sa-signer.crt"), signing.publicKey);
		await writeFile(path.join(dir, "sa-signer.key"), signing.privateKey);
		const port = await freePort();
		const url = `https://127.0.0.1:${port}`;
		start("kube-apiserver", [
			"--allow-privileged=true",
			"--authorization-mode=RBAC",
			"--bind-address=127.0.0.1",
			`--cert-dir=${dir}`,
			`--client-ca-file=${path.join(dir, "client-cert-auth-ca.crt")}`,
			"--disable-admission-plugins=ServiceAccount",
			`--etcd-servers=${store}`,
			`--secure-port=${port}`,
			`--service-account-issuer=${url}/`,
			`--service-account-key-file=${path.join(dir, "sa-signer.crt")}`,
			`--service-account-signing-key-file=${path.join(dir, "sa-signer.key")}`,
			"--service-cluster-ip-range=10.0.0.0/24",
		]);
		await eventually(
			"API healthy",
			async () => (await ask(`${url}/healthz`, { ca: serving.cert })).status === 200,
			20_000,
		).catch((error: Error) => assert.fail(`${error.message}\n${printed}`));
		const credentials = { ca: serving.cert, cert: admin.cert, key: admin.key };
		const pods = `${url}/api/v1/namespaces/default/pods`;
		// What envtest's suites do first. Upstream answers 404 until the namespace is there.
		await eventually("default namespace", async () => {
			const { status } = await ask(`${url}/api/v1/namespaces/default`, credentials);
			return status === 200;
		});
		const made = await ask(pods, { ...credentials, method: "POST", body: pod("p", true) });
		assert.equal(made.status, 201, made.text);
	});

	it("makes a certificate in an empty --cert-dir and keeps it; privileged pods need --allow-privileged", async () => {
		const store = await startStore();
		const dir = path.join(folder, "empty");
		const clients = await createAuthority("clients");
		const admin = await clients.issue({ commonName: "admin", organizations: ["system:masters"] });
		const clientCa = path.join(folder, "clients.crt");
		await writeFile(clientCa, clients.cert);
		const port = await freePort();
		const url = `https://127.0.0.1:${port}`;
		const args = [
			"--bind-address=127.0.0.1",
			`--cert-dir=${dir}`,
			`--client-ca-file=${clientCa}`,
			"--disable-admission-plugins=ServiceAccount",
			`--etcd-servers=${store}`,
			`--secure-port=${port}`,
		];
		let first: string | undefined;
		for (const round of [1, 2]) {
			const child = start("kube-apiserver", args);
			await eventually("API healthy", async () => (await ask(`${url}/healthz`)).status === 200, 20_000);
			const cert = await readFile(path.join(dir, "apiserver.crt"), "utf8");
			assert.equal((await stat(path.join(dir, "apiserver.key"))).mode & 0o777, 0o600);
			first ??= cert;
			assert.equal(cert, first);
			// Whoever trusts the file trusts the server.
			assert.equal((await ask(`${url}/healthz`, { ca: cert })).status, 200);
			if (round === 1) {
				const body = pod("p", true);
				const pods = `${url}/api/v1/namespaces/default/pods`;
				const refused = await ask(pods, { ca: cert, cert: admin.cert, key: admin.key, method: "POST", body });
				assert.equal(refused.status, 422, refused.text);
				// kube-apiserver 1.36.1's words.
				assert.equal(
					(JSON.parse(refused.text) as { message: string }).message,
					'Pod "p" is invalid: spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy',
				);
			}
			child.kill("SIGTERM");
			await once(child, "exit");
			running.pop();
		}
		await rm(path.join(dir, "apiserver.key"));
		const half = await runBarque(["apiserver", ...args]);
		assert.equal(half.code, 1);
		assert.match(
			half.stderr,
			/--cert-dir: .*apiserver\.key is missing: certificate and key must be supplied as a pair/,
		);
	});
});
