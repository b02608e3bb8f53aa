/** Tests of what not every system has. */

/** Skips the test elsewhere; `reason` is what only Linux does. */
export function linuxOnly(context: Mocha.Context, reason: string): void {
	if (process.platform === "linux") return;
	console.log(`      skipped: only Linux ${reason}`);
	context.skip();
}
