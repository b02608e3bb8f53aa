/** What a nemesis can do: a name, what the cluster must offer for it, and the deed. */
import { append } from "../../kit/lists.ts";
import type { Random } from "../../kit/random.ts";
import type { Members } from "../targets/members.ts";

/** What a cluster must offer; see `Members`. */
export const needs = [
	"kill",
	"stop",
	"pause",
	"agents",
	"network",
	"clocks",
	"disks",
	"powerLoss",
	"leader",
	"compact",
	"defragment",
] as const;
export type Need = (typeof needs)[number];

export interface Deed {
	/** JSON: what is hit, and how. */
	readonly value: unknown;
	strike(): Promise<void>;
	/** Undoes it. Absent: there is nothing to undo, and it is over when it is done. */
	readonly heal?: () => Promise<void>;
}

export interface Fault {
	readonly name: string;
	readonly summary: string;
	readonly needs: readonly Need[];
	/** Smallest number of members it can be done to; default 1. */
	readonly members?: number;
	/** How long it lasts, ms: at least, and at most that much more. Default: 500 and 2500. */
	readonly lasts?: readonly [least: number, more: number];
	/** Everything random about it is drawn from `random`, which is its own. */
	plan(members: Members<unknown>, random: Random): Promise<Deed>;
}

export function someMember(members: Members<unknown>, random: Random): string {
	return members.names[random.int(members.names.length)]!;
}

/** The leader; where nobody leads, any member. */
export async function leadingMember(members: Members<unknown>, random: Random): Promise<string> {
	const chance = someMember(members, random);
	return (await members.leader())?.name ?? chance;
}

export function shuffled<T>(list: readonly T[], random: Random): T[] {
	const left = [...list];
	const order: T[] = [];
	while (left.length > 0) append(order, left.splice(random.int(left.length), 1));
	return order;
}

export async function all(names: readonly string[], act: (name: string) => Promise<void> | undefined): Promise<void> {
	await Promise.all(names.map(act));
}
