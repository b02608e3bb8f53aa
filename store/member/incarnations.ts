/**
 * Which data directory each member is known to run on. Raft requires that members never forget: a vote or an
 * acknowledgement is a promise about what is on the sender's disk. A disk that was emptied, replaced or restored from
 * an older copy has lost those promises, so its process must not act as the old member.
 *
 * So every data directory has a random number, drawn when it is first used, and a count of process starts on it. A
 * member sends both in each greeting. The receiver stores them durably before it accepts anything else from that
 * member. Hence a member that counted a promise knows which data directory made it, and can tell that directory from
 * any other.
 */
import { join } from "node:path";
import type { Disk } from "../../kit/disk.ts";
import type { Random } from "../../kit/random.ts";
import type { HardState, MemberId } from "../raft/types.ts";
import type { LogIdentity } from "../wal/types.ts";
import { readChecked, writeChecked } from "./checked-file.ts";

export interface Incarnation {
	/** Of the data directory, drawn at random when it was first used. */
	readonly data: bigint;
	/** How often a process began to run on it. */
	readonly starts: number;
	/** Random for each start: an old copy of the directory repeats a start's number, but not its nonce. */
	readonly nonce: bigint;
}

/** What a member tells of itself in a greeting. */
export interface Standing extends Incarnation {
	/** It has a log, so it may have made promises. */
	readonly begun: boolean;
	/** 0: it never took part in an election. */
	readonly term: number;
}

/** What links ask before members listen to each other. */
export interface PeerGate {
	standing(): Standing;
	/** Resolves once the member's standing is stored durably: to undefined, or to the reason why it must be refused. */
	meet(from: MemberId, standing: Standing): Promise<string | undefined>;
	/** The member has met us and answers. */
	answered(from: MemberId, standing: Standing): void;
	/** The member knows that our data is not what it was. */
	expelled(by: MemberId, why: string): void;
}

/** This member's data is not the data that another member knows it by. */
export class DataLossError extends Error {
	override name = "DataLossError";
}

/** The file is damaged, of another member, or contradicts what lies beside it. */
export class IncarnationsError extends Error {
	override name = "IncarnationsError";
}

const fileName = "incarnations";
const format = 1;

export interface IncarnationsOptions {
	readonly disk: Disk;
	/** Where log and state lie; exists. */
	readonly directory: string;
	readonly identity: LogIdentity;
	readonly random: Random;
	/** As the log beside the file has it; undefined: there is no log. */
	readonly log: Pick<HardState, "term" | "commit"> | undefined;
	/** A member's id in texts. */
	readonly nameOf: (id: MemberId) => string;
}

/** This member's own record. `floor`: what its log held when it last started, so must hold at every later start. */
interface Own extends Incarnation {
	readonly begun: boolean;
	readonly floor: Pick<HardState, "term" | "commit">;
}

/**
 * What another member told of itself. If it had not begun then, it only asked to begin. Others may have refused it, and
 * then the member may come back on the data directory that it did begin with, which we have never met.
 */
interface Known extends Incarnation {
	readonly begun: boolean;
}

interface Kept {
	readonly own: Own;
	readonly peers: ReadonlyMap<MemberId, Known>;
}

export class Incarnations implements PeerGate {
	readonly #options: IncarnationsOptions;
	#own: Own;
	readonly #peers: Map<MemberId, Known>;
	/** Peers whose standing is being written to disk. */
	readonly #meeting = new Map<MemberId, Promise<void>>();
	#writing: Promise<void> = Promise.resolve();
	/** The member's term, for greetings. */
	term: () => number = () => 0;
	onAnswer: (from: MemberId, standing: Standing) => void = () => {};
	onExpelled: (error: DataLossError) => void = () => {};

	private constructor(options: IncarnationsOptions, kept: Kept) {
		this.#options = options;
		this.#own = kept.own;
		this.#peers = new Map(kept.peers);
	}

	/** Counts this start, durably. Throws IncarnationsError, and the disk's errors. */
	static async open(options: IncarnationsOptions): Promise<Incarnations> {
		const { random, log } = options;
		const path = join(options.directory, fileName);
		const found = await read(options, path);
		if (found !== undefined) checkLog(path, found.own, log);
		// A log without this file was written by an older version; its directory gets a number now.
		const own = {
			data: found?.own.data ?? random.bytes(8).readBigUInt64BE(),
			starts: (found?.own.starts ?? 0) + 1,
			nonce: random.bytes(8).readBigUInt64BE(),
			begun: log !== undefined,
			floor: { term: log?.term ?? 0, commit: log?.commit ?? 0 },
		};
		const opened = new Incarnations(options, { own, peers: found?.peers ?? new Map() });
		await opened.#write();
		return opened;
	}

	get begun(): boolean {
		return this.#own.begun;
	}

	/** The log exists durably; if it is absent at a later start, data was lost. */
	async markBegun(): Promise<void> {
		this.#own = { ...this.#own, begun: true };
		await this.#write();
	}

	standing(): Standing {
		const { data, starts, nonce, begun } = this.#own;
		return { data, starts, nonce, begun, term: this.term() };
	}

	async meet(from: MemberId, { data, starts, nonce, begun }: Standing): Promise<string | undefined> {
		const known = this.#peers.get(from);
		const told = { data, starts, nonce, begun };
		const loss = known === undefined ? undefined : lossBetween(known, told);
		if (loss !== undefined) return this.#describe(from, loss);
		const isNews = known?.data !== data || known.starts !== starts || known.begun !== begun;
		if (isNews) this.#meeting.set(from, this.#writeDown(from, told, known));
		await this.#meeting.get(from);
		return undefined;
	}

	async #writeDown(from: MemberId, told: Known, known: Known | undefined): Promise<void> {
		this.#peers.set(from, told);
		try {
			await this.#write();
		} catch (error) {
			// It was not written, so the peer stays unknown and the next greeting tries again.
			if (known === undefined) this.#peers.delete(from);
			else this.#peers.set(from, known);
			throw error;
		} finally {
			this.#meeting.delete(from);
		}
	}

	answered(from: MemberId, standing: Standing): void {
		this.onAnswer(from, standing);
	}

	expelled(by: MemberId, why: string): void {
		this.onExpelled(new DataLossError(`${this.#options.nameOf(by)} does not listen to this member: ${why}`));
	}

	#describe(from: MemberId, loss: string): string {
		const { nameOf, identity } = this.#options;
		return (
			`${nameOf(from)} ${loss}. What it voted for and acknowledged before may be missing from its data now, ` +
			`and it cannot take part; ${nameOf(identity.memberId)} keeps its own data. ` +
			`Give ${nameOf(from)} its latest data directory back, or leave it down`
		);
	}

	#write(): Promise<void> {
		const { disk, directory, identity } = this.#options;
		const text = encode(identity, { own: this.#own, peers: this.#peers });
		const written = this.#writing.catch(() => {}).then(() => writeChecked(disk, directory, fileName, text));
		this.#writing = written;
		return written;
	}
}

/** Throws when the log is gone, or older than at the last start: then it has lost entries or votes. */
function checkLog(path: string, own: Own, log: IncarnationsOptions["log"]): void {
	const advice = "Give the member its whole data directory back, or leave it down; the others keep what they hold";
	if (own.begun && log === undefined) {
		throw new IncarnationsError(
			`${path}: this data directory had a log, which is missing: what the member voted for and acknowledged stood there. ${advice}`,
		);
	}
	if (log === undefined || (log.term >= own.floor.term && log.commit >= own.floor.commit)) return;
	throw new IncarnationsError(
		`${path}: the log is older than the rest of this data directory: it is of term ${log.term} and committed up to ${log.commit}, ` +
			`and was of term ${own.floor.term} and committed up to ${own.floor.commit} at the last start. ${advice}`,
	);
}

/** Why the standing `told` cannot be a later one of the same data as `known`; undefined when it can. */
function lossBetween(known: Known, told: Known): string | undefined {
	if (known.data !== told.data) {
		if (!known.begun && told.begun) return undefined;
		return `was known by data directory ${hex(known.data)} and comes with another one, ${hex(told.data)}: its disk was emptied or replaced`;
	}
	const older = told.starts < known.starts || (told.starts === known.starts && told.nonce !== known.nonce);
	if (!older) return undefined;
	return `was known by start ${known.starts} of its data directory ${hex(known.data)} and comes with an older copy of it`;
}

const hex = (id: bigint) => id.toString(16).padStart(16, "0");

function encode({ clusterId, memberId }: LogIdentity, { own, peers }: Kept): string {
	const plain = ({ data, starts, nonce, begun }: Known) => ({ data: hex(data), starts, nonce: hex(nonce), begun });
	return JSON.stringify({
		format,
		cluster: hex(clusterId),
		member: hex(memberId),
		floor: own.floor,
		...plain(own),
		peers: Object.fromEntries([...peers].map(([id, peer]) => [hex(id), plain(peer)])),
	});
}

async function read({ disk, directory, identity }: IncarnationsOptions, path: string): Promise<Kept | undefined> {
	const text = await readChecked(disk, directory, fileName);
	return text === undefined ? undefined : decode(path, identity, JSON.parse(text) as Stored);
}

interface StoredIncarnation {
	readonly data: string;
	readonly starts: number;
	readonly nonce: string;
	readonly begun: boolean;
}

interface Stored extends StoredIncarnation {
	readonly format: number;
	readonly cluster: string;
	readonly member: string;
	readonly floor: Own["floor"];
	readonly peers: Readonly<Record<string, StoredIncarnation>>;
}

function decode(path: string, identity: LogIdentity, stored: Stored): Kept {
	if (stored.format !== format) throw new IncarnationsError(`${path}: unknown format ${stored.format}`);
	if (stored.cluster !== hex(identity.clusterId) || stored.member !== hex(identity.memberId)) {
		throw new IncarnationsError(
			`${path}: this data is of member ${stored.member} of cluster ${stored.cluster}, not of member ${hex(identity.memberId)} of cluster ${hex(identity.clusterId)}`,
		);
	}
	const id = (text: string) => BigInt(`0x${text}`);
	const one = ({ data, starts, nonce, begun }: StoredIncarnation): Known => ({
		data: id(data),
		starts,
		nonce: id(nonce),
		begun,
	});
	return {
		own: { ...one(stored), floor: stored.floor },
		peers: new Map(Object.entries(stored.peers).map(([member, peer]) => [id(member), one(peer)])),
	};
}
