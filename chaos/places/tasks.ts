/** Work that makes things which somebody has to remove: once closed no more of it begins, and what has begun is waited for. */
export class Tasks {
	readonly #pending = new Set<Promise<unknown>>();
	#closed = false;

	async do<T>(work: () => Promise<T>): Promise<T> {
		if (this.#closed) throw new Error("it is being closed");
		const task = work();
		this.#pending.add(task);
		try {
			return await task;
		} finally {
			this.#pending.delete(task);
		}
	}

	get isClosed(): boolean {
		return this.#closed;
	}

	/** Whether it went well is not asked here. */
	async close(): Promise<void> {
		this.#closed = true;
		await Promise.allSettled(this.#pending);
	}
}
