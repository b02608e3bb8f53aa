/** The Lease of an elected agent as its watchers saw it: one leader at a time, by the rules of client-go's leader election. */
import type { Violation } from "./violation.ts";
import type { Timeline } from "./world.ts";

export interface SeenLease {
	/** "": released. */
	readonly holder: string;
	/** Ms since the epoch, by the holder's clock. */
	readonly acquired: number;
	readonly renewed: number;
	readonly durationSeconds: number;
	readonly transitions: number;
}

export const agentLeases = ["kube-controller-manager", "kube-scheduler"] as const;
export type AgentLease = (typeof agentLeases)[number];

/** Clocks of one machine, read as whole milliseconds. */
const clockGrainMs = 5;
const witnessLines = 8;

interface Told {
	readonly revision: number;
	readonly lease: SeenLease;
}

const time = (ms: number) => new Date(ms).toISOString().slice(11, 23);

function describe({ revision, lease }: Told): string {
	const { holder, acquired, renewed, durationSeconds, transitions } = lease;
	const who = holder === "" ? "nobody" : holder;
	return `@${revision} ${who}, acquired ${time(acquired)}, renewed ${time(renewed)}, for ${durationSeconds} s, transition ${transitions}`;
}

export interface ClockTrust {
	/** Holders' clocks may be wrong, so that nothing follows from the times they write. Default: one true clock. */
	readonly wrongClocks?: boolean;
}

/**
 * The holder changes only after the lease had run out by its last renewal, or was released; each new holder counts one
 * transition; who was replaced never holds it again.
 */
export function checkLease(name: string, timeline: Timeline<SeenLease>, trust: ClockTrust = {}): Violation[] {
	const found: Violation[] = [];
	const told: Told[] = [];
	const replaced = new Set<string>();
	let before: Told | undefined;
	const report = (kind: string, message: string) => {
		found.push({ kind, message: `lease ${name}: ${message}`, witness: told.slice(-witnessLines).map(describe) });
	};
	for (const step of timeline.steps) {
		const lease = step.kind === "relist" ? step.listed.get(name) : step.name === name ? step.object : undefined;
		if (step.kind === "relist") before = undefined;
		if (lease === undefined) continue;
		if (lease === null) {
			before = undefined;
			continue;
		}
		const now = { revision: step.revision, lease };
		told.push(now);
		if (lease.holder !== "" && replaced.has(lease.holder)) {
			report("two-leaders", `${lease.holder} was replaced, and holds it again`);
		}
		if (before !== undefined) compare(before, now, trust, report);
		if (before !== undefined && before.lease.holder !== "" && before.lease.holder !== lease.holder) {
			replaced.add(before.lease.holder);
		}
		before = now;
	}
	return found;
}

function compare(
	{ lease: old }: Told,
	{ lease }: Told,
	{ wrongClocks = false }: ClockTrust,
	report: (kind: string, message: string) => void,
): void {
	if (lease.holder === old.holder) {
		if (lease.transitions !== old.transitions) {
			report("transitions", `${old.transitions} became ${lease.transitions} without a new holder`);
		}
		if (lease.holder !== "" && lease.acquired !== old.acquired) {
			report("two-leaders", `${lease.holder} acquired it anew while it held it`);
		}
		return;
	}
	if (lease.holder === "") {
		if (lease.transitions !== old.transitions) {
			report("transitions", `${old.transitions} became ${lease.transitions} by a release`);
		}
		return;
	}
	if (lease.transitions !== old.transitions + 1) {
		report("transitions", `a new holder made ${old.transitions} ${lease.transitions}`);
	}
	const expires = old.renewed + old.durationSeconds * 1000;
	if (!wrongClocks && old.holder !== "" && lease.acquired + clockGrainMs < expires) {
		report("lease-taken", `${lease.holder} took it ${expires - lease.acquired} ms before it ran out for ${old.holder}`);
	}
}
