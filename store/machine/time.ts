/**
 * The machine's clocks. `time` is the greatest leader's time seen in an entry. `active` is what leases and sessions age by:
 * time less the spans in which the cluster could not have committed a renewal. Such a span is the gap before the first
 * timed entry of a term (there was no leader), and any longer gap than `pauseThresholdMs` within a term (the leader had no
 * quorum, or its disk hung). Both are functions of the log, so every member agrees, and no one has to extend anything.
 */

/** A leader with leases or sessions to age proposes something at least every second. */
export const pauseThresholdMs = 5000;

export class MachineTime {
	/** ms. */
	time: number;
	/** Sum of the spans in which nothing aged, ms. */
	paused: number;
	/** Term of the last timed entry. */
	term: number;

	constructor(time = 0, paused = 0, term = 0) {
		this.time = time;
		this.paused = paused;
		this.term = term;
	}

	get active(): number {
		return this.time - this.paused;
	}

	advance(time: number, term: number): void {
		const gap = time - this.time;
		if (gap > 0) {
			this.time = time;
			if (term !== this.term || gap > pauseThresholdMs) this.paused += gap;
		}
		this.term = term;
	}

	/** What `active` will be if the next entry carries `now`; a gap that would count as an outage does not age anything. */
	activeAt(now: number): number {
		const gap = now - this.time;
		return gap > 0 && gap <= pauseThresholdMs ? this.active + gap : this.active;
	}
}
