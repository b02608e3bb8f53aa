/** Services: cluster addresses and node ports, reserved before the service is written and given back when it lets go of them. */
import { ApiError, type FieldError, fieldInvalid, internalError, invalid } from "../../machinery/errors.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { ServicePort, ServiceSpec } from "../../scheme/types.gen.ts";
import type { Cidr } from "../allocators/cidr.ts";
import type { RangeAllocator } from "../allocators/range.ts";
import { baseStrategy, type Release, type Strategy, type StrategyContext } from "../strategy.ts";

export interface ServiceRanges {
	readonly cidr: Cidr;
	readonly addresses: RangeAllocator;
	readonly nodePorts: { readonly first: number; readonly last: number; readonly allocator: RangeAllocator };
}

const headless = "None";
const specOf = (object: KubeObject) => (object["spec"] ?? {}) as ServiceSpec;
const needsAddress = (spec: ServiceSpec) => spec.type !== "ExternalName" && spec.clusterIP !== headless;
const needsPorts = (spec: ServiceSpec) =>
	spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);

/** The address a service holds. */
export const addressOf = (spec: ServiceSpec | undefined): string | undefined =>
	spec !== undefined && needsAddress(spec) && (spec.clusterIP ?? "") !== "" ? spec.clusterIP : undefined;

/** The node ports a service holds. */
export function portsOf(spec: ServiceSpec | undefined): Set<number> {
	const ports = new Set((spec?.ports ?? []).map((p) => p.nodePort ?? 0));
	ports.add(spec?.healthCheckNodePort ?? 0);
	ports.delete(0);
	return ports;
}

const refuse = (object: KubeObject, error: FieldError) => invalid("", "Service", object.metadata.name ?? "", [error]);

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
			throw fail(`the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${cidr.text}`);
		}
		if ((await addresses.allocate(offset, dryRun)) === "taken") throw fail("provided IP is already allocated");
		this.#keep(addresses, offset);
		return wanted;
	}

	async port(object: KubeObject, wanted: number, field: string): Promise<number> {
		const { first, last, allocator } = this.#ranges.nodePorts;
		const { dryRun } = this.#context;
		if (wanted === 0) {
			const offset = await allocator.allocateNext(dryRun);
			if (offset === undefined) throw internalError("failed to allocate a nodePort: range is full");
			this.#keep(allocator, offset);
			return first + offset;
		}
		const result = await allocator.allocate(wanted - first, dryRun);
		if (result !== "ok") {
			const why =
				result === "taken"
					? "provided port is already allocated"
					: `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
			throw refuse(object, fieldInvalid(field, wanted, why));
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

/** What the server once set stays where the client leaves it out (a PUT of the manifest again). */
function carryOver(spec: ServiceSpec, old: ServiceSpec): void {
	if (needsAddress(spec) && needsAddress(old) && (spec.clusterIP ?? "") === "") {
		if (spec.clusterIPs === undefined || spec.clusterIPs.length === 0) spec.clusterIPs = old.clusterIPs;
		spec.clusterIP = old.clusterIP;
	}
	if (spec.type !== "ExternalName" && old.type !== "ExternalName") {
		spec.ipFamilies ??= old.ipFamilies;
		spec.ipFamilyPolicy ??= old.ipFamilyPolicy;
	}
	if (!needsPorts(spec) || !needsPorts(old)) return;
	const before = new Map((old.ports ?? []).map((p) => [portKey(p), p.nodePort]));
	const taken = portsOf(spec);
	for (const port of spec.ports ?? []) {
		const same = before.get(portKey(port));
		if ((port.nodePort ?? 0) !== 0 || same === undefined || taken.has(same)) continue;
		port.nodePort = same;
		taken.add(same);
	}
	if ((spec.healthCheckNodePort ?? 0) === 0 && old.healthCheckNodePort !== undefined) {
		spec.healthCheckNodePort = old.healthCheckNodePort;
	}
}

const portKey = (port: ServicePort) => `${port.protocol ?? "TCP"} ${port.port}`;

async function reserveAddress(
	reservation: Reservation,
	object: KubeObject,
	spec: ServiceSpec,
	old: ServiceSpec | undefined,
) {
	if (spec.type === "ExternalName") {
		if (old !== undefined && old.type !== "ExternalName" && spec.clusterIP === old.clusterIP) delete spec.clusterIP;
		for (const field of ["clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] as const)
			delete spec[field];
		return;
	}
	spec.ipFamilies ??= ["IPv4"];
	spec.ipFamilyPolicy ??= "SingleStack";
	const given = spec.clusterIP || spec.clusterIPs?.[0] || undefined;
	const held = given !== undefined && (given === headless || given === addressOf(old));
	spec.clusterIP = held ? given : await reservation.address(object, given);
	if (spec.clusterIPs?.[0] === undefined) spec.clusterIPs = [spec.clusterIP];
}

async function reservePorts(
	reservation: Reservation,
	object: KubeObject,
	spec: ServiceSpec,
	old: ServiceSpec | undefined,
) {
	if (!needsPorts(spec)) {
		// A service that no longer asks for node ports gives them up, unless the client names others.
		const before = portsOf(old);
		if (spec.type !== "LoadBalancer") {
			for (const port of spec.ports ?? []) if (before.has(port.nodePort ?? 0)) delete port.nodePort;
		}
		return;
	}
	const held = portsOf(old);
	const reserved = new Map<number, Set<string>>();
	for (const [index, port] of (spec.ports ?? []).entries()) {
		const wanted = port.nodePort ?? 0;
		const protocols = reserved.get(wanted);
		if (wanted !== 0 && (held.has(wanted) || protocols?.has(port.protocol ?? "TCP") === false)) {
			protocols?.add(port.protocol ?? "TCP");
			continue;
		}
		port.nodePort = await reservation.port(object, wanted, `spec.ports[${index}].nodePort`);
		reserved.set(port.nodePort, new Set([port.protocol ?? "TCP"]));
	}
	const needsHealth = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
	if (!needsHealth) delete spec.healthCheckNodePort;
	else if ((spec.healthCheckNodePort ?? 0) === 0 || !held.has(spec.healthCheckNodePort ?? 0)) {
		spec.healthCheckNodePort = await reservation.port(
			object,
			spec.healthCheckNodePort ?? 0,
			"spec.healthCheckNodePort",
		);
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
			const spec = specOf(object);
			const before = old === undefined ? undefined : specOf(old);
			if (before !== undefined) carryOver(spec, before);
			const reservation = new Reservation(ranges, context);
			try {
				await reserveAddress(reservation, object, spec, before);
				await reservePorts(reservation, object, spec, before);
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
