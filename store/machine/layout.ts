/**
 * Where the machine keeps what on the engine. Everything lies under a generation's prefix; installing a snapshot writes the
 * next generation beside the current one and then switches by one synced batch that changes the pointer.
 *
 *     "G"                          → u32 the current generation (absent: 1)
 *     "D" u32 generation "m"       → meta (meta.ts)
 *     "D" u32 generation "r" ...   → records by revision key (mvcc/record.ts)
 *     "D" u32 generation "l" u64   → leases: i53 TTL, i53 deadline
 *     "D" u32 generation "s" u64   → sessions (sessions.ts)
 */
export const pointerKey = Buffer.from("G");
const dataMark = 0x44;
const maxGeneration = 0xffffffff;

export type Table = "m" | "r" | "l" | "s";

export function encodeGeneration(generation: number): Buffer {
	const value = Buffer.alloc(4);
	value.writeUInt32BE(generation);
	return value;
}

export function decodeGeneration(value: Buffer | undefined): number {
	return value === undefined ? 1 : value.readUInt32BE();
}

function generationPrefix(generation: number): Buffer {
	const prefix = Buffer.alloc(5);
	prefix[0] = dataMark;
	prefix.writeUInt32BE(generation, 1);
	return prefix;
}

/** Prefix of a table's keys. */
export function tablePrefix(generation: number, table: Table): Buffer {
	return Buffer.concat([generationPrefix(generation), Buffer.from(table)]);
}

/** Every key of a table. */
export function tableRange(generation: number, table: Table): { readonly gte: Buffer; readonly lt: Buffer } {
	const lt = tablePrefix(generation, table);
	lt[5]! += 1;
	return { gte: tablePrefix(generation, table), lt };
}

export function idKey(prefix: Buffer, id: bigint): Buffer {
	const key = Buffer.allocUnsafe(prefix.length + 8);
	key.set(prefix);
	key.writeBigUInt64BE(id, prefix.length);
	return key;
}

/** Every key of one generation. */
export function generationRange(generation: number): { readonly gte: Buffer; readonly lt: Buffer } {
	return { gte: generationPrefix(generation), lt: afterGeneration(generation) };
}

function afterGeneration(generation: number): Buffer {
	return generation === maxGeneration ? Buffer.from([dataMark + 1]) : generationPrefix(generation + 1);
}

/** All keys of other generations than `current`: what an interrupted installation left. */
export function otherGenerations(current: number): { readonly gte: Buffer; readonly lt: Buffer }[] {
	return [
		{ gte: Buffer.from([dataMark]), lt: generationPrefix(current) },
		{ gte: afterGeneration(current), lt: Buffer.from([dataMark + 1]) },
	];
}
