/**
 * A file beside the log that says which member the data directory belongs to, and which others there are. Ids are
 * computed from the flags once, when the member begins; later they are read from here, so that flags may change: a
 * member that moves keeps its name and id, and `--initial-cluster` only says where the members of these names are now.
 * As in etcd, the other bootstrap flags are ignored once a member has begun.
 */
import { join } from "node:path";
import type { Disk } from "../../kit/disk.ts";
import { readChecked, writeChecked } from "./checked-file.ts";
import { ClusterConfigError, type ClusterMember, type InitialCluster, parseInitialCluster } from "./cluster.ts";

const fileName = "membership";
const format = 1;

interface Stored {
	readonly format: number;
	readonly cluster: string;
	readonly self: string;
	readonly members: readonly { readonly id: string; readonly name: string; readonly peerUrls: readonly string[] }[];
}

const hex = (id: bigint) => id.toString(16).padStart(16, "0");
const idOf = (text: string) => BigInt(`0x${text}`);

/** The cluster as last written. Undefined: the member has not begun, or began under a version without this file. */
export async function readMembership(disk: Disk, directory: string): Promise<InitialCluster | undefined> {
	const text = await readChecked(disk, directory, fileName);
	if (text === undefined) return undefined;
	const path = join(directory, fileName);
	const stored = JSON.parse(text) as Stored;
	if (stored.format !== format) throw new ClusterConfigError(`${path}: unknown format ${stored.format}`);
	const members = stored.members.map(({ id, name, peerUrls }) => ({ id: idOf(id), name, peerUrls }));
	const self = members.find(({ id }) => id === idOf(stored.self));
	if (self === undefined) throw new ClusterConfigError(`${path}: member ${stored.self} is not among its members`);
	return { id: idOf(stored.cluster), members, self };
}

/** Written once the member has begun, and when the others have moved. */
export async function writeMembership(disk: Disk, directory: string, cluster: InitialCluster): Promise<void> {
	const members = cluster.members.map(({ id, name, peerUrls }) => ({ id: hex(id), name, peerUrls }));
	const stored: Stored = { format, cluster: hex(cluster.id), self: hex(cluster.self.id), members };
	const text = JSON.stringify(stored);
	if ((await readChecked(disk, directory, fileName)) !== text) await writeChecked(disk, directory, fileName, text);
}

/**
 * The known members at the addresses that `--initial-cluster` gives for their names; elsewhere they stay where they were.
 * Names that are not known are ignored, and returned.
 */
export function relocated(
	known: InitialCluster,
	initialCluster: string,
): { readonly cluster: InitialCluster; readonly ignored: readonly string[] } {
	const urls = parseInitialCluster(initialCluster);
	const move = (member: ClusterMember) => ({ ...member, peerUrls: urls.get(member.name) ?? member.peerUrls });
	const members = known.members.map(move);
	const names = new Set(members.map(({ name }) => name));
	const self = members.find(({ id }) => id === known.self.id) ?? known.self;
	const cluster = { id: known.id, members, self };
	return { cluster, ignored: [...urls.keys()].filter((name) => !names.has(name)) };
}
