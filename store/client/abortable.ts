/**
 * Settles as `work` does, or rejects with the signal's reason as soon as it is aborted. What `work` brings after that goes to
 * `late`, so that it can be undone.
 */
export function abortable<T>(
	work: Promise<T>,
	signal: AbortSignal | undefined,
	late: (value: T) => void = () => undefined,
): Promise<T> {
	if (signal === undefined) return work;
	return new Promise((resolve, reject) => {
		let aborted = signal.aborted;
		const onAbort = () => {
			aborted = true;
			reject(signal.reason as Error);
		};
		if (aborted) reject(signal.reason as Error);
		else signal.addEventListener("abort", onAbort, { once: true });
		work.then(
			(value) => {
				signal.removeEventListener("abort", onAbort);
				if (aborted) late(value);
				else resolve(value);
			},
			(error: unknown) => {
				signal.removeEventListener("abort", onAbort);
				reject(error as Error);
			},
		);
	});
}
