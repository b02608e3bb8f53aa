/**
 * Changes of the configuration (paper section 6, thesis 4.3): one voter at a time ("simple"), or any number through a joint
 * configuration. Pure functions from configuration to configuration.
 */
import type { ConfChange, ConfState, MemberId } from "./types.ts";
import { none } from "./types.ts";

/** The change is not possible on this configuration; nothing was changed. */
export class ConfChangeError extends Error {
	override name = "ConfChangeError";
}

export const emptyConf: ConfState = {
	voters: [],
	votersOutgoing: [],
	learners: [],
	learnersNext: [],
	autoLeave: false,
};

interface Sets {
	readonly voters: Set<MemberId>;
	readonly votersOutgoing: Set<MemberId>;
	readonly learners: Set<MemberId>;
	readonly learnersNext: Set<MemberId>;
}

export function isJoint(conf: ConfState): boolean {
	return conf.votersOutgoing.length > 0;
}

function open(conf: ConfState): Sets {
	return {
		voters: new Set(conf.voters),
		votersOutgoing: new Set(conf.votersOutgoing),
		learners: new Set(conf.learners),
		learnersNext: new Set(conf.learnersNext),
	};
}

function ascending(ids: Iterable<MemberId>): MemberId[] {
	return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function seal(sets: Sets, autoLeave: boolean): ConfState {
	return {
		voters: ascending(sets.voters),
		votersOutgoing: ascending(sets.votersOutgoing),
		learners: ascending(sets.learners),
		learnersNext: ascending(sets.learnersNext),
		autoLeave,
	};
}

function addLearner(sets: Sets, id: MemberId): void {
	sets.voters.delete(id);
	// Still a voter of the outgoing half: it becomes a learner when the joint configuration is left, since nobody is both.
	if (sets.votersOutgoing.has(id)) sets.learnersNext.add(id);
	else sets.learners.add(id);
}

function applyOne(sets: Sets, change: ConfChange): void {
	const { id, type } = change;
	// etcd's convention: a withdrawn change has member id 0.
	if (id === none || type === "update") return;
	if (type === "add_learner") {
		addLearner(sets, id);
		return;
	}
	sets.learners.delete(id);
	sets.learnersNext.delete(id);
	if (type === "add_voter") sets.voters.add(id);
	else sets.voters.delete(id);
}

function applyAll(sets: Sets, changes: readonly ConfChange[]): void {
	for (const change of changes) applyOne(sets, change);
	if (sets.voters.size === 0) throw new ConfChangeError("removed all voters");
}

function votersChanged(before: readonly MemberId[], after: ReadonlySet<MemberId>): number {
	let kept = 0;
	for (const id of before) if (after.has(id)) kept++;
	return before.length - kept + (after.size - kept);
}

/** Changes that move at most one voter: old and new majorities always overlap (thesis 4.1). */
export function applySimple(conf: ConfState, changes: readonly ConfChange[]): ConfState {
	if (isJoint(conf)) throw new ConfChangeError("can't apply simple config change in joint config");
	const sets = open(conf);
	applyAll(sets, changes);
	if (votersChanged(conf.voters, sets.voters) > 1)
		throw new ConfChangeError("more than one voter changed without entering joint config");
	return seal(sets, false);
}

/** From C(old) to C(old,new): until it is left, decisions need majorities of both. */
export function enterJoint(conf: ConfState, autoLeave: boolean, changes: readonly ConfChange[]): ConfState {
	if (isJoint(conf)) throw new ConfChangeError("config is already joint");
	if (conf.voters.length === 0) throw new ConfChangeError("can't make a zero-voter config joint");
	const sets = open({ ...conf, votersOutgoing: conf.voters });
	applyAll(sets, changes);
	return seal(sets, autoLeave);
}

/** From C(old,new) to C(new). */
export function leaveJoint(conf: ConfState): ConfState {
	if (!isJoint(conf)) throw new ConfChangeError("can't leave a non-joint config");
	const sets = open(conf);
	for (const id of sets.learnersNext) sets.learners.add(id);
	sets.learnersNext.clear();
	sets.votersOutgoing.clear();
	return seal(sets, false);
}

function isIdList(value: unknown): value is readonly MemberId[] {
	return Array.isArray(value) && value.every((id) => typeof id === "bigint" && id !== none);
}

/** Whether a configuration from elsewhere (a peer's snapshot) keeps the rules above. */
export function isValidConf(conf: ConfState): boolean {
	const { voters, votersOutgoing, learners, learnersNext } = conf;
	if (!isIdList(voters) || !isIdList(votersOutgoing) || !isIdList(learners) || !isIdList(learnersNext)) return false;
	const sets = open(conf);
	for (const id of sets.learners) if (sets.voters.has(id) || sets.votersOutgoing.has(id)) return false;
	for (const id of sets.learnersNext) if (!sets.votersOutgoing.has(id) || sets.learners.has(id)) return false;
	return sets.voters.size > 0;
}
