/** What pods ask of their mounts and rights, and what the machine's files look like afterwards. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
	chmodSync,
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../kit/clock.ts";
import { silentLogger } from "../../../kit/log.ts";
import { rootOnly } from "../../../test/platform.ts";
import { isolatedCommandLine, machineRoot } from "./namespace.ts";
import { ProcessRuntime } from "./process.ts";
import { fstabOf } from "./root-directory.ts";
import type { ContainerSpec, Exited, Privileges } from "./types.ts";

const plain: Privileges = {
	user: undefined,
	noNewPrivileges: false,
	capabilities: undefined,
	readOnlyRoot: false,
	privileged: false,
};

/** Every file below a directory with its content, links not followed. */
function snapshot(directory: string): string[] {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.map((entry) => path.join(entry.parentPath, entry.name))
		.map((file) => (statSync(file).isFile() ? `${file}: ${readFileSync(file, "utf8")}` : file))
		.sort();
}

for (const isolation of [true, false])
	describe(`kubelet: processes ${isolation ? "in" : "without"} namespaces`, function () {
		this.timeout(20_000);
		let scratch: string;
		let host: string;
		let runtime: ProcessRuntime;
		let ended: PromiseWithResolvers<void>;

		before(function () {
			if (isolation) rootOnly(this);
		});
		beforeEach(async () => {
			scratch = await mkdtemp(path.join(tmpdir(), "barque-process-"));
			host = path.join(scratch, "host");
			for (const name of ["a/tmp", "b", "token"]) mkdirSync(path.join(host, name), { recursive: true });
			writeFileSync(path.join(host, "a/tmp/precious"), "gold");
			writeFileSync(path.join(host, "b/file"), "b");
			writeFileSync(path.join(host, "token/token"), "secret");
			runtime = new ProcessRuntime({
				rootDir: path.join(scratch, "node"),
				clock: systemClock,
				logger: silentLogger,
				isolation,
			});
			ended = Promise.withResolvers();
			runtime.onExit(() => ended.resolve());
		});
		afterEach(async () => {
			await runtime.close();
			await rm(scratch, { recursive: true, force: true });
		});

		const mount = (mountPath: string, hostPath: string, readOnly = false) => ({
			mountPath,
			hostPath: path.join(host, hostPath),
			readOnly,
		});

		const specOf = (script: string, of: Partial<ContainerSpec> = {}): ContainerSpec => ({
			podUid: "uid",
			namespace: "default",
			podName: "p",
			name: "c",
			attempt: 0,
			image: "x",
			command: ["/bin/sh", "-c", script],
			args: [],
			env: {},
			workingDir: undefined,
			privileges: plain,
			mounts: [],
			podIp: "127.0.0.1",
			ports: [],
			annotations: {},
			terminationMessagePath: "/dev/termination-log",
			terminationMessageFromLogs: false,
			...of,
		});

		async function run(script: string, of: Partial<ContainerSpec> = {}): Promise<{ output: string; state: Exited }> {
			const started = await runtime.start(specOf(script, of));
			await ended.promise;
			const state = runtime.get(started.id)?.state;
			assert(state?.phase === "exited");
			return { output: readFileSync(runtime.log(started.id)?.file ?? "", "utf8"), state };
		}

		it("removes and writes nothing of the machine for a mount below another mount", async () => {
			const before = snapshot(host);
			const { output, state } = await run('cd "$BARQUE_ROOT/data" && cat tmp/file new/token && ls', {
				mounts: [mount("/data", "a"), mount("/data/tmp", "b"), mount("/data/new", "token", true)],
			});
			assert.equal(output, "bsecretnew\ntmp\n");
			assert.equal(state.exitCode, 0);
			assert.deepEqual(snapshot(host), before);
		});

		it("shows the service account's token below a hostPath at /var/run, without a trace there", async () => {
			const before = snapshot(host);
			const account = "/var/run/secrets/kubernetes.io/serviceaccount";
			const { output } = await run(`cat "$BARQUE_ROOT${account}/token" "$BARQUE_ROOT/var/run/file"`, {
				mounts: [mount(account, "token", true), mount("/var/run", "b")],
			});
			assert.equal(output, "secretb");
			assert.deepEqual(snapshot(host), before);
		});

		it("takes last words below a hostPath from a file of its own, and leaves the machine's", async () => {
			const before = snapshot(host);
			const { state } = await run('echo bye > "$BARQUE_ROOT/data/tmp/precious"', {
				mounts: [mount("/data", "a")],
				terminationMessagePath: "/data/tmp/precious",
			});
			assert.equal(state.message, "bye\n");
			assert.deepEqual(snapshot(host), before);
		});

		it("follows no link that an earlier start of the container left", async () => {
			const mounts = [mount("/data", "b")];
			await run(`rm -rf "$BARQUE_ROOT/x"; ln -s ${host}/a "$BARQUE_ROOT/x"`, { mounts });
			const before = snapshot(host);
			ended = Promise.withResolvers();
			const { output } = await run('cat "$BARQUE_ROOT/x/tmp/file"', { attempt: 1, mounts: [mount("/x/tmp", "b")] });
			assert.equal(output, "b");
			assert.deepEqual(snapshot(host), before);
		});

		it("says before the start that a program, a working directory or a mount's source is missing", async () => {
			const refuses = (of: Partial<ContainerSpec>, why: RegExp) =>
				assert.rejects(run("true", of), { name: "StartError", reason: "StartError", message: why });
			await refuses({ command: ["no-such-program"] }, /exec: "no-such-program": executable file not found in \$PATH/);
			await refuses({ workingDir: "/no/such/place" }, /working directory "?\/no\/such\/place"? /);
			await refuses({ mounts: [mount("/data", "nothing")] }, /mount \/data: .*nothing does not exist/);
		});

		it("gives variables of any name and value to the container and to what runs beside it", async () => {
			const env = { "a.b-c": "1", UID: "x", PATH: "/bin:/usr/bin", QUOTED: "it's $HOME\n`two`", LD_PRELOAD: "" };
			const started = await runtime.start(specOf("exec sleep 60", { env }));
			for (const [name, value] of Object.entries(env)) {
				const told = await runtime.exec(started.id, ["printenv", name], 5_000);
				assert.deepEqual(told, { exitCode: 0, output: `${value}\n` });
			}
			const pid = readdirSync("/proc").find((one) => {
				try {
					return readFileSync(`/proc/${one}/environ`, "utf8").includes("it's $HOME") && one !== String(process.pid);
				} catch {
					return false; // ended meanwhile, or no process
				}
			});
			assert.notEqual(pid, undefined);
			assert(!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("QUOTED"));
		});

		it("ends no process that got the number of a container of before", async () => {
			const other = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
			const over = new Promise((resolve) => other.once("exit", (_, signal) => resolve(signal)));
			await run("true", { attempt: 7 });
			const of = { rootDir: path.join(scratch, "later"), clock: systemClock, logger: silentLogger, isolation };
			const record = JSON.parse(readFileSync(path.join(scratch, "node/pods/uid/containers/c/7.json"), "utf8"));
			mkdirSync(path.join(of.rootDir, "pods/uid/containers/c"), { recursive: true });
			writeFileSync(
				path.join(of.rootDir, "pods/uid/containers/c/7.json"),
				JSON.stringify({ ...record, pid: other.pid, startTime: "1", state: { phase: "running", startedAt: 0 } }),
			);
			const [found] = await new ProcessRuntime(of).recover();
			assert.equal(found?.state.phase === "exited" && found.state.reason, "ContainerStatusUnknown");
			other.kill("SIGTERM");
			assert.equal(await over, "SIGTERM");
		});

		if (!isolation) {
			it("tells clients by a kubeconfig where the service account is", async () => {
				const { output } = await run('cat "$KUBECONFIG"; echo; echo "$BARQUE_ROOT"', {
					mounts: [mount("/var/run/secrets/kubernetes.io/serviceaccount", "token", true)],
					env: { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "6443" },
				});
				const [text = "", root = ""] = output.trim().split("\n");
				const account = path.join(root, "var/run/secrets/kubernetes.io/serviceaccount");
				const { clusters, users } = JSON.parse(text);
				assert.deepEqual(clusters[0].cluster, {
					server: "https://127.0.0.1:6443",
					"certificate-authority": path.join(account, "ca.crt"),
				});
				assert.deepEqual(users[0].user, { tokenFile: path.join(account, "token") });
				ended = Promise.withResolvers();
				assert.equal((await run('echo "$KUBECONFIG"', { podUid: "other" })).output, "\n");
			});
			return;
		}

		it("has mounts at their real paths, which nobody outside sees", async () => {
			const { output } = await run(
				"cat /var/run/secrets/kubernetes.io/serviceaccount/token /config/file; ls /run | wc -l",
				{
					mounts: [mount("/var/run/secrets/kubernetes.io/serviceaccount", "token", true), mount("/config", "b")],
				},
			);
			assert.match(output, /^secretb[1-9]/);
			assert.throws(() => statSync("/run/secrets/kubernetes.io"));
			assert.throws(() => statSync("/config"));
			assert(!readFileSync("/proc/self/mountinfo", "utf8").includes(scratch));
		});

		it("runs as the user and the groups that are asked, who cannot read what is the kubelet's", async () => {
			writeFileSync(path.join(scratch, "node.key"), "key", { mode: 0o600 });
			chmodSync(scratch, 0o755);
			const user = { uid: 4321, gid: 4322, groups: [4323] };
			const { output } = await run(`id -u; id -g; id -G; cat ${scratch}/node.key; echo x > /dev/termination-log`, {
				privileges: { ...plain, user },
			});
			assert.match(output, /^4321\n4322\n4322 4323\ncat: .*Permission denied\n$/);
		});

		it("runs nothing of the container's variables as root before its rights are its own", async () => {
			mkdirSync(path.join(host, "evil"));
			const evil = path.join(host, "evil/id");
			writeFileSync(evil, "#!/bin/sh\nid -u > /tmp-of-it/who\n", { mode: 0o755 });
			mkdirSync(path.join(host, "seen"));
			chmodSync(path.join(host, "seen"), 0o777);
			for (const name of ["mount", "chroot", "setpriv", "cat", "sh"]) symlinkSync("id", path.join(host, "evil", name));
			const { output } = await run("/usr/bin/id -u", {
				env: { PATH: "/evil:/usr/bin:/bin", ENV: "/evil/id", BASH_ENV: "/evil/id", LD_LIBRARY_PATH: "/evil" },
				mounts: [mount("/evil", "evil"), mount("/tmp-of-it", "seen")],
				privileges: { ...plain, user: { uid: 4321, gid: 4321, groups: [] } },
			});
			assert.equal(output, "4321\n");
			assert.deepEqual(readdirSync(path.join(host, "seen")), []);
		});

		it("runs no program and reads no file of the container's volumes as root, wherever they lie", async () => {
			mkdirSync(path.join(host, "evil"));
			mkdirSync(path.join(host, "seen"));
			chmodSync(path.join(host, "seen"), 0o777);
			chmodSync(scratch, 0o755);
			const evil = path.join(host, "evil/program");
			writeFileSync(evil, "#!/bin/bash\necho $EUID >> /seen/who\n", { mode: 0o755 });
			writeFileSync(path.join(host, "evil/preload"), "/nowhere/evil.so\n", { mode: 0o644 });
			const over = (at: string) => ({ mountPath: at, hostPath: evil, readOnly: true });
			const of: Partial<ContainerSpec> = {
				privileges: { ...plain, user: { uid: 4321, gid: 4322, groups: [4323] }, capabilities: "-all" },
				mounts: [mount("/seen", "seen"), over("/usr/bin/setpriv"), over("/usr/bin/cat"), over("/usr/sbin/chroot")],
			};
			await run("id", of).catch(() => {});
			assert.match(readFileSync(path.join(host, "seen/who"), "utf8"), /^(4321\n)+$/);
			// A library that is loaded before all others is looked for, in vain, by programs of the container alone.
			ended = Promise.withResolvers();
			const { output } = await run("/usr/bin/id -G", {
				...of,
				podUid: "other",
				privileges: { ...plain, user: { uid: 4321, gid: 4322, groups: [4323] } },
				mounts: [mount("/etc/ld.so.preload", "evil/preload", true), mount("/seen", "seen")],
			});
			assert.match(output, /evil\.so[\s\S]*4322 4323\n$/);
		});

		it("runs what is beside a container with its rights, and nothing of its volumes as root", async () => {
			const seen = path.join(host, "seen");
			mkdirSync(seen);
			chmodSync(seen, 0o777);
			chmodSync(scratch, 0o755);
			const evil = path.join(host, "a/tmp/setpriv");
			writeFileSync(evil, "#!/bin/bash\necho $EUID >> /seen/who\n", { mode: 0o755 });
			const privileges = { ...plain, user: { uid: 4321, gid: 4322, groups: [4323] }, noNewPrivileges: true };
			const status = ["/bin/sh", "-c", "id -u; id -G; pwd; grep -E '^(NoNewPrivs|Cap(Inh|Prm|Bnd))' /proc/self/status"];
			const plainly = await runtime.start({
				...(await specOf("exec sleep 60")),
				podUid: "plainly",
				privileges: { ...privileges, capabilities: "-all,+net_raw" },
				workingDir: "/seen",
				mounts: [mount("/seen", "seen")],
			});
			const none = "0000000000000000";
			assert.deepEqual(await runtime.exec(plainly.id, status, 5_000), {
				exitCode: 0,
				output: `4321\n4322 4323\n/seen\nCapInh:\t${none}\nCapPrm:\t${none}\nCapBnd:\t0000000000002000\nNoNewPrivs:\t1\n`,
			});
			const hostile = await runtime.start({
				...(await specOf("exec sleep 60")),
				privileges,
				mounts: [
					mount("/seen", "seen"),
					{ mountPath: "/usr/bin/setpriv", hostPath: evil, readOnly: true },
					{ mountPath: "/usr/sbin/chroot", hostPath: evil, readOnly: true },
				],
			});
			assert.equal((await runtime.exec(hostile.id, ["id", "-u"], 5_000)).output, "4321\n");
			assert.throws(() => readFileSync(path.join(seen, "who")), { code: "ENOENT" });
		});

		it("runs nothing where a link that was put in a mount's place led the mount out of the root", () => {
			const root = path.join(scratch, "a root");
			for (const name of ["usr", "bin", "lib", "lib64", "proc"]) {
				mkdirSync(path.join(root, name), { recursive: true });
			}
			symlinkSync(path.join(host, "a/tmp"), path.join(root, "swapped"));
			const fstab = path.join(scratch, "fstab");
			const start = (target: string) => {
				const lines = ["usr", "bin", "lib", "lib64", "proc"].map((name) => ({ source: `/${name}`, target: name }));
				const mounts = [...lines, { source: path.join(host, "b"), target }].map((line) => ({
					source: line.source,
					target: path.join(root, line.target),
					readOnly: false,
					recursive: true,
				}));
				writeFileSync(fstab, fstabOf(mounts));
				const command = ["/bin/sh", "-c", "echo ran"];
				const [program, ...args] = isolatedCommandLine({
					...{ root, fstab, readOnly: [], workingDir: "/", privileges: plain, env: {}, command },
				});
				const noVariables = openSync("/dev/null", "r");
				const stdio = ["ignore", "pipe", "pipe", "pipe", noVariables] as const;
				const { output } = spawnSync(program, args, { stdio: [...stdio], encoding: "utf8", timeout: 10_000 });
				closeSync(noVariables);
				return output.slice(1, 4);
			};
			assert.deepEqual(start("swapped"), ["", "", "a mount leads out of the container's root\n"]);
			assert.deepEqual(start("usr/share"), ["ran\n", "", "ok\n"]);
		});

		it("keeps a root read-only, volumes as they are asked, and gives up rights", async () => {
			const script = [
				"for d in / /usr /etc /tmp /run /var/lib /ro /rw; do (touch $d/barque-probe && rm $d/barque-probe) 2>/dev/null && echo $d; done",
				"grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status",
			].join("\n");
			const { output } = await run(script, {
				mounts: [mount("/ro", "a", true), mount("/rw", "b")],
				privileges: { ...plain, readOnlyRoot: true, noNewPrivileges: true, capabilities: "-all,+net_bind_service" },
			});
			assert.equal(output, "/rw\nCapBnd:\t0000000000000400\nNoNewPrivs:\t1\n");
		});

		it("shows few devices unless privileged", async () => {
			const { output } = await run("ls /dev");
			const names = output.trim().split("\n");
			assert(names.includes("null") && names.includes("termination-log") && names.length < 20, output);
			const files = {
				lstat: async () => undefined,
				stat: async () => undefined,
				readdir: async () => [],
				readlink: async () => "",
				realpath: async () => undefined,
			};
			assert.equal((await machineRoot(files, { ...plain, privileged: true })).children.has("dev"), false);
		});

		it("runs the built-in images as any user", async () => {
			const started = await runtime.start(
				specOf("", {
					image: "echo",
					command: [],
					env: { PORT: "0" },
					privileges: { ...plain, user: { uid: 4321, gid: 4321, groups: [] } },
				}),
			);
			const file = runtime.log(started.id)?.file ?? "";
			for (let tries = 0; tries < 500 && !readFileSync(file, "utf8").includes("listening"); tries++) {
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
			assert.match(readFileSync(file, "utf8"), /^echo: listening on http:\/\/127\.0\.0\.1/);
		});
	});
