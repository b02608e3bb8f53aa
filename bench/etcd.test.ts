import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { skip } from "../test/skip.ts";
import { startEtcd } from "./etcd.ts";

/** Stands in for etcd: members note their process and wait, but the first ends once the others have begun. */
const standIn = `#!/bin/sh
echo $$ > "$4.pid"
if [ "$2" = e0 ]; then
  until [ -s "\${4%e0}e1.pid" ] && [ -s "\${4%e0}e2.pid" ]; do sleep 0.05; done
  exit 3
fi
exec sleep 600
`;

describe("bench/etcd.ts", () => {
	let folder: string;
	let searchPath: string | undefined;
	before(async function () {
		if (process.platform === "win32") {
			skip(this, "the programs played here are shell scripts");
		}
		folder = await mkdtemp(path.join(tmpdir(), "barque-compare-test-"));
		searchPath = process.env["PATH"];
	});
	afterEach(() => {
		process.env["PATH"] = searchPath;
	});
	after(() => rm(folder, { recursive: true, force: true }));

	it("says so when there is no etcd", async () => {
		process.env["PATH"] = folder;
		await assert.rejects(startEtcd(folder), /ENOENT/);
	});

	it("leaves no member of etcd behind when one ends", async () => {
		await writeFile(path.join(folder, "etcd"), standIn);
		await chmod(path.join(folder, "etcd"), 0o700);
		process.env["PATH"] = `${folder}${path.delimiter}${searchPath}`;
		await assert.rejects(startEtcd(folder), /etcd member e0 ended: exit code 3/);
		for (const name of ["e1", "e2"]) {
			const pid = Number(await readFile(path.join(folder, `${name}.pid`), "utf8"));
			assert.throws(() => process.kill(pid, 0), /ESRCH/);
		}
	});
});
