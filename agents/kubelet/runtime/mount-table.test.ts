import assert from "node:assert/strict";
import {
	boundTo,
	buildMountTable,
	type HostFiles,
	locate,
	type Mount,
	MountTableError,
	type Node,
	type Own,
	ownDirectory,
} from "./mount-table.ts";

/** A file system as a table: "dir", "file", or where a link leads. */
function filesOf(entries: Readonly<Record<string, string>>): HostFiles {
	const shape = (value: string) => ({
		isDirectory: () => value === "dir",
		isSymbolicLink: () => value.startsWith("->"),
	});
	const lstat = async (file: string) => (entries[file] === undefined ? undefined : shape(entries[file]));
	return {
		lstat,
		stat: lstat,
		readdir: async (directory) =>
			Object.entries(entries)
				.filter(([file]) => file.startsWith(`${directory}/`) && !file.slice(directory.length + 1).includes("/"))
				.map(([file, value]) => ({ name: file.slice(directory.length + 1), ...shape(value) })),
		readlink: async (file) => (entries[file] ?? "").slice(2),
		realpath: async (file) => file,
	};
}

const machine = {
	"/srv": "dir",
	"/srv/tmp": "dir",
	"/srv/tmp/precious": "file",
	"/srv/other": "file",
	"/run": "dir",
	"/run/lock": "dir",
	"/var": "dir",
	"/var/run": "->/run",
	"/scratch": "dir",
	"/token": "dir",
	"/loop": "->/loop",
};

const at = (mountPath: string, hostPath: string, readOnly = false): Mount => ({ mountPath, hostPath, readOnly });

/** A tree as lines: own directories end in a slash, what has a mount of its own shows its source. */
function linesOf(node: Node, seen = ""): string[] {
	if (node.kind === "link") return [`${seen} -> ${node.target}`];
	const below = [...node.children].flatMap(([name, child]) => linesOf(child, `${seen}/${name}`));
	if (node.kind === "own") return [`${seen}/`, ...below];
	return [...(node.mounted ? [`${seen} = ${node.hostPath}${node.readOnly ? " ro" : ""}`] : []), ...below];
}

function baseOf(...names: string[]): Own {
	const base = ownDirectory();
	for (const name of names) base.children.set(name, boundTo(`/${name}`, true, false));
	return base;
}

describe("kubelet: the mount table", () => {
	const files = filesOf(machine);
	const table = (mounts: Mount[], base?: Own) =>
		buildMountTable(mounts, { files, overmount: base !== undefined, ...(base === undefined ? {} : { base }) });

	it("places a mount over what is below another mount, and below a link of the machine where that leads", async () => {
		const root = await table(
			[at("/var/run/lock", "/scratch"), at("/data/tmp", "/token"), at("/data", "/srv")],
			baseOf("run", "var"),
		);
		assert.deepEqual(linesOf(root), [
			"/",
			"/run = /run",
			"/run/lock = /scratch",
			"/var = /var",
			"/data = /srv",
			"/data/tmp = /token",
		]);
	});

	it("takes a directory apart where a mount point is missing in it, and makes nothing there", async () => {
		const root = await table([at("/data", "/srv", true), at("/data/new/deep", "/token")], baseOf());
		assert.deepEqual(linesOf(root), [
			"/",
			"/data/",
			"/data/tmp = /srv/tmp ro",
			"/data/other = /srv/other ro",
			"/data/new/",
			"/data/new/deep = /token",
		]);
	});

	it("gives what showed through a directory a mount of its own when that is taken apart", async () => {
		const root = await table(
			[at("/data", "/srv"), at("/data/tmp/precious", "/srv/other"), at("/data/x/y/z/new", "/token")],
			baseOf(),
		);
		assert.deepEqual(linesOf(root).slice(0, 4), [
			"/",
			"/data/",
			"/data/tmp = /srv/tmp",
			"/data/tmp/precious = /srv/other",
		]);
		assert(linesOf(root).includes("/data/x/y/z/new = /token"));
	});

	it("takes apart every directory above a mount where mounts are links", async () => {
		const root = await table([at("/data", "/srv"), at("/data/tmp", "/scratch")]);
		assert.deepEqual(linesOf(root), ["/", "/data/", "/data/tmp = /scratch", "/data/other = /srv/other"]);
	});

	it("refuses what is not there, what lies below a file, the root, and links without end", async () => {
		const refuses = (mounts: Mount[], why: RegExp) =>
			assert.rejects(
				table(mounts, baseOf("run", "var", "srv")),
				(error) => error instanceof MountTableError && why.test(error.message),
			);
		await refuses([at("/data", "/nothing")], /^mount \/data: \/nothing does not exist$/);
		await refuses([at("/srv/other/x", "/token")], /\/srv\/other is not a directory/);
		await refuses([at("/a/..", "/token")], /the root cannot be a mount/);
		const looping = ownDirectory();
		looping.children.set("loop", { kind: "link", target: "/loop" });
		await assert.rejects(table([at("/loop/x", "/token")], looping), /too many symbolic links/);
	});

	it("finds files as the container sees them", async () => {
		const root = await table([at("/data", "/srv"), at("/data/new", "/token")], baseOf("run", "var"));
		assert.equal(await locate(root, "/data/tmp/precious", files), "/srv/tmp/precious");
		assert.equal(await locate(root, "/var/run/lock", files), "/run/lock");
		assert.equal(await locate(root, "/data", files), "own");
		assert.equal(await locate(root, "/srv", files), undefined);
	});
});
