/** Harm to the wall clocks of members; their monotonic clocks stay right. */
export interface Clocks {
	/** The member's wall clock jumps to the machine's time plus `offsetMs` and goes `rate` times as fast from then on. */
	skew(name: string, offsetMs: number, rate: number): Promise<void>;
	/** All clocks jump back to the machine's time. */
	heal(): Promise<void>;
}
