/** `barque kubelet`: flags have kubelet's names where it has them. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { createEventRecorder } from "../../apiserver/client/events.ts";
import { createInformerFactory } from "../../apiserver/client/informer.ts";
import { loadKubeconfig } from "../../apiserver/client/kubeconfig.ts";
import { queueMetrics, requestMetrics } from "../../apiserver/client/metrics.ts";
import { createApiClient } from "../../apiserver/client/rest.ts";
import { kubernetesVersion } from "../../apiserver/scheme/kubernetes-version.ts";
import type { ObjectReference, Taint } from "../../apiserver/scheme/types.gen.ts";
import { registerBuildInfo } from "../../kit/build-info.ts";
import { systemClock } from "../../kit/clock.ts";
import { parseCommand } from "../../kit/flags.ts";
import { createLogger, type Level } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { Kubelet } from "./kubelet.ts";
import { NodeReporter, resources } from "./node.ts";
import { HollowRuntime } from "./runtime/hollow.ts";
import { ProcessRuntime } from "./runtime/process.ts";
import { startKubeletServer } from "./server.ts";

const flags = {
	kubeconfig: { type: "string", required: true, help: "Kubeconfig file: the apiserver and the node's credentials." },
	"hostname-override": { type: "string", default: hostname().toLowerCase(), help: "Name of the node." },
	"root-dir": { type: "string", required: true, help: "Folder for pods, volumes and logs of this node." },
	runtime: {
		type: "string",
		choices: ["process", "hollow"],
		default: "process",
		help: "process: containers are child processes of this machine. hollow: they are simulated.",
	},
	"node-ip": { type: "string", default: "127.0.0.1", help: "Address of the node." },
	"pod-cidr": {
		type: "string",
		default: "",
		help: "IPv4 range of the pods' addresses; under 127.0.0.0/8 they can be listened on. Empty: all have the node's.",
	},
	"max-pods": { type: "integer", default: 110, min: 1, max: 10_000, help: "Pods this node takes." },
	"node-labels": { type: "map", help: "Labels the node registers with." },
	"register-with-taints": {
		type: "list",
		placeholder: "KEY=VALUE:EFFECT,...",
		help: "Taints the node registers with.",
	},
	"node-capacity": { type: "map", help: "Capacity in place of the machine's, e.g. cpu=64,memory=256Gi." },
	"node-status-update-frequency": {
		type: "duration",
		default: 10_000,
		help: "How often the node's status is computed.",
	},
	"node-status-report-frequency": {
		type: "duration",
		default: 300_000,
		help: "How often an unchanged status is written.",
	},
	"node-lease-duration-seconds": {
		type: "integer",
		default: 40,
		min: 1,
		help: "Duration of the node's Lease; it is renewed four times in that time.",
	},
	address: { type: "string", default: "127.0.0.1", group: "Serving", help: "Address to serve on." },
	port: { type: "integer", default: 10_250, min: 0, max: 65_535, group: "Serving", help: "Port to serve on." },
	"tls-cert-file": { type: "string", required: true, group: "Serving", help: "Certificate (PEM)." },
	"tls-private-key-file": { type: "string", required: true, group: "Serving", help: "Key (PEM) of the certificate." },
	"client-ca-file": {
		type: "string",
		required: true,
		group: "Serving",
		help: "PEM file; callers must show a certificate it signed.",
	},
	"log-level": {
		type: "string",
		choices: ["debug", "info", "warn", "error"],
		default: "info",
		help: "Least severity that is logged.",
	},
} as const;

/** `dedicated=db:NoSchedule`. Throws RangeError. */
export function parseTaint(text: string): Taint {
	const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
	if (match === null) throw new RangeError(`--register-with-taints: ${JSON.stringify(text)} is not KEY=VALUE:EFFECT`);
	return { key: match[1], ...(match[2] ? { value: match[2] } : {}), effect: match[3] };
}

export async function runKubelet(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(
		{
			name: "barque kubelet",
			summary: "Runs the pods bound to one node.",
			flags,
			examples: [
				"barque kubelet --kubeconfig kubelet.kubeconfig --root-dir ./node-1 --hostname-override node-1 --tls-cert-file k.crt --tls-private-key-file k.key --client-ca-file ca.crt",
			],
		},
		argv,
	);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	const rootDir = path.resolve(values["root-dir"]);
	mkdirSync(rootDir, { recursive: true, mode: 0o700 });
	const nodeName = values["hostname-override"];
	const logger = createLogger({ level: values["log-level"] as Level }).with({ component: "kubelet", node: nodeName });
	const access = loadKubeconfig(values.kubeconfig);
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	registerBuildInfo(registry, kubernetesVersion);
	queueMetrics(registry);
	const observer = requestMetrics(registry);
	const client = createApiClient({ kubeconfig: values.kubeconfig, userAgent: "kubelet", observer });
	const world = { client, clock: systemClock, random: systemRandom, logger };
	const recorder = createEventRecorder({ ...world, component: "kubelet", host: nodeName });
	const onParked = (object: ObjectReference, why: string) => recorder.event(object, "Warning", "FailedDecode", why);
	const informers = createInformerFactory({ ...world, onParked });
	const runtime =
		values.runtime === "hollow"
			? new HollowRuntime(systemClock)
			: new ProcessRuntime({ rootDir, clock: systemClock, logger });
	const server = new URL(access.server);
	const kubelet = new Kubelet({
		...world,
		informers,
		recorder,
		runtime,
		nodeName,
		nodeIp: values["node-ip"],
		podCidr: values["pod-cidr"],
		rootDir,
		allocatable: resources({ capacity: values["node-capacity"], maxPods: values["max-pods"] }),
		apiEnvironment: {
			KUBERNETES_SERVICE_HOST: server.hostname,
			KUBERNETES_SERVICE_PORT: server.port || "443",
			KUBERNETES_SERVICE_PORT_HTTPS: server.port || "443",
		},
	});
	new Gauge({
		name: "kubelet_running_pods",
		help: "Pods that have a worker on this node.",
		registers: [registry],
		collect() {
			this.set(kubelet.podCount);
		},
	});
	const serving = await startKubeletServer({
		address: values.address,
		port: values.port,
		certFile: values["tls-cert-file"],
		keyFile: values["tls-private-key-file"],
		clientCaFile: values["client-ca-file"],
		nodeName,
		client,
		clock: systemClock,
		logger,
		pods: () => kubelet.listPods(),
		output: (...of) => kubelet.output(...of),
		metrics: () => registry.metrics(),
	});
	const reporter = new NodeReporter({
		...world,
		name: nodeName,
		address: values["node-ip"],
		port: serving.port,
		podCidr: values["pod-cidr"],
		labels: values["node-labels"],
		taints: values["register-with-taints"].map(parseTaint),
		maxPods: values["max-pods"],
		runtimeVersion: runtime.version,
		kubeletVersion: kubernetesVersion.gitVersion,
		bootId: bootId(),
		statusUpdateMs: values["node-status-update-frequency"],
		statusReportMs: values["node-status-report-frequency"],
		leaseDurationSeconds: values["node-lease-duration-seconds"],
		capacity: values["node-capacity"],
	});
	const ended = Promise.withResolvers<void>();
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => ended.resolve());
	logger.info("serving", { port: serving.port, runtime: runtime.name });
	await Promise.race([Promise.all([reporter.start(), kubelet.start()]), ended.promise]);
	await ended.promise;
	reporter.stop();
	kubelet.stop();
	informers.stop();
	await runtime.close();
	recorder.stop();
	await serving.close();
	await client.close();
	return 0;
}

function bootId(): string {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		// Not Linux: a new id at every start serves as well.
		return randomUUID();
	}
}
