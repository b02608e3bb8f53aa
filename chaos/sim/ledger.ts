/**
 * What all lives of all members must agree on, checked during the run. The ledger sees what each member writes to its
 * log, which part is durable, what its messages promise, what it applies and the state that results.
 *
 * Checked: election safety, log matching, leader completeness and state-machine safety (Raft paper, figure 3); that
 * nothing durable is lost at a restart; that no vote or acknowledgement leaves before it is durable; that nothing is
 * applied before a quorum holds it; equal state after equal entries; a lease's end; one answer to a repeated request.
 */
import { crc32c } from "../../kit/crc32c.ts";
import { StoreError } from "../../store/api.ts";
import { decodeCommand } from "../../store/machine/codec.ts";
import type { Applied, Command, CommandHeader, CommandResult, StateMachine } from "../../store/machine/types.ts";
import type { Entry, HardState, MemberId, Message } from "../../store/raft/types.ts";
import type { LogRecord, RecoveredLog } from "../../store/wal/types.ts";

interface Held {
	readonly term: number;
	/** Checksum of this entry and all entries before it. */
	readonly chain: number;
}

/** A member's log as its records say, since the newest mark. */
class LogImage {
	mark: { readonly index: number; readonly term: number } = { index: 0, term: 0 };
	last = 0;
	hard: HardState = { term: 0, vote: 0n, commit: 0 };
	#entries = new Map<number, Held>();

	copy(): LogImage {
		const image = new LogImage();
		image.mark = this.mark;
		image.last = this.last;
		image.hard = this.hard;
		image.#entries = new Map(this.#entries);
		return image;
	}

	get(index: number): Held | undefined {
		return this.#entries.get(index);
	}

	/** True when entries were replaced. */
	append(index: number, held: Held): boolean {
		const replaces = index <= this.last && this.#entries.get(index)?.chain !== held.chain;
		for (let at = index; at <= this.last; at++) this.#entries.delete(at);
		this.#entries.set(index, held);
		this.last = index;
		return replaces;
	}

	markAt(meta: { readonly index: number; readonly term: number }): void {
		if (meta.index < this.mark.index) return;
		const known = this.#entries.get(meta.index);
		if (known?.term !== meta.term && meta.index !== this.mark.index) {
			this.#entries.clear();
			this.last = meta.index;
		}
		this.mark = { index: meta.index, term: meta.term };
	}

	holds(index: number, term: number): boolean {
		return index <= this.mark.index || this.#entries.get(index)?.term === term;
	}

	/** Entries after the mark, and term and vote. */
	print(): string {
		const parts = [
			`mark ${this.mark.index}/${this.mark.term} term ${this.hard.term} vote ${this.hard.vote.toString(16)}`,
		];
		for (let at = this.mark.index + 1; at <= this.last; at++) parts.push(`${this.#entries.get(at)?.chain ?? "-"}`);
		return parts.join(" ");
	}
}

interface PendingRecord {
	readonly record: LogRecord;
	readonly chains: readonly number[];
}

/** One member over all its lives. */
export class MemberImage {
	readonly name: string;
	readonly id: MemberId;
	/** The log with everything appended so far. */
	written = new LogImage();
	/** The log as of the last completed sync. */
	durable = new LogImage();
	/** Records appended whose sync has not completed yet, oldest first. */
	pending: PendingRecord[] = [];
	/** Its disk was damaged and not repaired yet. */
	damaged = false;

	constructor(name: string, id: MemberId) {
		this.name = name;
		this.id = id;
	}
}

export interface LeaseEnd {
	readonly id: bigint;
	/** Virtual ms. */
	readonly at: number;
}

export interface LedgerOptions {
	readonly now: () => number;
	readonly violation: (what: string) => void;
	/** A named code path was taken. */
	readonly reached: (path: string) => void;
}

interface Committed {
	readonly term: number;
	/** It was committed in this term or an earlier one. */
	readonly by: number;
	readonly print: number;
	readonly chain: number;
}

export class Ledger {
	readonly #options: LedgerOptions;
	readonly #members: MemberImage[] = [];
	/** By index and term. */
	readonly #chains = new Map<string, number>();
	readonly #committed = new Map<number, Committed>();
	#highest = 0;
	readonly #digests = new Map<number, { readonly digest: number; readonly name: string }>();
	/** By term: who leads, and up to where it knew the log to be committed when it began to. */
	readonly #leaders = new Map<number, { readonly name: string; readonly commit: number }>();
	/** By session and sequence: the revision of the first answer that changed something. */
	readonly #answers = new Map<string, number>();
	readonly #requests = new Set<string>();
	readonly leaseEnds: LeaseEnd[] = [];

	constructor(options: LedgerOptions) {
		this.#options = options;
		this.#chains.set("0/0", 0);
	}

	add(name: string, id: MemberId): MemberImage {
		const image = new MemberImage(name, id);
		this.#members.push(image);
		return image;
	}

	/** Highest index applied anywhere. */
	get committed(): number {
		return this.#highest;
	}

	// ---- log ----

	append(member: MemberImage, record: LogRecord): PendingRecord {
		const chains: number[] = [];
		const { written } = member;
		if (record.hardState !== undefined) written.hard = record.hardState;
		if (record.snapshot !== undefined) written.markAt(record.snapshot);
		for (const entry of record.entries) {
			const chain = this.#chain(member, written, entry);
			chains.push(chain);
			if (written.append(entry.index, { term: entry.term, chain })) this.#options.reached("a log's end is replaced");
		}
		const pending = { record, chains };
		member.pending.push(pending);
		return pending;
	}

	/** Log matching: an entry of one index and term has the same history everywhere. */
	#chain(member: MemberImage, image: LogImage, entry: Entry): number {
		const before = this.#chainBefore(image, entry.index);
		const key = `${entry.index}/${entry.term}`;
		const known = this.#chains.get(key);
		if (before === undefined) return known ?? 0;
		const chain = link(before, entry);
		if (known === undefined) this.#chains.set(key, chain);
		else if (known !== chain) {
			this.#options.violation(
				`log matching: ${member.name} writes entry ${entry.index} of term ${entry.term} with another history than known`,
			);
		}
		return chain;
	}

	#chainBefore(image: LogImage, index: number): number | undefined {
		const at = index - 1;
		if (at === image.mark.index) return this.#chains.get(`${at}/${image.mark.term}`) ?? image.get(at)?.chain;
		return image.get(at)?.chain;
	}

	durable(member: MemberImage, upTo: PendingRecord): void {
		for (;;) {
			const next = member.pending.shift();
			if (next === undefined) return;
			replay(member.durable, next);
			if (next === upTo) return;
		}
	}

	/** After a crash the log holds what was durable, and of the rest a prefix of its records. */
	recovered(member: MemberImage, log: RecoveredLog): boolean {
		const image = member.durable.copy();
		const found = new LogImage();
		found.hard = log.hardState;
		found.mark = log.snapshot;
		found.last = log.snapshot.index;
		for (const entry of log.entries) {
			const before = this.#chainBefore(found, entry.index);
			found.append(entry.index, { term: entry.term, chain: before === undefined ? -1 : link(before, entry) });
		}
		const wanted = found.print();
		const candidates = [...member.pending];
		while (image.print() !== wanted) {
			const next = candidates.shift();
			if (next === undefined) return false;
			replay(image, next);
		}
		this.#adopt(member, image);
		return true;
	}

	#adopt(member: MemberImage, image: LogImage): void {
		member.durable = image;
		member.written = image.copy();
		member.pending = [];
	}

	/** A new disk: it holds nothing. */
	wiped(member: MemberImage): void {
		this.#adopt(member, new LogImage());
	}

	// ---- promises ----

	/** Checks that what a message claims about the sender's disk is true when the message is sent. */
	sent(member: MemberImage, message: Message): void {
		const { durable } = member;
		if (message.type === "vote_response" && !message.reject) {
			if (
				durable.hard.term < message.term ||
				(durable.hard.term === message.term && durable.hard.vote !== message.to)
			) {
				this.#options.violation(`promise: ${member.name} grants a vote in term ${message.term} that is not durable`);
			}
		} else if (message.type === "append_response" && !message.reject && message.index > 0) {
			if (durable.last < message.index && durable.mark.index < message.index) {
				this.#options.violation(
					`promise: ${member.name} acknowledges entry ${message.index}, but only ${durable.last} is durable`,
				);
			}
		} else if (message.type === "append") this.#commitsOwnTerm(member, message);
	}

	/** Paper 5.4.2: a leader moves the commit index to entries of its own term only; earlier ones commit with them. */
	#commitsOwnTerm(member: MemberImage, { term, commit }: Message): void {
		const leader = this.#leaders.get(term);
		const entryTerm = member.written.get(commit)?.term;
		if (leader?.name !== member.name || commit <= leader.commit || entryTerm === undefined || entryTerm === term)
			return;
		this.#options.violation(
			`commit rule: ${member.name}, leader of term ${term}, commits entry ${commit} of term ${entryTerm} by itself`,
		);
	}

	// ---- leaders ----

	leader(member: MemberImage, term: number, commit: number): void {
		const known = this.#leaders.get(term);
		if (known === undefined) this.#leaders.set(term, { name: member.name, commit });
		else if (known.name !== member.name)
			this.#options.violation(`election safety: term ${term} has two leaders, ${known.name} and ${member.name}`);
		for (const [index, committed] of this.#committed) {
			if (committed.by >= term || member.written.holds(index, committed.term)) continue;
			this.#options.violation(
				`leader completeness: ${member.name} leads term ${term} without committed entry ${index} of term ${committed.term}`,
			);
			return;
		}
	}

	get elections(): number {
		return this.#leaders.size;
	}

	// ---- applying ----

	/** State-machine safety, and that a quorum held the entry before anyone applied it. */
	apply(member: MemberImage, entries: readonly Entry[], machine: StateMachine, run: () => Applied[]): Applied[] {
		const commands: { readonly entry: Entry; readonly header: CommandHeader; readonly command: Command }[] = [];
		for (const entry of entries) {
			if (!member.durable.holds(entry.index, entry.term)) {
				this.#options.violation(
					`durability: ${member.name} applies entry ${entry.index} of term ${entry.term} before it is durable there`,
				);
			}
			if (!this.#commit(member, entry) || entry.kind !== "normal" || entry.data.length === 0) continue;
			commands.push({ entry, ...decodeCommand(entry.data) });
		}
		const revokes = commands.some(({ command }) => command.kind === "lease_revoke" && command.expired);
		const before = revokes ? new Set(machine.leases()) : undefined;
		const applied = run();
		if (before !== undefined) this.#leasesEnded(before, machine, commands);
		for (const { header } of commands) this.#request(header);
		for (const answer of applied) this.#answer(member, answer);
		const last = entries.at(-1);
		if (last !== undefined) this.#state(member, last.index, machine);
		return applied;
	}

	/** True for the first member to apply it. */
	#commit(member: MemberImage, entry: Entry): boolean {
		const print = crc32c(entry.data);
		const known = this.#committed.get(entry.index);
		if (known !== undefined) {
			if (known.term !== entry.term || known.print !== print) {
				this.#options.violation(
					`state-machine safety: ${member.name} applies entry ${entry.index} of term ${entry.term} crc ${print.toString(16)}, another applied term ${known.term} crc ${known.print.toString(16)}`,
				);
			}
			return false;
		}
		const chain = this.#chains.get(`${entry.index}/${entry.term}`) ?? -1;
		this.#committed.set(entry.index, { term: entry.term, by: member.written.hard.term, print, chain });
		this.#highest = Math.max(this.#highest, entry.index);
		const holders = this.#members.filter((each) => each.durable.holds(entry.index, entry.term));
		if (2 * holders.length <= this.#members.length) {
			this.#options.violation(
				`commit: ${member.name} applies entry ${entry.index} of term ${entry.term}, durable only on ${holders.map((each) => each.name).join(", ") || "nobody"}`,
			);
		}
		return true;
	}

	#request(header: CommandHeader): void {
		if (header.session === 0n || header.sequence === 0) return;
		const key = `${header.session.toString(16)}/${header.sequence}`;
		if (this.#requests.has(key)) this.#options.reached("a retried write is in the log twice");
		this.#requests.add(key);
	}

	/** A request that took effect has that effect and that answer, however often it is applied. */
	#answer(member: MemberImage, { header, outcome, revision, index }: Applied): void {
		if (header.session === 0n || header.sequence === 0) return;
		const key = `${header.session.toString(16)}/${header.sequence}`;
		if (outcome instanceof StoreError) {
			if (this.#answers.has(key)) this.#options.reached("a repeated request is refused");
			return;
		}
		if (!effective(outcome)) return;
		const first = this.#answers.get(key);
		if (first === undefined) this.#answers.set(key, revision);
		else if (first !== revision) {
			this.#options.violation(
				`exactly once: ${member.name} applies request ${key} at entry ${index} and revision ${revision}, after it was applied at ${first}`,
			);
		}
	}

	#leasesEnded(
		before: ReadonlySet<bigint>,
		machine: StateMachine,
		commands: readonly { readonly command: Command }[],
	): void {
		const left = new Set(machine.leases());
		for (const { command } of commands) {
			if (command.kind !== "lease_revoke" || !command.expired || !before.has(command.id) || left.has(command.id))
				continue;
			this.leaseEnds.push({ id: command.id, at: this.#options.now() });
			this.#options.reached("a lease expires");
		}
	}

	/** Equal entries, equal state. */
	#state(member: MemberImage, index: number, machine: StateMachine): void {
		const digest = stateDigest(machine);
		const known = this.#digests.get(index);
		if (known === undefined) this.#digests.set(index, { digest, name: member.name });
		else if (known.digest !== digest) {
			this.#options.violation(`equal state: ${member.name} and ${known.name} differ after entry ${index}`);
		}
	}

	/** A snapshot took the place of the state. */
	installed(member: MemberImage, machine: StateMachine): void {
		this.#state(member, machine.appliedIndex, machine);
	}
}

function link(before: number, entry: Entry): number {
	return crc32c(Buffer.from(`${before} ${entry.term} ${entry.kind} ${crc32c(entry.data)}`));
}

/** Whether a request of the simulation's workload changed the key space. */
function effective(result: CommandResult): boolean {
	if (result.kind === "put") return true;
	if (result.kind === "delete") return result.result.deleted > 0;
	return result.kind === "txn" && result.result.succeeded;
}

function replay(image: LogImage, { record, chains }: PendingRecord): void {
	if (record.hardState !== undefined) image.hard = record.hardState;
	if (record.snapshot !== undefined) image.markAt(record.snapshot);
	for (const [i, entry] of record.entries.entries()) {
		image.append(entry.index, { term: entry.term, chain: chains[i]! });
	}
}

const everything = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };

/** Everything a client can see of the state, as one number. */
export function stateDigest(machine: StateMachine): number {
	// Sorted, since leases with equal deadlines are listed in any order.
	const leases = machine.leases().map(String).sort().join();
	const head = `${machine.revision} ${machine.compactRevision} ${machine.time} ${machine.sessionCount} ${leases}`;
	let digest = crc32c(Buffer.from(head));
	for (const { key, value, createRevision, modRevision, version, lease } of machine.range(everything).kvs) {
		digest = crc32c(Buffer.from(` ${createRevision} ${modRevision} ${version} ${lease} `), digest);
		digest = crc32c(value, crc32c(key, digest));
	}
	return digest;
}
