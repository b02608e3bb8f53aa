/** What the house's lint found. */
export interface Violation {
	/** Path from the repository root. */
	readonly file: string;
	readonly line: number;
	readonly message: string;
}
