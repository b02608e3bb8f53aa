/**
 * Faults of disks and engines.
 *
 * The atlas: data may be damaged or lost for good only where a quorum keeps good copies of all that was acknowledged. So
 * at most a minority of disks is damaged at a time, a damaged member whose log lost something stays out until it is
 * repaired, and so does one whose disk was replaced by an empty one.
 */
import type { Random } from "../../kit/random.ts";
import { type SimNode, walDirectory } from "./cluster.ts";
import { type Deed, downMs, type Ground } from "./faults.ts";
import type { PlannedKind } from "./swarm.ts";

/** Undefined: the fault is of another kind, or cannot be made now. */
export function diskDeed(ground: Ground, kind: PlannedKind, node: SimNode, random: Random): Deed | undefined {
	switch (kind) {
		case "disk-slow":
			return stall(ground, node, random.float() * 150, random);
		case "disk-blocked":
			return stall(ground, node, 3000, random);
		case "disk-error":
			return failing(ground, node, "sync", random);
		case "disk-error-write":
			return failing(ground, node, "write", random);
		case "disk-error-read":
			return badStart(ground, node, random, () => {
				node.disk.fault = (at) => (at === "read" ? "EIO" : undefined);
			});
		case "misdirected-read":
			return badStart(ground, node, random, () => {
				node.disk.misdirect = (at, _path, position) => (at === "read" ? position + 512 : position);
			});
		case "disk-full":
			return full(ground, node, random);
		case "disk-torn":
			return torn(ground, node, random);
		case "bit-flip":
			return flipBit(ground, node, random);
		case "misdirected-write":
			return misdirectWrite(ground, node, random);
		case "disk-wiped":
			return wipe(ground, node, random);
		case "engine-slow":
			return slowEngine(ground, node, random);
		case "engine-error":
			return failingEngine(node);
		case "lagging-member":
			return lag(ground, node, random);
		default:
			return undefined;
	}
}

function stall(ground: Ground, node: SimNode, ms: number, random: Random): Deed {
	return {
		hits: [node.name],
		strike: (over) => {
			node.stallMs = ms;
			ground.lasts(random, over, () => {
				node.stallMs = 0;
			});
		},
	};
}

/** Sometimes so slow that a member falls far behind in applying what it has in its log. */
function slowEngine(ground: Ground, node: SimNode, random: Random): Deed {
	return {
		hits: [node.name],
		strike: (over) => {
			node.engineStallMs = random.float() * (random.int(2) === 0 ? 100 : 500);
			ground.lasts(random, over, () => {
				node.engineStallMs = 0;
			});
		},
	};
}

/**
 * The member's engine hangs until entries wait to be applied. Then the member is cut off until the others have moved
 * on. When it is back they send it a snapshot, while it still has those entries to apply.
 */
function lag(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	const { cluster, clock, network } = ground.options;
	const { leader, nodes } = cluster;
	const busy = nodes.some((each) => !each.up || each.engineStallMs > 0);
	if (leader === undefined || node === leader || busy) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			node.engineStallMs = 300 + random.float() * 700;
			const [cutAfter, cutMs, slowMs] = [
				30 + random.float() * 80,
				100 + random.float() * 300,
				50 + random.float() * 200,
			];
			const undo = new Set<() => void>([
				() => {
					node.engineStallMs = 0;
				},
			]);
			const end = ground.untilHealed(over, () => {
				for (const each of undo) each();
			});
			clock.after(cutAfter, () => {
				if (ground.stopped) return;
				const others = cluster.nodes.filter((each) => each !== node);
				const cuts = others.flatMap(({ name }) => [network.cut(node.name, name), network.cut(name, node.name)]);
				for (const cut of cuts) undo.add(cut);
				clock.after(cutMs, () => {
					for (const cut of cuts) cut();
					clock.after(slowMs, end);
				});
			});
		},
	};
}

/** Until the member's next life. */
function failingEngine(node: SimNode): Deed | undefined {
	if (!node.up) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			node.excused = true;
			node.engineFails = true;
			over();
		},
	};
}

/** Operations of the log fail; the member must end itself before it answers anything wrongly. */
function failing(ground: Ground, node: SimNode, operation: "write" | "sync", random: Random): Deed | undefined {
	if (!node.up) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			node.excused = true;
			node.disk.fault = (at) => (at === operation ? "EIO" : undefined);
			ground.lasts(random, over, () => {
				node.disk.fault = undefined;
			});
		},
	};
}

function full(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	if (!node.up) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			node.disk.capacity = node.disk.used() + random.int(4096);
			ground.lasts(random, over, () => {
				node.disk.capacity = undefined;
			});
		},
	};
}

/** The log's next write stops in its middle, and the process dies of SIGKILL: the machine keeps what was written. */
function torn(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	if (!node.up) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			const { clock } = ground.options;
			const { life } = node;
			node.disk.tear = (path, bytes) => {
				if (!path.startsWith(walDirectory)) return undefined;
				node.disk.tear = undefined;
				// In a later event, not inside the write that fails.
				clock.after(0, () => {
					if (node.life === life && !ground.stopped) ground.crashFor(node, "kill", downMs(random), over);
					else over();
				});
				return random.int(bytes);
			};
			ground.lasts(random, over, () => {
				node.disk.tear = undefined;
			});
		},
	};
}

/** The fault strikes at the member's next start. */
function badStart(ground: Ground, node: SimNode, random: Random, fault: () => void): Deed | undefined {
	if (!node.up) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			const { cluster, clock } = ground.options;
			cluster.crash(node, random.int(2) === 0 ? "power" : "kill");
			clock.after(downMs(random), () => {
				over();
				// A node that must not start yet would meet the fault in a later life, which `excused` does not cover.
				if (ground.stopped || node.up || node.quarantined) return;
				fault();
				cluster.boot(node);
				node.excused = true;
			});
		},
	};
}

/** Whether one more disk may be damaged. */
function mayDamage(ground: Ground, node: SimNode): boolean {
	const { nodes } = ground.options.cluster;
	const damaged = nodes.filter((each) => each.image.damaged || each === node).length;
	return node.up && !node.image.damaged && 2 * damaged < nodes.length;
}

function flipBit(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	if (!mayDamage(ground, node)) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			const { cluster, clock, note } = ground.options;
			cluster.crash(node, "power");
			const segments = node.disk.paths().filter((path) => path.endsWith(".wal"));
			const path = segments[random.int(Math.max(1, segments.length))];
			const bytes = path === undefined ? Buffer.alloc(0) : node.disk.contents(path);
			if (path !== undefined && bytes.length > 0) {
				const [offset, bit] = [flipAt(bytes, random), random.int(8)];
				node.image.damaged = true;
				node.disk.flipBit(path, offset, bit);
				note(`${node.name}: bit ${bit} at ${offset} of ${path} flips`);
			}
			const ms = downMs(random);
			clock.after(ms, () => {
				over();
				if (!ground.stopped) ground.restoreLater(node, ms);
			});
		},
	};
}

/** Anywhere, or near the end of what was written, where damage looks most like a torn write. */
function flipAt(bytes: Buffer, random: Random): number {
	if (random.int(2) === 0) return random.int(bytes.length);
	const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
	return Math.min(bytes.length - 1, Math.max(0, end - 600 + random.int(640)));
}

/** One write of the log goes elsewhere; soon after it the power goes. */
function misdirectWrite(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	if (!mayDamage(ground, node)) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			const { clock, note } = ground.options;
			const { life } = node;
			const distance = 512 * (1 + random.int(8));
			// If power fails at once, nothing follows the missing write, and it looks as if it had never been made.
			const crashAfter = random.float() * (random.int(2) === 0 ? 3 : 100);
			node.disk.misdirect = (operation, path, position) => {
				if (operation === "read" || !path.startsWith(walDirectory) || !mayDamage(ground, node)) return position;
				node.disk.misdirect = undefined;
				node.image.damaged = true;
				note(`${node.name}: a write to ${position} of ${path} goes ${distance} too far`);
				clock.after(crashAfter, () => {
					if (node.life === life) ground.crashFor(node, "power", downMs(random), over);
					else over();
				});
				return position + distance;
			};
		},
	};
}

/**
 * An empty disk under the same name: votes and entries are forgotten, whatever the others hold. The member must not take
 * part; after a while it gets its own disk back. Only once all have taken part in elections: before, nobody could know.
 */
function wipe(ground: Ground, node: SimNode, random: Random): Deed | undefined {
	const { cluster, clock } = ground.options;
	if (!mayDamage(ground, node) || cluster.nodes.some((each) => each.image.durable.hard.term === 0)) return undefined;
	return {
		hits: [node.name],
		strike: (over) => {
			cluster.wipe(node);
			const ms = downMs(random);
			// The remaining members may be too few to answer it, or may not know it: then it must keep waiting.
			const { leader } = cluster;
			if (leader !== undefined && random.int(2) === 0) ground.crashFor(leader, "kill", downMs(random));
			clock.after(ms, () => {
				over();
				if (!ground.stopped) ground.restoreLater(node, ms);
			});
		},
	};
}
