/**
 * Objects over the store's client: bytes at keys, every write one compare-and-swap on the key's mod revision. Nothing
 * here knows kinds. Writes are never repeated blindly: only a lost comparison, which says that nothing was written, is
 * tried again.
 */
import type {
	Compare,
	KeyValue,
	RangeRequest,
	RangeResult,
	StoreClient,
	TxnResult,
	WithHeader,
} from "../../store/api.ts";
import { stored } from "./errors.ts";

export interface StoredObject {
	/** Canonical stored form. */
	readonly bytes: Buffer;
	/** Its mod revision. */
	readonly revision: number;
	readonly lease: bigint;
}

/** What an update makes of the current object. */
export type Change =
	| { readonly kind: "put"; readonly bytes: Buffer; readonly lease?: bigint }
	| { readonly kind: "delete" }
	/** Nothing is written. */
	| { readonly kind: "keep" };

export type Outcome =
	| { readonly kind: "put" | "keep"; readonly object: StoredObject }
	| { readonly kind: "delete"; readonly object: StoredObject; readonly revision: number };

/** Tries at a compare-and-swap before the update gives up; each loss means that another writer got through. */
const maxAttempts = 100;

const toObject = (kv: KeyValue): StoredObject => ({ bytes: kv.value, revision: kv.modRevision, lease: kv.lease });

/** What must hold of another object at the very revision at which a write takes effect, or the write does not. */
export interface Fence {
	readonly key: string;
	holds(object: StoredObject): boolean;
	/** Why a write is refused. */
	refusal(): Error;
}

/** Fences' objects remembered; they are read anew where they turn out to be old. */
const maxFences = 1024;

/** Measures each call to the store; `key` is the one it was about, or the beginning of its range. */
export type Observer = (operation: string, key: string, seconds: number, failed: boolean) => void;

export class ObjectStorage {
	readonly #store: StoreClient;
	readonly #now: () => number;
	readonly #observe: Observer;
	/** By key, as last seen. */
	#fences = new Map<string, StoredObject>();
	#fence: Fence | undefined;

	constructor(store: StoreClient, monotonicMs: () => number, observe: Observer) {
		this.#store = store;
		this.#now = monotonicMs;
		this.#observe = observe;
	}

	/** The same storage, whose writes take effect only while the fence holds; they reject with its refusal otherwise. */
	fenced(fence: Fence): ObjectStorage {
		const storage = new ObjectStorage(this.#store, this.#now, this.#observe);
		storage.#fences = this.#fences;
		storage.#fence = fence;
		return storage;
	}

	/** Compared with every write: that the object which the fence held of has not changed since. */
	async #guard(): Promise<readonly Compare[]> {
		const fence = this.#fence;
		if (fence === undefined) return [];
		const known = this.#fences.get(fence.key);
		const current = known !== undefined && fence.holds(known) ? known : await this.get(fence.key);
		if (current === undefined || !fence.holds(current)) throw fence.refusal();
		if (this.#fences.size >= maxFences) this.#fences.clear();
		this.#fences.set(fence.key, current);
		return [{ key: Buffer.from(fence.key), target: "mod", result: "equal", operand: current.revision }];
	}

	/** After a write that lost a comparison other than that of its own key: what is remembered of the fence is old. */
	#forgetFence(): void {
		if (this.#fence !== undefined) this.#fences.delete(this.#fence.key);
	}

	/** Linearizable. */
	async get(key: string): Promise<StoredObject | undefined> {
		const result = await this.#measured("get", key, this.#store.range({ key: Buffer.from(key) }));
		const kv = result.kvs[0];
		return kv === undefined ? undefined : toObject(kv);
	}

	range(request: RangeRequest): Promise<WithHeader<RangeResult>> {
		return this.#measured("list", request.key.toString(), this.#store.range(request));
	}

	/** Undefined: the key exists already. */
	async create(key: string, bytes: Buffer, lease?: bigint): Promise<StoredObject | undefined> {
		const id = Buffer.from(key);
		for (let attempt = 0; attempt < maxAttempts; attempt++) {
			const guard = await this.#guard();
			const result = await this.#measured(
				"create",
				key,
				this.#store.txn({
					compare: [{ key: id, target: "mod", result: "equal", operand: 0 }, ...guard],
					success: [{ op: "put", key: id, value: bytes, ...(lease === undefined ? {} : { lease }) }],
					failure: guard.length === 0 ? [] : [{ op: "range", key: id, keysOnly: true }],
				}),
			);
			if (result.succeeded) return { bytes, revision: result.header.revision, lease: lease ?? 0n };
			const other = result.responses[0];
			if (guard.length === 0 || (other?.op === "range" && other.count > 0)) return undefined;
			this.#forgetFence();
		}
		throw new Error(`${key}: lost ${maxAttempts} compare-and-swaps in a row`);
	}

	/**
	 * Reads, changes and writes until no other writer comes between. `cached` may be stale: when `change` fails on it, or
	 * wants to write nothing, that is decided again on the object as it is in the store. Undefined: there is no object.
	 */
	async update(
		key: string,
		cached: StoredObject | undefined,
		change: (current: StoredObject) => Promise<Change>,
	): Promise<Outcome | undefined> {
		let current = cached ?? (await this.get(key));
		let fresh = cached === undefined;
		for (let attempt = 0; attempt < maxAttempts; attempt++) {
			if (current === undefined) return undefined;
			let wanted: Change;
			try {
				wanted = await change(current);
			} catch (error) {
				if (fresh) throw error;
				[current, fresh] = [await this.get(key), true];
				continue;
			}
			if (wanted.kind === "keep" || (wanted.kind === "put" && wanted.bytes.equals(current.bytes))) {
				if (fresh) return { kind: "keep", object: current };
				[current, fresh] = [await this.get(key), true];
				continue;
			}
			const result = await this.#swap(key, current, wanted);
			if (result.succeeded) return outcome(wanted, current, result);
			const other = result.responses[0];
			const kv = other?.op === "range" ? other.kvs[0] : undefined;
			if (kv?.modRevision === current.revision) this.#forgetFence();
			[current, fresh] = [kv === undefined ? undefined : toObject(kv), true];
		}
		throw new Error(`${key}: lost ${maxAttempts} compare-and-swaps in a row`);
	}

	async #swap(key: string, current: StoredObject, wanted: Change): Promise<WithHeader<TxnResult>> {
		const id = Buffer.from(key);
		const guard = await this.#guard();
		const lease = wanted.kind === "put" ? (wanted.lease ?? current.lease) : 0n;
		return this.#measured(
			wanted.kind === "put" ? "update" : "delete",
			key,
			this.#store.txn({
				compare: [{ key: id, target: "mod", result: "equal", operand: current.revision }, ...guard],
				success: [
					wanted.kind === "put"
						? { op: "put", key: id, value: wanted.bytes, ...(lease === 0n ? {} : { lease }) }
						: { op: "delete", key: id },
				],
				failure: [{ op: "range", key: id }],
			}),
		);
	}

	async #measured<T>(operation: string, key: string, call: Promise<T>): Promise<T> {
		const began = this.#now();
		let failed = true;
		try {
			const result = await stored(call);
			failed = false;
			return result;
		} finally {
			this.#observe(operation, key, (this.#now() - began) / 1000, failed);
		}
	}
}

function outcome(wanted: Change, current: StoredObject, result: WithHeader<TxnResult>): Outcome {
	const { revision } = result.header;
	if (wanted.kind !== "put") return { kind: "delete", object: current, revision };
	return { kind: "put", object: { bytes: wanted.bytes, revision, lease: wanted.lease ?? current.lease } };
}
