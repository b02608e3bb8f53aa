/** Harm to the network between members. */

/** One direction: packets of `from` that arrive at `to`. Names of members. */
export type Link = readonly [from: string, to: string];

/** All of it adds up until `heal`. */
export interface Network {
	/** Every packet is dropped. */
	cut(links: readonly Link[]): Promise<void>;
	/** Each packet is dropped with this chance. */
	lose(links: readonly Link[], percent: number): Promise<void>;
	/** Each packet waits; `jitterMs` is added at random, so that packets overtake each other. */
	slow(links: readonly Link[], delayMs: number, jitterMs: number): Promise<void>;
	/** Everything flows again; resolves when it does. */
	heal(): Promise<void>;
}
