/** What one probe of a container saw, whichever way it asked. */
export interface ProbeOutcome {
	readonly ok: boolean;
	readonly message: string;
}
