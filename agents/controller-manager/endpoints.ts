/** Keeps each service's Endpoints object: the addresses of its pods, ready and not. */
import { endpoints, keyOf, pods, services, splitKey } from "../../apiserver/client/resources.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { selectorFromLabels } from "../../apiserver/machinery/selectors.ts";
import type { EndpointAddress, EndpointPort, EndpointSubset } from "../../apiserver/scheme/types.gen.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	deleteSeen,
	errorText,
	ignoringNotFound,
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
	isHeadless,
	isManaged,
	podsOf,
	targetPort,
	targetRef,
} from "./service-pods.ts";

const maxAddresses = 1000;
const overCapacity = "endpoints.kubernetes.io/over-capacity";
const managedByLabel = "endpoints.kubernetes.io/managed-by";

interface Entry {
	readonly address: EndpointAddress;
	readonly ready: boolean;
	readonly ports: readonly EndpointPort[];
}

function entryOf(service: Service, pod: Pod): Entry | undefined {
	const family = familiesOf(service)[0];
	const ip = addressesOf(pod).find((address) => familyOf(address) === family);
	if (ip === undefined) return undefined;
	const hostname = hostnameOf(pod, service);
	const address: EndpointAddress = {
		ip,
		...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
		...(hostname === undefined ? {} : { hostname }),
		targetRef: targetRef(pod),
	};
	const ports: EndpointPort[] = [];
	for (const servicePort of service.spec?.ports ?? []) {
		const port = targetPort(pod, servicePort);
		if (port === undefined) continue;
		const { name = "", protocol = "TCP", appProtocol } = servicePort;
		ports.push({
			...(name === "" ? {} : { name }),
			port,
			protocol,
			...(appProtocol === undefined ? {} : { appProtocol }),
		});
	}
	if (ports.length === 0 && !(isHeadless(service) && (service.spec?.ports ?? []).length === 0)) return undefined;
	return { address, ready: service.spec?.publishNotReadyAddresses === true || isReady(pod), ports };
}

/** Addresses that have the same ports share a subset; everything in a fixed order. */
export function subsetsOf(service: Service, all: readonly Pod[]): { subsets: EndpointSubset[]; truncated: boolean } {
	// Who asks for addresses that are not ready asks for those of pods on their way out, too.
	const entries = podsOf(service, all, service.spec?.publishNotReadyAddresses === true)
		.map((pod) => entryOf(service, pod))
		.filter((entry) => entry !== undefined);
	const order = (e: Entry) => `${e.ready ? 0 : 1} ${e.address.ip} ${e.address.targetRef?.uid}`;
	entries.sort((a, b) => (order(a) < order(b) ? -1 : 1));
	const truncated = entries.length > maxAddresses;
	const groups = new Map<string, Entry[]>();
	for (const entry of entries.slice(0, maxAddresses)) {
		const key = JSON.stringify(entry.ports.toSorted((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1)));
		const group = groups.get(key);
		if (group === undefined) groups.set(key, [entry]);
		else group.push(entry);
	}
	const subsets = [...groups]
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([key, group]) => {
			const addresses = group.filter((e) => e.ready).map((e) => e.address);
			const notReadyAddresses = group.filter((e) => !e.ready).map((e) => e.address);
			const ports = JSON.parse(key) as EndpointPort[];
			return {
				...(addresses.length > 0 ? { addresses } : {}),
				...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
				...(ports.length > 0 ? { ports } : {}),
			};
		});
	return { subsets, truncated };
}

function labelsOf(service: Service): Record<string, string> {
	const { [headlessLabel]: _, ...labels } = service.metadata.labels ?? {};
	return {
		...labels,
		[managedByLabel]: "endpoint-controller",
		...(service.spec?.clusterIP === "None" ? { [headlessLabel]: "" } : {}),
	};
}

/** The endpoints controller. */
export function createEndpointsController(ctx: ControllerContext): Controller {
	const { client } = ctx;
	const recorder = ctx.recorder("endpoint-controller");
	const api = client.resource(endpoints);
	const serviceCache = ctx.informers.informer(services);
	const podCache = ctx.informers.informer(pods);
	const cache = ctx.informers.informer(endpoints);
	const queue = controllerQueue(ctx, "endpoints", sync, 5, serviceCache);
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
	// One that was deleted or changed by hand is put right; one without its service is deleted.
	cache.addHandlers({ onAdd: (e) => queue.add(keyOf(e)), onDelete: (e) => queue.add(keyOf(e)) });

	async function sync(key: string): Promise<void> {
		const service = serviceCache.get(key);
		const { namespace, name } = splitKey(key);
		const current = cache.get(key);
		if (service === undefined) {
			const ours = current?.metadata.labels?.[managedByLabel] === "endpoint-controller";
			if (ours) await ignoringNotFound(deleteSeen(client, endpoints, current));
			return;
		}
		if (!isManaged(service)) return;
		const { subsets, truncated } = subsetsOf(service, podCache.list(namespace));
		const labels = labelsOf(service);
		const { [overCapacity]: _, ...kept } = current?.metadata.annotations ?? {};
		const annotations = { ...kept, ...(truncated ? { [overCapacity]: "truncated" } : {}) };
		const next = { ...current, metadata: { ...current?.metadata, labels, annotations }, subsets };
		if (current !== undefined && !wouldChange(current, { ...current, ...next })) return;
		const verb = current === undefined ? "create" : "update";
		try {
			if (current === undefined) {
				const metadata = { name, namespace, labels, annotations };
				await api.create(namespace, { apiVersion: "v1", kind: "Endpoints", metadata, subsets });
			} else await api.update({ ...current, ...next });
		} catch (error) {
			if (isNamespaceTerminating(error)) return;
			const reason = verb === "create" ? "FailedToCreateEndpoint" : "FailedToUpdateEndpoint";
			const text = `Failed to ${verb} endpoint for service ${key}: ${errorText(error)}`;
			recorder.event(service, "Warning", reason, text);
			throw error;
		}
	}

	return queueController("endpoints", queue);
}
