/** Power cuts: what was synced stays, what was not is gone; and what our store and etcd make of it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
	closeSync,
	existsSync,
	fsyncSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { claimFreePorts, releasePorts } from "../../cluster/ports.ts";
import { connectStore } from "../../store/client/client.ts";
import { skip } from "../../test/skip.ts";
import { EtcdGateway } from "../targets/etcd-gateway.ts";
import { storeTarget } from "../targets/store.ts";
import { AcknowledgedPuts } from "../testing/acknowledged.ts";
import { Program, runStore } from "../testing/program.ts";
import { listPrefix } from "../workloads/target.ts";
import { MissingToolError } from "./place.ts";
import { PowerDisks } from "./power.ts";

const run = promisify(execFile);
const names = ["m1", "m2", "m3"] as const;
type Name = (typeof names)[number];

function syncFolder(folder: string): void {
	const descriptor = openSync(folder, "r");
	fsyncSync(descriptor);
	closeSync(descriptor);
}

async function etcdIsThere(): Promise<boolean> {
	try {
		await run("etcd", ["--unsafe-no-fsync", "--version"]);
		return true;
	} catch {
		// Absent, or too old for the flag.
		return false;
	}
}

/** Three members of etcd, each on a disk of its own. */
class EtcdOnDisks {
	readonly #disks: PowerDisks;
	readonly #ports: readonly number[];
	readonly #flags: readonly string[];
	readonly #programs = new Map<Name, Program>();

	constructor(disks: PowerDisks, ports: readonly number[], flags: readonly string[]) {
		this.#disks = disks;
		this.#ports = ports;
		this.#flags = flags;
	}

	#url(name: Name, kind: "client" | "peer"): string {
		return `http://127.0.0.1:${this.#ports[2 * names.indexOf(name) + (kind === "client" ? 0 : 1)]}`;
	}

	get gateway(): EtcdGateway {
		return new EtcdGateway({ endpoints: names.map((name) => this.#url(name, "client")), requestTimeoutMs: 2000 });
	}

	async start(): Promise<void> {
		const cluster = names.map((name) => `${name}=${this.#url(name, "peer")}`).join(",");
		for (const name of names) {
			const flags = [
				`--name=${name}`,
				`--data-dir=${path.join(this.#disks.directory(name), "etcd")}`,
				`--listen-client-urls=${this.#url(name, "client")}`,
				`--advertise-client-urls=${this.#url(name, "client")}`,
				`--listen-peer-urls=${this.#url(name, "peer")}`,
				`--initial-advertise-peer-urls=${this.#url(name, "peer")}`,
				`--initial-cluster=${cluster}`,
				...this.#flags,
			];
			this.#programs.set(name, new Program("etcd", flags));
		}
		await Promise.all([...this.#programs.values()].map((program) => program.shows("ready to serve client requests")));
	}

	async kill(name: string): Promise<void> {
		await this.#programs.get(name as Name)?.kill();
	}

	async close(): Promise<void> {
		await Promise.all(names.map((name) => this.kill(name)));
	}
}

const portsOwner = "test";
after(() => releasePorts(portsOwner));

describe("power cuts", () => {
	let disks: PowerDisks | undefined;

	beforeEach(async function () {
		this.timeout(60_000);
		try {
			disks = await PowerDisks.create(names);
		} catch (error) {
			if (!(error instanceof MissingToolError)) throw error;
			skip(this, error.message);
		}
	});
	afterEach(async () => {
		await disks?.close();
		disks = undefined;
	});

	it("keep what was synced and lose the rest, of the disks that are cut alone", async () => {
		const open: number[] = [];
		for (const name of ["m1", "m2"]) {
			const folder = disks!.directory(name);
			const log = openSync(path.join(folder, "log"), "w");
			open.push(log);
			writeSync(log, "synced");
			fsyncSync(log);
			syncFolder(folder);
			writeSync(log, " unsynced");
			writeFileSync(path.join(folder, "never-synced"), "data");
		}
		// As a process that is a little late to die.
		await disks!.loseUnsynced(["m1"], async () => void setTimeout(() => closeSync(open[0]!), 200));
		closeSync(open[1]!);
		assert.deepEqual(readdirSync(disks!.directory("m1")), ["log"]);
		assert.equal(readFileSync(path.join(disks!.directory("m1"), "log"), "utf8"), "synced");
		assert.equal(readFileSync(path.join(disks!.directory("m2"), "log"), "utf8"), "synced unsynced");
		assert.ok(existsSync(path.join(disks!.directory("m2"), "never-synced")));
	});

	it("keep what the kernel wrote back", async () => {
		const file = path.join(disks!.directory("m1"), "file");
		writeFileSync(file, "data");
		await disks!.writeBack(["m1"]);
		writeFileSync(path.join(disks!.directory("m1"), "later"), "data");
		await disks!.loseUnsynced(["m1"], async () => {});
		assert.equal(readFileSync(file, "utf8"), "data");
		assert.deepEqual(readdirSync(disks!.directory("m1")), ["file"]);
	});

	it("leave nothing behind, also where no process has let go yet", async () => {
		const own = await PowerDisks.create(["x"]);
		const folder = own.directory("x");
		const held = openSync(path.join(folder, "held"), "w");
		setTimeout(() => closeSync(held), 300);
		await own.close();
		assert.ok(!existsSync(folder));
		const [mounts, loops] = await Promise.all([run("mount"), run("losetup", ["--list", "--output", "BACK-FILE"])]);
		const root = path.resolve(folder, "..", "..");
		assert.ok(!`${mounts.stdout}${loops.stdout}`.includes(root));
	});

	it("leave nothing behind of a run that was killed, from the next on", async () => {
		const url = new URL("./power.ts", import.meta.url).href;
		const code = `import(${JSON.stringify(url)}).then(async ({ PowerDisks }) => {
			console.log("folder " + (await PowerDisks.create(["x"])).directory("x") + " of disks");
			setInterval(() => {}, 1000);
		})`;
		const program = new Program(process.execPath, ["-e", code]);
		await program.shows("of disks");
		await program.kill();
		const folder = / (.*)\/x\/data of/.exec(program.output)![1]!;
		assert.ok(existsSync(`${folder}/x/data`));
		await (await PowerDisks.create(["y"])).close();
		assert.ok(!existsSync(folder));
		assert.ok(!(await run("losetup", ["--list", "--output", "BACK-FILE"])).stdout.includes(folder));
	});

	it("refuse what comes after their end, and end after what comes before", async () => {
		const own = await PowerDisks.create(["x"]);
		const cut = own.loseUnsynced(["x"], async () => {});
		await own.close();
		await assert.rejects(cut, /closed/);
		await assert.rejects(own.writeBack(["x"]), /closed/);
	});

	it("take nothing from our store that it acknowledged", async function () {
		this.timeout(120_000);
		const [client, peer] = await claimFreePorts(portsOwner, 2, false);
		const folder = disks!.directory("m1");
		const target = storeTarget(connectStore({ endpoints: [`http://127.0.0.1:${client}`], requestTimeoutMs: 1000 }));
		let store = await runStore(folder, client!, peer!);
		const puts = new AcknowledgedPuts(target, 8);
		try {
			for (let cut = 0; cut < 4; cut++) {
				await puts.more(400, () => store.isRunning);
				await disks!.loseUnsynced(["m1"], async () => void (await store.kill()));
				store = await runStore(folder, client!, peer!);
			}
			await puts.stop();
			assert.deepEqual(puts.lost((await listPrefix(target, AcknowledgedPuts.prefix)).kvs), []);
		} finally {
			await puts.stop();
			await target.close();
			await store.kill();
		}
	});

	/** How many of these acknowledged writes three members of etcd lose when all their power is cut. */
	async function lostByEtcd(flags: readonly string[]): Promise<number> {
		const etcd = new EtcdOnDisks(disks!, await claimFreePorts(portsOwner, 6, false), flags);
		const gateway = etcd.gateway;
		try {
			await etcd.start();
			// A cluster that runs for a while has its membership on disk; else it would not come up again at all.
			await disks!.writeBack(names);
			const puts = new AcknowledgedPuts(gateway, 8);
			await puts.more(200);
			await puts.stop();
			await disks!.loseUnsynced(names, (name) => etcd.kill(name));
			await etcd.start();
			return puts.lost((await listPrefix(gateway, AcknowledgedPuts.prefix)).kvs).length;
		} finally {
			await gateway.close();
			await etcd.close();
		}
	}

	for (const flags of [[], ["--unsafe-no-fsync"]]) {
		it(`take ${flags.length === 0 ? "nothing" : "writes"} from etcd ${flags.join(" ")}`, async function () {
			this.timeout(120_000);
			if (!(await etcdIsThere())) {
				skip(this, "no etcd that knows --unsafe-no-fsync");
			}
			const lost = await lostByEtcd(flags);
			assert.equal(lost > 0, flags.length > 0, `${lost} lost`);
		});
	}
});
