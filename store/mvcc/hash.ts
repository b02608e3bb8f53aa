/**
 * etcd's HashKV (`server/storage/mvcc/hash.go`): CRC32C over "key", then revision key and marshalled pair of every record up
 * to the revision asked for. Of the records at or before the compacted revision only those still visible at the revision
 * count, so that members agree however far each has removed them.
 */
import { crc32c } from "../../kit/crc32c.ts";
import type { KeySpace } from "./keyspace.ts";
import { readRevisionKey, recordKey } from "./record.ts";

const bucket = Buffer.from("key");

/**
 * `records` are all of the engine's, in order, their keys behind `prefixSize` bytes. The key space may go on taking writes
 * meanwhile, but must not forget revisions (`compactSlice`).
 */
export async function hashRecords(
	space: KeySpace,
	revision: number,
	compactRevision: number,
	records: AsyncIterable<readonly [Buffer, Buffer]>,
	prefixSize: number,
): Promise<number> {
	let hash = crc32c(bucket);
	// With nothing alive, etcd counts every record that compaction left.
	const anyAlive = space.anyAliveAt(revision);
	for await (const [key, record] of records) {
		const { main, sub } = readRevisionKey(key, prefixSize);
		if (main > revision) break;
		if (main <= compactRevision) {
			const name = recordKey(record).toString("latin1");
			const counts = anyAlive
				? space.isVisibleAt(name, main, sub, revision)
				: space.survives(name, main, sub, compactRevision);
			if (!counts) continue;
		}
		hash = crc32c(record, crc32c(key.subarray(prefixSize), hash));
	}
	return hash;
}
