import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Pod } from "../../apiserver/scheme/types.gen.ts";
import { ContainerTrack } from "./container-track.ts";
import { resourceField } from "./env.ts";
import { MountError, mountsOf, mountVolumes } from "./volumes.ts";

describe("kubelet: volumes", () => {
	let root: string;
	let data: Record<string, Buffer> | undefined;
	beforeEach(async () => {
		root = await mkdtemp(path.join(tmpdir(), "barque-volumes-"));
		data = undefined;
	});
	afterEach(() => rm(root, { recursive: true, force: true }));

	const mount = (volume: NonNullable<NonNullable<Pod["spec"]>["volumes"]>[number], generation: string) =>
		mountVolumes(
			{
				pod: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { volumes: [volume] } },
				directory: root,
				references: { configMap: async () => data, secret: async () => data },
				token: async () => "token",
				podIp: "127.0.0.1",
				hostIp: "127.0.0.1",
				allocatable: {},
				owner: undefined,
			},
			generation,
		);

	it("keeps bytes that are no text", async () => {
		const binary = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
		data = { "key.bin": binary };
		await mount({ name: "v", secret: { secretName: "s" } }, "1");
		assert.deepEqual(await readFile(path.join(root, "v/key.bin")), binary);
	});

	it("replaces its content and leaves nothing of what was before", async () => {
		data = { stays: Buffer.from("1"), goes: Buffer.from("1") };
		await mount({ name: "v", configMap: { name: "c" } }, "1");
		const link = await stat(path.join(root, "v"), { bigint: true });
		data = { stays: Buffer.from("2"), comes: Buffer.from("2") };
		for (const generation of ["2", "3", "4"]) await mount({ name: "v", configMap: { name: "c" } }, generation);
		assert.deepEqual((await readdir(path.join(root, "v"))).sort(), ["..4", "..data", "comes", "stays"]);
		assert.equal(await readFile(path.join(root, "v/stays"), "utf8"), "2");
		assert.equal((await stat(path.join(root, "v"), { bigint: true })).ino, link.ino);
	});

	it("keeps the points of mounts below it when its content is replaced", async () => {
		data = { key: Buffer.from("1") };
		const volumes = [
			{ name: "v", configMap: { name: "c" } },
			{ name: "below", emptyDir: {} },
		];
		const volumeMounts = [
			{ name: "v", mountPath: "/etc/x" },
			{ name: "below", mountPath: "/etc/x/y/z" },
		];
		const spec = { volumes, containers: [{ name: "c", volumeMounts }] };
		const again = (generation: string) =>
			mountVolumes(
				{
					pod: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec },
					directory: root,
					references: { configMap: async () => data, secret: async () => data },
					token: async () => "token",
					podIp: "127.0.0.1",
					hostIp: "127.0.0.1",
					allocatable: {},
					owner: {},
				},
				generation,
			);
		await again("1");
		const point = await stat(path.join(root, "v/y/z"));
		assert(point.isDirectory());
		data = { other: Buffer.from("2") };
		await again("2");
		assert.equal((await stat(path.join(root, "v/y/z"))).ino, point.ino);
		assert.equal(await readFile(path.join(root, "v/other"), "utf8"), "2");
	});

	it("takes paths that are not in their shortest form", async () => {
		data = { key: Buffer.from("x") };
		const items = [{ key: "key", path: "./a//b" }];
		await mount({ name: "v", configMap: { name: "c", items } }, "1");
		assert.equal(await readFile(path.join(root, "v/a/b"), "utf8"), "x");
	});

	it("shows the part of a volume that subPath or subPathExpr names, and makes it", async () => {
		await mkdir(path.join(root, "v"));
		const volumes = new Map([["v", path.join(root, "v")]]);
		const mounted = (subPath: object, env = {}) =>
			mountsOf({ name: "c", volumeMounts: [{ name: "v", mountPath: "/x", ...subPath }] }, [], volumes, env);
		assert.equal((await mounted({ subPath: "a/b" }))[0]?.hostPath, path.join(root, "v/a/b"));
		assert((await stat(path.join(root, "v/a/b"))).isDirectory());
		const expanded = await mounted({ subPathExpr: "logs/$(POD)" }, { POD: "web-1" });
		assert.equal(expanded[0]?.hostPath, path.join(root, "v/logs/web-1"));
		await assert.rejects(mounted({ subPathExpr: "$(NONE)" }), /missing value for "NONE"/);
		await assert.rejects(mounted({ subPathExpr: "$(UP)" }, { UP: "../../x" }), MountError);
		await assert.rejects(mounted({ subPathExpr: "$(UP)" }, { UP: "/etc" }), MountError);
	});
});

describe("kubelet: volumes that pods write", () => {
	let root: string;
	beforeEach(async () => {
		root = await mkdtemp(path.join(tmpdir(), "barque-volumes-"));
	});
	afterEach(() => rm(root, { recursive: true, force: true }));

	it("does not follow a link out of a volume for a subPath", async () => {
		await mkdir(path.join(root, "v/real"), { recursive: true });
		await mkdir(path.join(root, "outside"));
		await symlink("../outside", path.join(root, "v/out"));
		await symlink("real", path.join(root, "v/in"));
		await symlink("../outside/later", path.join(root, "v/dangling"));
		const volumes = new Map([["v", path.join(root, "v")]]);
		const mounted = (subPath: string) =>
			mountsOf({ name: "c", volumeMounts: [{ name: "v", mountPath: "/x", subPath }] }, [], volumes, {});
		for (const subPath of ["out", "out/x", "dangling", "dangling/x"]) {
			await assert.rejects(mounted(subPath), /must not leave its volume/);
		}
		assert.deepEqual(await readdir(path.join(root, "outside")), []);
		assert.equal((await mounted("in/x"))[0]?.hostPath, path.join(root, "v/real/x"));
	});

	it("refuses a hostPath that is not what its type says", async () => {
		const mount = (hostPath: object) =>
			mountVolumes(
				{
					pod: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { volumes: [{ name: "v", hostPath }] } },
					directory: root,
					references: { configMap: async () => undefined, secret: async () => undefined },
					token: async () => "token",
					podIp: "127.0.0.1",
					hostIp: "127.0.0.1",
					allocatable: {},
					owner: undefined,
				},
				"1",
			);
		const file = path.join(root, "file");
		await assert.rejects(mount({ path: file }), /hostPath type check failed: .*file is not there/);
		await mount({ path: file, type: "FileOrCreate" });
		await assert.rejects(
			mount({ path: file, type: "Directory" }),
			/hostPath type check failed: .*file is not a directory/,
		);
		await assert.rejects(mount({ path: root, type: "Socket" }), /is not a socket/);
		assert.equal((await mount({ path: file, type: "File" })).get("v"), file);
	});
});

describe("kubelet: resourceFieldRef", () => {
	it("counts in units of the divisor, and takes the node's where there is no limit", () => {
		const container = { resources: { limits: { cpu: "1500m", memory: "64Mi" }, requests: { cpu: "250m" } } };
		const node = { cpu: "4", memory: "1Gi", "ephemeral-storage": "1Ki" };
		const field = (resource: string, divisor?: string, of: object = container) =>
			resourceField(of, { resource, ...(divisor === undefined ? {} : { divisor }) }, node);
		assert.equal(field("limits.cpu"), "2");
		assert.equal(field("limits.cpu", "1m"), "1500");
		assert.equal(field("requests.cpu", "0"), "1");
		assert.equal(field("limits.memory", "0"), "67108864");
		assert.equal(field("limits.memory", "1Mi"), "64");
		assert.equal(field("requests.memory"), "0");
		assert.equal(field("limits.cpu", "1", {}), "4");
		assert.equal(field("limits.ephemeral-storage", "1", {}), "1024");
		assert.throws(() => field("nothing.cpu"), /unsupported container resource/);
	});
});

describe("kubelet: a container's memory", () => {
	it("goes on with the latest start, in whatever order the records are found", () => {
		const record = (attempt: number, phase: "running" | "exited") => ({
			id: `process://uid/c/${attempt}`,
			podUid: "uid",
			name: "c",
			attempt,
			image: "x",
			state:
				phase === "running"
					? { phase, startedAt: 1 }
					: { phase, startedAt: 1, finishedAt: 2, exitCode: 1, signal: 0, reason: "Error", message: "" },
		});
		const track = new ContainerTrack({ name: "c" }, "main");
		track.adopt([record(10, "running"), record(9, "exited")]);
		assert.equal(track.currentId, "process://uid/c/10");
		assert.equal(track.last?.id, "process://uid/c/9");
		assert.equal(track.restartCount, 10);
	});
});
