/** `barque chaos` as a person runs it. */
import { type Result, runBarque } from "../../test/barque.ts";

/** A run that hangs must end, too. */
const timeout = 150_000;

export function chaos(...args: readonly string[]): Promise<Result> {
	return runBarque(["chaos", ...args], { timeout });
}
