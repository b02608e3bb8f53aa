/** A response that a time limit may end from outside: whatever the handler writes afterwards is dropped. */
import type { ApiResponse } from "./types.ts";

export class GuardedResponse implements ApiResponse {
	readonly #inner: ApiResponse;
	readonly #onHead: (status: number) => void;
	#closed = false;
	#ended = false;

	constructor(inner: ApiResponse, onHead: (status: number) => void) {
		this.#inner = inner;
		this.#onHead = onHead;
	}

	get headSent(): boolean {
		return this.#inner.headSent;
	}

	get bytesWritten(): number {
		return this.#inner.bytesWritten;
	}

	get ended(): boolean {
		return this.#ended;
	}

	/** From now on the handler's writes go nowhere. */
	close(): ApiResponse {
		this.#closed = true;
		return this.#inner;
	}

	head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
		if (this.#closed) return;
		this.#onHead(status);
		this.#inner.head(status, headers);
	}

	write(chunk: Buffer): boolean {
		return this.#closed ? true : this.#inner.write(chunk);
	}

	onDrain(callback: () => void): void {
		this.#inner.onDrain(callback);
	}

	end(chunk?: Buffer | string): void {
		this.#ended = true;
		if (!this.#closed) this.#inner.end(chunk);
	}

	destroy(): void {
		this.#inner.destroy();
	}
}
