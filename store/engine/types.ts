/**
 * The ordered key-value engine under MVCC: `level` in production, a twin in memory that loses unsynced writes at a crash
 * in simulation. Keys order by bytes. One writer, calls in order.
 */
export type EngineOp =
	| { readonly type: "put"; readonly key: Buffer; readonly value: Buffer }
	| { readonly type: "del"; readonly key: Buffer };

export interface EngineRange {
	/** Inclusive. */
	readonly gte?: Buffer | undefined;
	/** Exclusive. */
	readonly lt?: Buffer | undefined;
	readonly reverse?: boolean | undefined;
	readonly limit?: number | undefined;
}

export interface Engine {
	getSync(key: Buffer): Buffer | undefined;
	/** Pairs in order, read from a snapshot taken at the call. */
	iterate(range: EngineRange): AsyncIterable<readonly [Buffer, Buffer]>;
	/** Atomic. `sync`: durable when it resolves, and so is every batch before it. */
	batch(ops: readonly EngineOp[], options: { readonly sync: boolean }): Promise<void>;
	/** Deletes every key in [gte, lt). */
	clear(range: { readonly gte: Buffer; readonly lt: Buffer }): Promise<void>;
	close(): Promise<void>;
}
