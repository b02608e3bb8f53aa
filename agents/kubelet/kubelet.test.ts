import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createEventRecorder } from "../../apiserver/client/events.ts";
import { createFakeClient, type FakeClient } from "../../apiserver/client/fake.ts";
import { createInformerFactory } from "../../apiserver/client/informer.ts";
import { configMaps, pods, secrets } from "../../apiserver/client/resources.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, Pod, PodSpec } from "../../apiserver/scheme/types.gen.ts";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { rootOnly } from "../../test/platform.ts";
import { AddressPool } from "./addresses.ts";
import { Kubelet } from "./kubelet.ts";
import { killLeftovers } from "./leftovers.ts";
import { streamLog } from "./log-stream.ts";
import { ProcessRuntime } from "./runtime/process.ts";
import { loadRecords } from "./runtime/records.ts";

const stepMs = 20;
const patienceMs = 15_000;

async function until<T>(what: string, find: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
	for (let waited = 0; waited < patienceMs; waited += stepMs) {
		const found = await find();
		if (found !== undefined && found !== false) return found;
		await delay(stepMs);
	}
	throw new Error(`never happened: ${what}`);
}

/** Processes of a group that are not zombies. */
function livingOf(group: number): string[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => {
			try {
				const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
				const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
				return Number(pgrp) === group && state !== "Z";
			} catch {
				return false; // ended meanwhile
			}
		});
}

interface Harness {
	readonly rootDir: string;
	readonly client: FakeClient;
	readonly runtime: ProcessRuntime;
	readonly kubelet: Kubelet;
	/** As a SIGKILL of the kubelet would leave things: nothing is stopped. */
	abandon(): void;
	close(): Promise<void>;
}

async function start(rootDir: string, client: FakeClient, isolation: boolean): Promise<Harness> {
	const world = { client, clock: systemClock, random: systemRandom, logger: silentLogger };
	const informers = createInformerFactory(world);
	const recorder = createEventRecorder({ ...world, component: "kubelet" });
	const runtime = new ProcessRuntime({ rootDir, clock: systemClock, logger: silentLogger, isolation });
	const kubelet = new Kubelet({
		...world,
		informers,
		recorder,
		runtime,
		nodeName: "n1",
		nodeIp: "127.0.0.1",
		podCidr: "127.64.9.0/24",
		rootDir,
		allocatable: { cpu: "2", memory: "1Gi" },
		apiEnvironment: { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "6443" },
	});
	await kubelet.start();
	const abandon = () => {
		kubelet.stop();
		informers.stop();
		recorder.stop();
	};
	return {
		rootDir,
		client,
		runtime,
		kubelet,
		abandon,
		async close() {
			abandon();
			await runtime.close();
		},
	};
}

function makePod(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): KubeObject<Pod> {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: "default", labels: { app: name } },
		spec: {
			nodeName: "n1",
			restartPolicy: "Always",
			terminationGracePeriodSeconds: 2,
			containers: [{ name: "c", image: "busybox", ...container }],
			...spec,
		},
	};
}

const shell = (script: string): Partial<Container> => ({ command: ["/bin/sh", "-c", script] });

for (const isolation of [true, false])
	describe(isolation ? "kubelet: containers in namespaces" : "kubelet: containers without namespaces", () => {
		before(function () {
			if (isolation) rootOnly(this);
		});

		let rootDir: string;
		let harness: Harness;
		const pod = (name: string) => harness.client.peek(pods, `default/${name}`);
		const status = (name: string) => pod(name)?.status?.containerStatuses?.[0];

		beforeEach(async () => {
			rootDir = await mkdtemp(path.join(tmpdir(), "barque-kubelet-"));
			harness = await start(rootDir, createFakeClient({ clock: systemClock }), isolation);
		});
		afterEach(async () => {
			await harness.close();
			await killLeftovers(rootDir);
			await rm(rootDir, { recursive: true, force: true });
		});

		async function logOf(name: string, options: { previous?: boolean; tailLines?: number } = {}): Promise<string> {
			const output = harness.kubelet.output("default", name, "c", options.previous ?? false);
			assert.ok("log" in output, JSON.stringify(output));
			const chunks: Buffer[] = [];
			await streamLog(
				output.log,
				{ follow: false, since: undefined, timestamps: false, limitBytes: undefined, tailLines: options.tailLines },
				{ closed: new AbortController().signal, write: async (chunk) => chunks.push(chunk) > 0 },
				output.ended,
			);
			return Buffer.concat(chunks).toString("utf8");
		}

		it("runs a pod's command, reports it, and keeps its output", async () => {
			harness.client.add(
				makePod("hello", shell('echo "one $GREETING"; echo two; sleep 60'), {
					containers: [
						{
							name: "c",
							image: "any",
							...shell('echo "one $GREETING"; echo two; sleep 60'),
							env: [{ name: "GREETING", value: "hi $(HOSTNAME_)" }],
						},
					],
				}),
			);
			await until("Running", () => pod("hello")?.status?.phase === "Running" && status("hello")?.ready);
			assert.equal(pod("hello")?.status?.podIP, "127.64.9.1");
			assert.equal(pod("hello")?.status?.conditions?.find((c) => c.type === "Ready")?.status, "True");
			await until("output", async () => (await logOf("hello")) === "one hi $(HOSTNAME_)\ntwo\n");
			assert.equal(await logOf("hello", { tailLines: 1 }), "two\n");
		});

		it("puts right what somebody else writes into its status", async () => {
			harness.client.add(makePod("mine", shell("sleep 60")));
			await until("Running", () => pod("mine")?.status?.phase === "Running" && status("mine")?.ready);
			const [own] = pod("mine")?.status?.containerStatuses ?? [];
			const lie = { ...own, ready: false, restartCount: 7 };
			const written = { phase: "Pending", containerStatuses: [lie] };
			await harness.client.resource(pods).patch("default", "mine", "merge", { status: written }, "status");
			await until("put right", () => {
				const now = pod("mine")?.status;
				return now?.phase === "Running" && now.containerStatuses?.[0]?.restartCount === 0;
			});
		});

		it("restarts what exits: at once the first time, then with back-off; keeps the previous log and state", async () => {
			harness.client.add(makePod("crash", shell("echo attempt; exit 3")));
			await until("CrashLoopBackOff", () => status("crash")?.state?.waiting?.reason === "CrashLoopBackOff");
			assert.equal(status("crash")?.restartCount, 1);
			assert.equal(status("crash")?.lastState?.terminated?.exitCode, 3);
			assert.match(
				status("crash")?.state?.waiting?.message ?? "",
				/^back-off 10s restarting failed container=c pod=crash_default/,
			);
			assert.equal(await logOf("crash", { previous: true }), "attempt\n");
		});

		it("finishes a pod that must not restart, by its exit code", async () => {
			harness.client.add(makePod("good", shell("exit 0"), { restartPolicy: "Never" }));
			harness.client.add(makePod("bad", shell("exit 7"), { restartPolicy: "Never" }));
			await until("Succeeded", () => pod("good")?.status?.phase === "Succeeded");
			await until("Failed", () => pod("bad")?.status?.phase === "Failed");
			assert.equal(status("bad")?.state?.terminated?.exitCode, 7);
			assert.equal(status("bad")?.state?.terminated?.reason, "Error");
		});

		it("sees the end of commands that are over at once", async () => {
			const names = Array.from({ length: 24 }, (_, i) => `brief-${i}`);
			for (const name of names)
				harness.client.add(makePod(name, { command: ["/bin/true"] }, { restartPolicy: "Never" }));
			await until("all Succeeded", () => names.every((name) => pod(name)?.status?.phase === "Succeeded"));
		});

		it("waits with ErrImagePull where there is neither a command nor a built-in image", async () => {
			harness.client.add(makePod("web", { image: "nginx:1.27" }));
			const waiting = await until(
				"waiting",
				() => status("web")?.state?.waiting?.reason === "ErrImagePull" && status("web")?.state?.waiting,
			);
			assert.match(waiting.message ?? "", /Give the container a "command", or use a built-in image: pause, echo/);
			assert.equal(pod("web")?.status?.phase, "Pending");
		});

		it("serves HTTP from the echo image on the pod's own address", async () => {
			harness.client.add(
				makePod("echo", {
					image: "echo",
					ports: [{ containerPort: 8181 }],
					readinessProbe: { httpGet: { port: 8181 }, periodSeconds: 1 },
				}),
			);
			await until("ready", () => status("echo")?.ready);
			const answer = await fetch(`http://${pod("echo")?.status?.podIP}:8181/some/path`);
			const body = (await answer.json()) as { pod: string; path: string };
			assert.deepEqual([body.pod, body.path], ["echo", "/some/path"]);
		});

		it("ends a deleted pod's processes with grace, group and all, then removes the object", async () => {
			harness.client.add(makePod("gone", shell('trap "echo bye; exit 0" TERM; sleep 60 & echo up; wait')));
			await until("up", async () => status("gone")?.ready && (await logOf("gone")).includes("up"));
			const [record] = await loadRecords(rootDir);
			await harness.client.resource<Pod>(pods).delete("default", "gone");
			await until("removed", () => pod("gone") === undefined);
			assert.ok(record);
			await until("group ended", () => livingOf(record.pid).length === 0);
			await until("files removed", async () => (await loadRecords(rootDir)).length === 0);
		});

		it("kills what ignores SIGTERM when the grace period is over", async () => {
			harness.client.add(
				makePod("deaf", shell('trap "" TERM; while :; do sleep 1; done'), { terminationGracePeriodSeconds: 1 }),
			);
			await until("up", () => status("deaf")?.ready);
			await harness.client.resource<Pod>(pods).delete("default", "deaf");
			await until("removed", () => pod("deaf") === undefined);
		});

		it("restarts a container whose liveness probe fails, and takes an unready one out of service", async () => {
			const probe = (command: string) => ({
				exec: { command: ["/bin/sh", "-c", command] },
				periodSeconds: 1,
				failureThreshold: 1,
			});
			harness.client.add(makePod("sick", { ...shell("sleep 60"), livenessProbe: probe("exit 1") }));
			harness.client.add(makePod("shy", { ...shell("sleep 60"), readinessProbe: probe(`test -e ${rootDir}/ok`) }));
			await until("restarted", () => (status("sick")?.restartCount ?? 0) >= 1);
			assert.equal(status("shy")?.ready, false);
			await writeFile(path.join(rootDir, "ok"), "");
			await until("ready", () => status("shy")?.ready);
		});

		it("runs init containers in order before the others", async () => {
			const file = path.join(rootDir, "order");
			harness.client.add(
				makePod("ordered", shell(`echo main >> ${file}; sleep 60`), {
					initContainers: [
						{ name: "first", image: "x", ...shell(`echo first >> ${file}`) },
						{ name: "second", image: "x", ...shell(`echo second >> ${file}`) },
					],
				}),
			);
			await until("ready", () => status("ordered")?.ready);
			await until("order", async () => (await readFile(file, "utf8")) === "first\nsecond\nmain\n");
			assert.equal(pod("ordered")?.status?.conditions?.find((c) => c.type === "Initialized")?.status, "True");
		});

		it("fills volumes and environments from ConfigMaps and Secrets, and waits while one is missing", async () => {
			const spec: Partial<PodSpec> = {
				volumes: [{ name: "conf", configMap: { name: "conf" } }],
				containers: [
					{
						name: "c",
						image: "x",
						...shell('cat "$BARQUE_ROOT/etc/conf/key"; echo " $PASSWORD"; sleep 60'),
						volumeMounts: [{ name: "conf", mountPath: "/etc/conf" }],
						env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "pw", key: "p" } } }],
					},
				],
			};
			harness.client.add(makePod("volumes", {}, spec));
			await until("waiting", () => status("volumes")?.state?.waiting?.reason === "ContainerCreating");
			harness.client.add({ ...base("ConfigMap", "conf"), data: { key: "from config" } });
			await until("config error", () => status("volumes")?.state?.waiting?.reason === "CreateContainerConfigError");
			assert.equal(status("volumes")?.state?.waiting?.message, 'secret "pw" not found');
			assert.ok(harness.client.peek(configMaps, "default/conf") && !harness.client.peek(secrets, "default/pw"));
		});

		it("keeps what is written into a volume that has another one below it, for all containers", async () => {
			harness.client.add({ ...base("ConfigMap", "conf"), data: { key: "from config" } });
			const volumeMounts = [
				{ name: "conf", mountPath: "/data/conf" },
				{ name: "conf", mountPath: "/data/files/one", subPath: "key" },
				{ name: "scratch", mountPath: "/data" },
			];
			const write = 'cd "$BARQUE_ROOT/data" && cat conf/key files/one > out && echo done >> out; sleep 60';
			harness.client.add(
				makePod(
					"nested",
					{},
					{
						volumes: [
							{ name: "scratch", emptyDir: {} },
							{ name: "conf", configMap: { name: "conf" } },
						],
						containers: [
							{ name: "w", image: "x", ...shell(write), volumeMounts },
							{
								name: "c",
								image: "x",
								...shell(
									'while ! grep done "$BARQUE_ROOT/all/out"; do sleep 0.05; done; cat "$BARQUE_ROOT/all/out"; sleep 60',
								),
								volumeMounts: [{ name: "scratch", mountPath: "/all" }],
							},
						],
					},
				),
			);
			await until("read", async () => {
				const known = pod("nested")?.status?.containerStatuses?.find(({ name }) => name === "c");
				return known?.state?.running !== undefined && (await logOf("nested")).includes("from configfrom configdone");
			});
		});

		it("shows a container's last words, or the end of its output where it asks for that", async () => {
			const once: Partial<PodSpec> = { restartPolicy: "Never" };
			const words = 'printf "out of cheese" > "$BARQUE_ROOT/dev/termination-log"; exit 3';
			harness.client.add(makePod("says", shell(words), once));
			const fallback = { ...shell("echo one; echo two; exit 1"), terminationMessagePolicy: "FallbackToLogsOnError" };
			harness.client.add(makePod("logs", fallback, once));
			harness.client.add(makePod("mute", shell("echo one; exit 1"), once));
			const message = (name: string) =>
				until(name, () => status(name)?.state?.terminated && { text: status(name)?.state?.terminated?.message });
			assert.equal((await message("says")).text, "out of cheese");
			assert.equal((await message("logs")).text, "one\ntwo\n");
			assert.equal((await message("mute")).text, undefined);
		});

		it("says why a container has no output", async () => {
			const words = (name: string, container = "c", previous = false) => {
				const output = harness.kubelet.output("default", name, container, previous);
				return "message" in output ? `${output.status} ${output.message}` : "output";
			};
			harness.client.add(makePod("imageless", {}));
			harness.client.add(makePod("once", shell("echo hello; sleep 60")));
			await until("waiting", () => status("imageless")?.state?.waiting?.reason === "ErrImagePull");
			await until("ready", () => status("once")?.ready);
			assert.equal(words("once"), "output");
			assert.equal(words("once", "c", true), '400 previous terminated container "c" in pod "once" not found');
			await until("told", () => words("imageless").endsWith("image can't be pulled"));
			assert.equal(
				words("imageless"),
				'400 container "c" in pod "imageless" is waiting to start: image can\'t be pulled',
			);
			assert.equal(words("none"), '404 pod "none" not found');
			assert.equal(words("once", "x"), '404 container "x" not found in pod "once_default"');
		});

		it("sends no conditions but its own, so that it turns nobody else's back", async () => {
			const marked = makePod("marked", shell("sleep 60"));
			const mark = { type: "DisruptionTarget", status: "True", reason: "Test" };
			harness.client.add({ ...marked, status: { phase: "Pending", conditions: [mark] } });
			await until("ready", () => status("marked")?.ready);
			assert.equal(pod("marked")?.status?.conditions?.filter((c) => c.type === "DisruptionTarget").length, 1);
			assert.equal(pod("marked")?.status?.conditions?.filter((c) => c.type === "Ready").length, 1);
			const sent = harness.client.actions.filter((action) => action.verb === "patch" && action.resource === "pods");
			assert(sent.length > 0);
			for (const { object } of sent) assert(!JSON.stringify(object).includes("DisruptionTarget"));
		});

		it("adopts running containers after the kubelet was killed, and ends those of pods that are gone", async () => {
			harness.client.add(makePod("stays", shell("sleep 60")));
			harness.client.add(makePod("goes", shell("sleep 60")));
			await until("both", () => status("stays")?.ready && status("goes")?.ready);
			const before = await loadRecords(rootDir);
			harness.abandon();
			await harness.client.resource<Pod>(pods).delete("default", "goes", { gracePeriodSeconds: 0 });
			harness = await start(rootDir, harness.client, isolation);
			await until("stranger removed", async () => (await loadRecords(rootDir)).length === 1);
			const [after] = await loadRecords(rootDir);
			assert.equal(after?.pid, before.find((record) => record.podUid === pod("stays")?.metadata.uid)?.pid);
			assert.equal(status("stays")?.restartCount, 0);
			process.kill(after?.pid ?? 0, "SIGKILL");
			await until("restarted", () => status("stays")?.restartCount === 1 && status("stays")?.ready);
		});
	});

function base(kind: string, name: string) {
	return { apiVersion: "v1", kind, metadata: { name, namespace: "default" } };
}

describe("kubelet: addresses", () => {
	it("gives each pod its own, and takes them back", () => {
		const pool = new AddressPool("127.64.1.0/30");
		assert.equal(pool.acquire("a"), "127.64.1.1");
		assert.equal(pool.acquire("a"), "127.64.1.1");
		assert.equal(pool.acquire("b"), "127.64.1.2");
		assert.throws(() => pool.acquire("c"), /all 2 are taken/);
		pool.release("a");
		assert.equal(pool.acquire("c"), "127.64.1.1");
		assert.throws(() => new AddressPool("300.1.1.1/24"), RangeError);
	});
});
