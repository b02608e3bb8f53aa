/** What the scheduler knows of one node: the object, the pods on it (bound or assumed), and the sums over them. */
import { parseQuantityValue, quantityMilliValue, quantityValue } from "../../apiserver/machinery/quantity.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, Node, Pod } from "../../apiserver/scheme/types.gen.ts";

export type PodObject = KubeObject<Pod>;
export type NodeObject = KubeObject<Node>;

/** Amounts by resource name: cpu in thousandths, everything else in units. */
export type Resources = ReadonlyMap<string, number>;

const defaultMilliCpu = 100;
const defaultMemoryBytes = 200 * 1024 * 1024;

function amount(name: string, quantity: unknown): number {
	const parsed = parseQuantityValue(quantity);
	return Number(name === "cpu" ? quantityMilliValue(parsed) : quantityValue(parsed));
}

function add(into: Map<string, number>, quantities: Readonly<Record<string, unknown>> | undefined): void {
	for (const [name, quantity] of Object.entries(quantities ?? {})) {
		into.set(name, (into.get(name) ?? 0) + amount(name, quantity));
	}
}

function raise(into: Map<string, number>, floor: Resources): void {
	for (const [name, value] of floor) into.set(name, Math.max(into.get(name) ?? 0, value));
}

const isSidecar = (container: Container) => container.restartPolicy === "Always";

/**
 * What the pod asks of a node (component-helpers `PodRequests`): its containers and sidecars together, or an init
 * container with the sidecars started before it where that is more, plus the overhead.
 */
export function podRequests(pod: Pod): Resources {
	const total = new Map<string, number>();
	for (const container of pod.spec?.containers ?? []) add(total, container.resources?.requests);
	const sidecars = new Map<string, number>();
	const initPeak = new Map<string, number>();
	for (const container of pod.spec?.initContainers ?? []) {
		const own = new Map<string, number>(sidecars);
		add(own, container.resources?.requests);
		raise(initPeak, own);
		if (isSidecar(container)) {
			add(sidecars, container.resources?.requests);
			add(total, container.resources?.requests);
		}
	}
	raise(total, initPeak);
	add(total, pod.spec?.overhead);
	return total;
}

/** As `podRequests`, with upstream's stand-ins for containers that ask for nothing; used for scoring only. */
export function nonZeroRequests(pod: Pod): { readonly milliCpu: number; readonly memory: number } {
	let milliCpu = 0;
	let memory = 0;
	for (const { resources } of pod.spec?.containers ?? []) {
		const cpu = resources?.requests?.["cpu"];
		const bytes = resources?.requests?.["memory"];
		milliCpu += cpu === undefined ? defaultMilliCpu : amount("cpu", cpu);
		memory += bytes === undefined ? defaultMemoryBytes : amount("memory", bytes);
	}
	return { milliCpu, memory };
}

export interface HostPort {
	readonly ip: string;
	readonly protocol: string;
	readonly port: number;
}

export function hostPorts(pod: Pod): HostPort[] {
	return (pod.spec?.containers ?? []).flatMap((container) =>
		(container.ports ?? [])
			.filter((port) => (port.hostPort ?? 0) > 0)
			.map((port) => ({ ip: port.hostIP || "0.0.0.0", protocol: port.protocol ?? "TCP", port: port.hostPort ?? 0 })),
	);
}

/** A pod's uid; its place where it has none. */
export const identityOf = (pod: PodObject): string =>
	pod.metadata.uid ?? `${pod.metadata.namespace}/${pod.metadata.name}`;

export class NodeInfo {
	node: NodeObject;
	allocatable: Resources;
	/** Invariant: the sums below are over exactly these pods. */
	readonly pods = new Map<string, PodObject>();
	/** What was counted of each pod, so that just that is taken back. */
	readonly #counted = new Map<string, Counted>();
	readonly requested = new Map<string, number>();
	nonZeroMilliCpu = 0;
	nonZeroMemory = 0;

	constructor(node: NodeObject) {
		this.node = node;
		this.allocatable = allocatableOf(node);
	}

	/** Why what the node offers cannot be read, in which case it offers nothing. */
	get problem(): string | undefined {
		return problemWith(() => amountsOf(this.node));
	}

	/** Host ports that its pods hold. */
	*usedPorts(): Generator<HostPort> {
		for (const { ports } of this.#counted.values()) yield* ports;
	}

	get name(): string {
		return this.node.metadata.name ?? "";
	}

	get labels(): Readonly<Record<string, string>> {
		return this.node.metadata.labels ?? {};
	}

	setNode(node: NodeObject): void {
		this.node = node;
		this.allocatable = allocatableOf(node);
	}

	addPod(pod: PodObject): void {
		this.removePod(pod);
		const counted = countedOf(pod);
		this.pods.set(identityOf(pod), pod);
		this.#counted.set(identityOf(pod), counted);
		this.#account(counted, 1);
	}

	removePod(pod: PodObject): void {
		const known = this.#counted.get(identityOf(pod));
		if (known === undefined) return;
		this.pods.delete(identityOf(pod));
		this.#counted.delete(identityOf(pod));
		this.#account(known, -1);
	}

	#account({ requests, nonZero }: Counted, sign: 1 | -1): void {
		for (const [name, value] of requests) {
			this.requested.set(name, (this.requested.get(name) ?? 0) + sign * value);
		}
		this.nonZeroMilliCpu += sign * nonZero.milliCpu;
		this.nonZeroMemory += sign * nonZero.memory;
	}
}

interface Counted {
	readonly requests: Resources;
	readonly nonZero: { readonly milliCpu: number; readonly memory: number };
	readonly ports: readonly HostPort[];
}

/** What a pod takes of its node; one that cannot be read takes nothing that can be told. */
function countedOf(pod: PodObject): Counted {
	try {
		return { requests: podRequests(pod), nonZero: nonZeroRequests(pod), ports: hostPorts(pod) };
	} catch {
		return { requests: new Map(), nonZero: { milliCpu: 0, memory: 0 }, ports: [] };
	}
}

/** Why what a pod on a node takes of it cannot be read; undefined where it can. */
export const problemOfPod = (pod: PodObject): string | undefined =>
	problemWith(() => [podRequests(pod), nonZeroRequests(pod), hostPorts(pod)]);

function problemWith(read: () => unknown): string | undefined {
	try {
		read();
		return undefined;
	} catch (error) {
		return (error as Error).message;
	}
}

function amountsOf(node: NodeObject): Resources {
	const total = new Map<string, number>();
	add(total, node.status?.allocatable ?? node.status?.capacity);
	return total;
}

function allocatableOf(node: NodeObject): Resources {
	try {
		return amountsOf(node);
	} catch {
		return new Map([["pods", 0]]);
	}
}
