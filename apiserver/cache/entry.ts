/** One stored object as the cache holds it: its bytes, and the few parsed facts that selectors and indexes ask for. */

/** What is kept parsed of an object. */
export interface Facts {
	readonly labels: Readonly<Record<string, string>>;
	/** Values of the resource's selectable fields, as text; absent ones are "". */
	readonly fields: Readonly<Record<string, string>>;
}

/** Reads the facts of one resource's stored bytes. */
export type FactsReader = (bytes: Buffer) => Facts;

export class Entry {
	/** The whole key in the store. */
	readonly key: string;
	/** Canonical stored JSON, without a resourceVersion. */
	readonly bytes: Buffer;
	/** The store's mod revision: the object's resourceVersion. */
	readonly revision: number;
	readonly lease: bigint;
	#facts: Facts | undefined;

	constructor(key: string, bytes: Buffer, revision: number, lease: bigint) {
		this.key = key;
		this.bytes = bytes;
		this.revision = revision;
		this.lease = lease;
	}

	facts(read: FactsReader): Facts {
		this.#facts ??= read(this.bytes);
		return this.#facts;
	}
}
