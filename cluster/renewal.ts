/** Renews a running cluster's certificates before they end. */
import type { Clock, Timer } from "../kit/clock.ts";
import type { Logger } from "../kit/log.ts";
import { findLayout } from "./layout.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Looks in each certificate's time: several in the third that is left when it is due. */
const looks = 15;

/** Looks from time to time whether certificates under `dir` are due, and renews those. Resolves to what ends that. */
export async function keepRenewed(dir: string, clock: Clock, logger: Logger): Promise<Timer> {
	const layout = await findLayout(dir);
	const lifetimeMs = (layout?.certificateDays ?? 365) * dayMs;
	const told = new Set<string>();
	let busy = false;
	const look = async () => {
		if (layout === undefined || busy) return;
		busy = true;
		try {
			// Most of what signing needs is not loaded before it is due.
			const { renewCertificates } = await import("./certificates.ts");
			const { renewed, endingAuthorities } = await renewCertificates(dir, layout, clock.now());
			if (renewed > 0) logger.info("certificates renewed", { certificates: renewed });
			for (const { file, ends } of endingAuthorities) {
				if (!told.has(file)) logger.warn("an authority ends, and is not replaced", { file, ends: ends.toISOString() });
				told.add(file);
			}
		} catch (error) {
			logger.error("certificates not renewed", { dir, error });
		} finally {
			busy = false;
		}
	};
	return clock.every(Math.min(hourMs, lifetimeMs / looks), () => void look());
}
