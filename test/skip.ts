/** Tests that this machine cannot run. */

/** Where the reporter (`reporter.js`) finds why: on the test, or on the hook's suite. */
interface WithReason {
	skipReason?: string;
}

/** Skips the test, or all tests of the suite whose hook this is. `reason` names what is missing: "no kubectl on the PATH". */
export function skip(context: Mocha.Context, reason: string): never {
	const runnable = context.test as (Mocha.Runnable & { readonly type?: string }) | undefined;
	const place = runnable?.type === "hook" ? runnable.parent : runnable;
	if (place !== undefined) (place as WithReason).skipReason = reason;
	return context.skip();
}
