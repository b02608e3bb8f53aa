/** Keeps each service's EndpointSlices: its pods' addresses in portions of at most 100, changed as little as possible. */

import { endpointSlices, keyOf, nodes, pods, services, splitKey } from "../../apiserver/client/resources.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { controllerReference } from "../../apiserver/machinery/meta.ts";
import { selectorFromLabels } from "../../apiserver/machinery/selectors.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice } from "../../apiserver/scheme/types.gen.ts";
import { append } from "../../kit/lists.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	deleteSeen,
	errorText,
	ignoringNotFound,
	isConflict,
	isNamespaceTerminating,
	type Pod,
	queueController,
	type Service,
} from "./controller.ts";
import { isReady } from "./pods.ts";
import {
	addressesOf,
	endpointChanged,
	familiesOf,
	familyOf,
	headlessLabel,
	hostnameOf,
	isManaged,
	podsOf,
	targetPort,
	targetRef,
} from "./service-pods.ts";

const serviceLabel = "kubernetes.io/service-name";
const managedByLabel = "endpointslice.kubernetes.io/managed-by";
const managedBy = "endpointslice-controller.k8s.io";

type Slice = KubeObject<EndpointSlice>;
type Zones = (node: string) => string | undefined;

/** Endpoints that belong together: one address family, one set of ports. */
interface Group {
	readonly addressType: "IPv4" | "IPv6";
	readonly ports: readonly DiscoveryEndpointPort[];
	readonly endpoints: Endpoint[];
}

/** What must be written for the slices to say what they should. */
export interface SlicePlan {
	readonly create: EndpointSlice[];
	readonly update: Slice[];
	readonly remove: Slice[];
}

function endpointOf(service: Service, pod: Pod, ip: string, zones: Zones): Endpoint {
	const terminating = pod.metadata.deletionTimestamp !== undefined;
	const serving = isReady(pod);
	const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
	const { nodeName } = pod.spec ?? {};
	const zone = nodeName === undefined ? undefined : zones(nodeName);
	const hostname = hostnameOf(pod, service);
	return {
		addresses: [ip],
		conditions: { ready, serving, terminating },
		...(hostname === undefined ? {} : { hostname }),
		targetRef: targetRef(pod),
		...(nodeName === undefined ? {} : { nodeName }),
		...(zone === undefined ? {} : { zone }),
	};
}

function portsFor(service: Service, pod: Pod): DiscoveryEndpointPort[] {
	const ports: DiscoveryEndpointPort[] = [];
	for (const { name = "", protocol = "TCP", appProtocol, ...rest } of service.spec?.ports ?? []) {
		const port = targetPort(pod, { protocol, ...rest });
		if (port === undefined) continue;
		ports.push({ name, protocol, port, ...(appProtocol === undefined ? {} : { appProtocol }) });
	}
	return ports;
}

const portsKey = (addressType: string | undefined, ports: readonly DiscoveryEndpointPort[] | undefined): string =>
	JSON.stringify([
		addressType,
		(ports ?? []).map((p) => [p.name ?? "", p.protocol ?? "TCP", p.port ?? 0, p.appProtocol ?? ""]).sort(),
	]);

function groupsOf(service: Service, all: readonly Pod[], zones: Zones): Map<string, Group> {
	const groups = new Map<string, Group>();
	for (const pod of podsOf(service, all, true)) {
		const ports = portsFor(service, pod);
		for (const addressType of familiesOf(service)) {
			const ip = addressesOf(pod).find((address) => familyOf(address) === addressType);
			if (ip === undefined) continue;
			const key = portsKey(addressType, ports);
			let group = groups.get(key);
			if (group === undefined) groups.set(key, (group = { addressType, ports, endpoints: [] }));
			group.endpoints.push(endpointOf(service, pod, ip, zones));
		}
	}
	return groups;
}

function sliceLabels(service: Service): Record<string, string> {
	const labels = { ...service.metadata.labels };
	for (const reserved of [headlessLabel, serviceLabel, managedByLabel]) delete labels[reserved];
	return {
		...labels,
		...(service.spec?.clusterIP === "None" ? { [headlessLabel]: "" } : {}),
		[serviceLabel]: service.metadata.name ?? "",
		[managedByLabel]: managedBy,
	};
}

function newSlice(service: Service, group: Omit<Group, "endpoints">, endpoints: Endpoint[]): EndpointSlice {
	return {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			generateName: `${service.metadata.name}-`,
			namespace: service.metadata.namespace ?? "",
			labels: sliceLabels(service),
			ownerReferences: [controllerReference(service, { apiVersion: "v1", kind: "Service" })],
		},
		addressType: group.addressType,
		ports: [...group.ports],
		endpoints,
	};
}

const identity = (endpoint: Endpoint): string => `${endpoint.targetRef?.uid ?? ""} ${endpoint.addresses?.[0] ?? ""}`;

/** Brings one group's slices up to date: what is there stays where it is, room is filled, the rest goes to new slices. */
function planGroup(service: Service, group: Group, slices: readonly Slice[], max: number, plan: SlicePlan): void {
	const missing = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
	const kept = slices.map((slice) => {
		const endpoints: Endpoint[] = [];
		for (const endpoint of slice.endpoints ?? []) {
			const wanted = missing.get(identity(endpoint));
			if (wanted === undefined || endpoints.length >= max) continue;
			missing.delete(identity(endpoint));
			endpoints.push(wanted);
		}
		return { slice, endpoints };
	});
	const rest = [...missing.values()];
	// The fullest slice that has room takes the new ones: fewer slices are touched, and half-empty ones run out.
	for (const entry of kept.toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
		if (rest.length === 0) break;
		append(entry.endpoints, rest.splice(0, max - entry.endpoints.length));
	}
	const labels = sliceLabels(service);
	for (const { slice, endpoints } of kept) {
		const next = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
		if (endpoints.length === 0) plan.remove.push(slice);
		else if (wouldChange(slice, next)) plan.update.push(next);
	}
	while (rest.length > 0) plan.create.push(newSlice(service, group, rest.splice(0, max)));
}

/** The changes that make `slices` those of `service`. A service without endpoints keeps one empty slice a family. */
export function planSlices(
	service: Service,
	all: readonly Pod[],
	slices: readonly Slice[],
	max: number,
	zones: Zones = () => undefined,
): SlicePlan {
	const plan: SlicePlan = { create: [], update: [], remove: [] };
	const groups = groupsOf(service, all, zones);
	for (const addressType of familiesOf(service)) {
		if ([...groups.values()].some((group) => group.addressType === addressType)) continue;
		planPlaceholder(service, addressType, slices, plan);
	}
	const families = new Set<string>(familiesOf(service));
	const handled = new Set([...plan.update, ...plan.remove].map((slice) => slice.metadata.uid));
	const byKey = Map.groupBy(slices, (slice) => portsKey(slice.addressType, slice.ports));
	for (const [key, group] of groups) planGroup(service, group, byKey.get(key) ?? [], max, plan);
	for (const [key, orphans] of byKey) {
		if (groups.has(key)) continue;
		for (const slice of orphans) {
			const placeholder = families.has(slice.addressType ?? "") && !hasGroup(groups, slice.addressType);
			if (!placeholder && !handled.has(slice.metadata.uid)) plan.remove.push(slice);
		}
	}
	return plan;
}

const hasGroup = (groups: ReadonlyMap<string, Group>, addressType: string | undefined): boolean =>
	[...groups.values()].some((group) => group.addressType === addressType);

function planPlaceholder(service: Service, addressType: "IPv4" | "IPv6", slices: readonly Slice[], plan: SlicePlan) {
	const [first, ...others] = slices.filter((slice) => slice.addressType === addressType);
	append(plan.remove, others);
	if (first === undefined) {
		plan.create.push(newSlice(service, { addressType, ports: [] }, []));
		return;
	}
	const labels = sliceLabels(service);
	const next = { ...first, metadata: { ...first.metadata, labels }, ports: [], endpoints: [] };
	if (wouldChange(first, next)) plan.update.push(next);
}

/** What was written of a service's slices and is not in the cache yet. */
class Unseen {
	/** Name to resource version (Infinity: deleted). */
	readonly #slices = new Map<string, Map<string, number>>();

	note(service: string, slice: Slice, deleted = false): void {
		let names = this.#slices.get(service);
		if (names === undefined) this.#slices.set(service, (names = new Map()));
		const version = deleted ? Number.POSITIVE_INFINITY : Number(slice.metadata.resourceVersion);
		names.set(slice.metadata.name ?? "", version);
	}

	seen(service: string, slice: Slice, deleted: boolean): void {
		const names = this.#slices.get(service);
		const version = names?.get(slice.metadata.name ?? "");
		if (names === undefined || version === undefined) return;
		if (deleted || Number(slice.metadata.resourceVersion) >= version) names.delete(slice.metadata.name ?? "");
		if (names.size === 0) this.#slices.delete(service);
	}

	pending(service: string): boolean {
		return this.#slices.has(service);
	}

	forget(service: string): void {
		this.#slices.delete(service);
	}
}

/** The endpointslice controller; `maxEndpoints` a slice. */
export function createEndpointSliceController(ctx: ControllerContext, maxEndpoints = 100): Controller {
	const { client } = ctx;
	const recorder = ctx.recorder("endpoint-slice-controller");
	const api = client.resource(endpointSlices);
	const serviceCache = ctx.informers.informer(services);
	const podCache = ctx.informers.informer(pods);
	const nodeCache = ctx.informers.informer(nodes);
	const cache = ctx.informers.informer(endpointSlices);
	const unseen = new Unseen();
	cache.addIndex("service", (slice) => {
		const name = slice.metadata.labels?.[serviceLabel];
		const ours = slice.metadata.labels?.[managedByLabel] === managedBy;
		return name === undefined || !ours ? [] : [`${slice.metadata.namespace}/${name}`];
	});
	const queue = controllerQueue(ctx, "endpointslice", sync, 5, serviceCache);
	const enqueueFor = (pod: Pod) => {
		for (const service of serviceCache.list(pod.metadata.namespace)) {
			if (!isManaged(service)) continue;
			if (selectorFromLabels(service.spec?.selector).matches(pod.metadata.labels)) queue.add(keyOf(service));
		}
	};
	serviceCache.addHandlers({
		onAdd: (service) => queue.add(keyOf(service)),
		onUpdate: (_, service) => queue.add(keyOf(service)),
		onDelete: (service) => queue.add(keyOf(service)),
	});
	podCache.addHandlers({
		onAdd: enqueueFor,
		onUpdate(previous, pod) {
			if (!endpointChanged(previous, pod)) return;
			enqueueFor(previous);
			enqueueFor(pod);
		},
		onDelete: enqueueFor,
	});
	const onSlice = (slice: Slice, deleted: boolean) => {
		const service = `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceLabel] ?? ""}`;
		unseen.seen(service, slice, deleted);
		if (serviceCache.get(service) !== undefined) queue.add(service);
	};
	cache.addHandlers({
		onAdd: (slice) => onSlice(slice, false),
		onUpdate: (_, slice) => onSlice(slice, false),
		onDelete: (slice) => onSlice(slice, true),
	});
	const zones: Zones = (node) => nodeCache.get(node)?.metadata.labels?.["topology.kubernetes.io/zone"];

	async function sync(key: string): Promise<void> {
		const service = serviceCache.get(key);
		if (service === undefined) return unseen.forget(key); // its slices go with it
		if (!isManaged(service) || service.metadata.deletionTimestamp !== undefined) return;
		if (unseen.pending(key)) return; // the cache is behind; what it still lacks brings us back
		const { namespace } = splitKey(key);
		const slices = cache.byIndex("service", key).filter((slice) => slice.metadata.deletionTimestamp === undefined);
		const plan = planSlices(service, podCache.list(namespace), slices, maxEndpoints, zones);
		try {
			await carryOut(key, namespace, plan);
		} catch (error) {
			if (isNamespaceTerminating(error)) return;
			if (!isConflict(error)) {
				const text = `Error updating Endpoint Slices for Service ${key}: ${errorText(error)}`;
				recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", text);
			}
			throw error;
		}
	}

	async function carryOut(key: string, namespace: string, plan: SlicePlan): Promise<void> {
		for (const slice of plan.create) unseen.note(key, await api.create(namespace, slice));
		for (const slice of plan.update) unseen.note(key, await api.update(slice));
		for (const slice of plan.remove) {
			await ignoringNotFound(deleteSeen(client, endpointSlices, slice));
			if (cache.get(keyOf(slice)) !== undefined) unseen.note(key, slice, true);
		}
		for (const slice of cache.byIndex("service", key)) unseen.seen(key, slice, false);
	}

	return queueController("endpointslice", queue);
}
