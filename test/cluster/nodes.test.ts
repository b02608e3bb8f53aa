/** What a cluster does when containers, pods and nodes fail; upstream's flags shorten upstream's minutes. */
import assert from "node:assert/strict";
import { deployments, events, nodes, pods } from "../../apiserver/client/resources.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Pod } from "../../apiserver/scheme/types.gen.ts";
import { type Cluster, startCluster } from "../../cluster/start-cluster.ts";
import { findKubectls } from "../kubectl/binaries.ts";
import { eventually } from "../until.ts";

const namespace = "default";

describe("cluster: containers, pods and nodes that fail", function () {
	this.timeout(180_000);
	let cluster: Cluster;

	before(async () => {
		cluster = await startCluster({
			masters: 1,
			nodes: 2,
			extraArgs: {
				apiserver: ["--default-not-ready-toleration-seconds=2", "--default-unreachable-toleration-seconds=2"],
				"controller-manager": ["--node-monitor-period=1s", "--node-monitor-grace-period=5s"],
				kubelet: ["--node-status-update-frequency=1s", "--node-lease-duration-seconds=4"],
			},
		});
	});
	after(async () => {
		await cluster?.stop();
	});

	const listPods = async (app: string): Promise<KubeObject<Pod>[]> =>
		(await cluster.client.resource(pods).list(namespace, { labelSelector: `app=${app}` })).items;
	const isReady = (pod: KubeObject<Pod>) =>
		(pod.status?.conditions ?? []).some((condition) => condition.type === "Ready" && condition.status === "True");

	async function deploy(app: string, replicas: number): Promise<KubeObject<Pod>[]> {
		await cluster.client.resource(deployments).create(namespace, {
			metadata: { name: app },
			spec: {
				replicas,
				selector: { matchLabels: { app } },
				template: {
					metadata: { labels: { app } },
					spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "c", image: "pause" }] },
				},
			},
		});
		return eventually(`${app} ready`, async () => {
			const found = await listPods(app);
			return found.length === replicas && found.every(isReady) && found;
		});
	}

	it("restarts a container that exits, with back-off, and says so", async () => {
		const container = { name: "c", image: "any", command: ["/bin/sh", "-c", "exit 1"] };
		await cluster.client.resource(pods).create(namespace, {
			metadata: { name: "crash", labels: { app: "crash" } },
			spec: { terminationGracePeriodSeconds: 0, containers: [container] },
		});
		const crashed = await eventually("CrashLoopBackOff", async () => {
			const pod = await cluster.client.resource(pods).get(namespace, "crash");
			const [status] = pod.status?.containerStatuses ?? [];
			return status?.state?.waiting?.reason === "CrashLoopBackOff" && (status.restartCount ?? 0) >= 2 && status;
		});
		assert.equal(crashed.lastState?.terminated?.exitCode, 1);
		assert.match(
			crashed.state?.waiting?.message ?? "",
			/^back-off (10|20)s restarting failed container=c pod=crash_default/,
		);
		await eventually("BackOff event", async () => {
			const { items } = await cluster.client.resource(events).list(namespace);
			return items.some((event) => event.reason === "BackOff" && event.involvedObject?.name === "crash");
		});
	});

	it("replaces a deleted pod", async () => {
		const [first] = await deploy("web", 2);
		const name = first?.metadata.name ?? "";
		await cluster.client.resource(pods).delete(namespace, name);
		await eventually("replaced", async () => {
			const now = await listPods("web");
			return now.length === 2 && now.every((pod) => pod.metadata.name !== name && isReady(pod));
		});
	});

	it("lets a program in a pod find its service account, as client-go looks for it", async () => {
		const [kubectl] = findKubectls();
		assert(kubectl !== undefined, "this machine has no kubectl");
		const script = `${kubectl.file} get --raw /version && ${kubectl.file} get secrets`;
		await cluster.client.resource(pods).create(namespace, {
			metadata: { name: "client" },
			spec: { restartPolicy: "Never", containers: [{ name: "c", image: "any", command: ["/bin/sh", "-c", script] }] },
		});
		const ended = await eventually("ended", async () => {
			const pod = await cluster.client.resource(pods).get(namespace, "client");
			return pod.status?.containerStatuses?.[0]?.state?.terminated;
		});
		const { body } = await cluster.client.raw("GET", `/api/v1/namespaces/${namespace}/pods/client/log`);
		assert.match(body.toString(), /"gitVersion"/);
		assert.match(body.toString(), /User "system:serviceaccount:default:default" cannot list resource "secrets"/);
		assert.equal(ended.exitCode, 1);
	});

	it("marks a killed kubelet's node NotReady, moves its pods, and takes the node back", async () => {
		const before = await deploy("mobile", 4);
		const lost = before.filter((pod) => pod.spec?.nodeName === "node-2");
		assert.ok(lost.length > 0, "the scheduler spreads over both nodes");
		await cluster.killKubelet("node-2");
		const readiness = async () => {
			const node = await cluster.client.resource(nodes).get("", "node-2");
			return (node.status?.conditions ?? []).find((condition) => condition.type === "Ready");
		};
		const condition = await eventually("NotReady", async () => {
			const ready = await readiness();
			return ready?.status === "Unknown" && ready;
		});
		assert.equal(condition.reason, "NodeStatusUnknown");
		assert.equal(condition.message, "Kubelet stopped posting node status.");
		await eventually("NoExecute taint", async () => {
			const node = await cluster.client.resource(nodes).get("", "node-2");
			return (node.spec?.taints ?? []).some(
				({ key, effect }) => key === "node.kubernetes.io/unreachable" && effect === "NoExecute",
			);
		});
		await eventually("moved", async () => {
			const alive = (await listPods("mobile")).filter((pod) => pod.metadata.deletionTimestamp === undefined);
			return alive.length === 4 && alive.every((pod) => pod.spec?.nodeName === "node-1" && isReady(pod));
		});
		await cluster.reviveKubelet("node-2");
		await eventually("Ready again", async () => (await readiness())?.status === "True");
		await eventually("the old pods are gone", async () => (await listPods("mobile")).length === 4);
	});
});
