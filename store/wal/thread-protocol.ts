/** Messages between the log and its thread. One request at a time; each is answered by exactly one reply. */
export type ThreadRequest =
	| { readonly op: "create"; readonly path: string; readonly data: Uint8Array }
	| { readonly op: "open"; readonly path: string; readonly data: Uint8Array; readonly position: number }
	| { readonly op: "write"; readonly buffer: number; readonly length: number; readonly position: number }
	/** Shares a buffer under a number; not answered. */
	| { readonly op: "share"; readonly buffer: number; readonly memory: SharedArrayBuffer }
	/** Forgets a shared buffer; not answered. */
	| { readonly op: "drop"; readonly buffer: number }
	| { readonly op: "close" };

export interface ThreadFailure {
	readonly code: string | undefined;
	readonly message: string;
}

/** `null`: done and durable. */
export type ThreadReply = ThreadFailure | null;
