/** Services: cluster addresses and node ports, reserved before the service is written and given back when it lets go of them. */
import { ApiError, type FieldError, fieldInvalid, internalError, invalid } from "../../machinery/errors.ts";
import type { KubeObject } from "../../scheme/object.ts";
import {
	allocatesNodePorts,
	headless,
	mayHaveNodePorts,
	needsAddress,
	needsHealthPort,
} from "../../scheme/service-types.ts";
import type { ServiceSpec } from "../../scheme/types.gen.ts";
import type { Cidr } from "../allocators/cidr.ts";
import type { RangeAllocator } from "../allocators/range.ts";
import { baseStrategy, type Release, type Strategy, type StrategyContext } from "../strategy.ts";
import { addressOf, dropOfOldType, keepAllocated, portsOf, settleFamilies, syncAddresses } from "./service-fields.ts";

export interface ServiceRanges {
	readonly cidr: Cidr;
	readonly addresses: RangeAllocator;
	readonly nodePorts: { readonly first: number; readonly last: number; readonly allocator: RangeAllocator };
}

const specOf = (object: KubeObject) => (object["spec"] ?? {}) as ServiceSpec;

const invalidService = (object: KubeObject, errors: readonly FieldError[]) =>
	invalid("", "Service", object.metadata.name ?? "", errors);
const refuse = (object: KubeObject, error: FieldError) => invalidService(object, [error]);

/** One write's reservations, undone in reverse. */
class Reservation {
	readonly #undo: Release[] = [];
	readonly #ranges: ServiceRanges;
	readonly #context: StrategyContext;

	constructor(ranges: ServiceRanges, context: StrategyContext) {
		this.#ranges = ranges;
		this.#context = context;
	}

	async address(object: KubeObject, wanted: string | undefined): Promise<string> {
		const { cidr, addresses } = this.#ranges;
		const { dryRun } = this.#context;
		if (wanted === undefined) {
			const offset = await addresses.allocateNext(dryRun);
			if (offset === undefined) throw internalError("failed to allocate a serviceIP: range is full");
			this.#keep(addresses, offset);
			return cidr.address(offset);
		}
		const fail = (why: string) =>
			refuse(object, fieldInvalid("spec.clusterIPs", [wanted], `failed to allocate IP ${wanted}: ${why}`));
		const offset = cidr.offset(wanted);
		if (offset === undefined) {
			throw fail("the provided network does not match the current range");
		}
		if ((await addresses.allocate(offset, dryRun)) === "taken") throw fail("provided IP is already allocated");
		this.#keep(addresses, offset);
		return wanted;
	}

	async port(object: KubeObject, wanted: number, field: string): Promise<number> {
		if (wanted === 0) return this.#anyPort(() => internalError("failed to allocate a nodePort: range is full"));
		return this.#thisPort(wanted, (why) => refuse(object, fieldInvalid(field, wanted, why)));
	}

	async healthPort(wanted: number): Promise<number> {
		if (wanted === 0) {
			return this.#anyPort(() => internalError("failed to allocate a HealthCheck NodePort 0: range is full"));
		}
		return this.#thisPort(wanted, (why) =>
			internalError(`failed to allocate requested HealthCheck NodePort ${wanted}: ${why}`),
		);
	}

	async #anyPort(full: () => ApiError): Promise<number> {
		const { first, allocator } = this.#ranges.nodePorts;
		const offset = await allocator.allocateNext(this.#context.dryRun);
		if (offset === undefined) throw full();
		this.#keep(allocator, offset);
		return first + offset;
	}

	async #thisPort(wanted: number, refusal: (why: string) => ApiError): Promise<number> {
		const { first, last, allocator } = this.#ranges.nodePorts;
		const result = await allocator.allocate(wanted - first, this.#context.dryRun);
		if (result === "taken") throw refusal("provided port is already allocated");
		if (result !== "ok") {
			throw refusal(`provided port is not in the valid range. The range of valid ports is ${first}-${last}`);
		}
		this.#keep(allocator, wanted - first);
		return wanted;
	}

	async undo(): Promise<void> {
		for (const release of this.#undo.splice(0).reverse()) await release();
	}

	#keep(allocator: RangeAllocator, offset: number): void {
		if (!this.#context.dryRun) this.#undo.push(() => allocator.release(offset));
	}
}

async function reserveAddress(reservation: Reservation, object: KubeObject, old: ServiceSpec | undefined) {
	const spec = specOf(object);
	if (!needsAddress(spec) || spec.clusterIP === headless) return;
	// An address stays with its service; what would be another one is refused by the checks.
	if (old !== undefined && needsAddress(old)) return;
	spec.clusterIP = await reservation.address(object, spec.clusterIP || undefined);
	spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
}

/** Ports of one number share a node port, whatever their protocols. */
async function reserveNodePorts(reservation: Reservation, object: KubeObject, old: ServiceSpec | undefined) {
	const spec = specOf(object);
	if (!mayHaveNodePorts(spec)) return;
	const held = portsOf(old);
	const ports = spec.ports ?? [];
	const byNumber = new Map<number | undefined, number>();
	if (old === undefined) {
		for (const { port, nodePort = 0 } of ports) if (nodePort !== 0 && !byNumber.has(port)) byNumber.set(port, nodePort);
	}
	const reserved = new Set<number>();
	for (const [index, port] of ports.entries()) {
		const given = port.nodePort ?? 0;
		if (given === 0 && !allocatesNodePorts(spec)) continue;
		const wanted = given === 0 && old === undefined ? (byNumber.get(port.port) ?? 0) : given;
		if (wanted !== 0 && (held.has(wanted) || reserved.has(wanted))) {
			port.nodePort = wanted;
			continue;
		}
		port.nodePort = await reservation.port(object, wanted, `spec.ports[${index}].nodePort`);
		reserved.add(port.nodePort);
		if (old === undefined && !byNumber.has(port.port)) byNumber.set(port.port, port.nodePort);
	}
}

async function reserveHealthPort(reservation: Reservation, spec: ServiceSpec, old: ServiceSpec | undefined) {
	if (!needsHealthPort(spec) || (old !== undefined && needsHealthPort(old))) return;
	spec.healthCheckNodePort = await reservation.healthPort(spec.healthCheckNodePort ?? 0);
}

/** In upstream's order: what is left out is kept, what is missing is handed out, and what the old type had goes. */
async function allocate(reservation: Reservation, object: KubeObject, old: ServiceSpec | undefined): Promise<void> {
	const spec = specOf(object);
	if (old !== undefined) keepAllocated(spec, old);
	syncAddresses(spec, old);
	const errors = settleFamilies(spec, old, ["IPv4"]);
	if (errors.length > 0) throw invalidService(object, errors);
	await reserveAddress(reservation, object, old);
	await reserveNodePorts(reservation, object, old);
	await reserveHealthPort(reservation, spec, old);
	if (old !== undefined) dropOfOldType(spec, old);
	// A name has no endpoints that a policy could choose from; one that is none at all is left to the checks.
	if (spec.type === "ExternalName" && ["Cluster", "Local"].includes(spec.internalTrafficPolicy ?? "")) {
		delete spec.internalTrafficPolicy;
	}
}

export function serviceStrategy(ranges: ServiceRanges): Strategy {
	return {
		...baseStrategy,
		allowCreateOnUpdate: true,
		returnsDeleted: true,
		prepareForCreate(object) {
			object["status"] = { loadBalancer: {} };
		},
		async reserve(context, object, old) {
			const before = old === undefined ? undefined : specOf(old);
			const reservation = new Reservation(ranges, context);
			try {
				await allocate(reservation, object, before);
				if (old !== undefined && specOf(object).type !== "LoadBalancer") object["status"] = { loadBalancer: {} };
			} catch (error) {
				// With an unknown outcome the numbers may be taken by us; repair finds out.
				if (!(error instanceof ApiError && error.reason === "Timeout")) await reservation.undo();
				throw error;
			}
			return () => reservation.undo();
		},
		async released(_context, old, now) {
			const [before, after] = [specOf(old), now === undefined ? undefined : specOf(now)];
			const address = addressOf(before);
			if (address !== undefined && address !== addressOf(after)) {
				const offset = ranges.cidr.offset(address);
				if (offset !== undefined) await ranges.addresses.release(offset);
			}
			const kept = portsOf(after);
			for (const port of portsOf(before)) {
				if (!kept.has(port)) await ranges.nodePorts.allocator.release(port - ranges.nodePorts.first);
			}
		},
	};
}
