/** The header in which a leader names its Lease and itself, so that its writes count only while it holds that Lease. */

export const fenceHeader = "barque-fence";

export interface Fence {
	/** Of the Lease. */
	readonly namespace: string;
	readonly name: string;
	/** Its `spec.holderIdentity`. */
	readonly holder: string;
}

const maxLength = 1024;

/** `NAMESPACE/NAME HOLDER`. */
export const formatFence = ({ namespace, name, holder }: Fence): string => `${namespace}/${name} ${holder}`;

/** Undefined where the text is no fence: not of that form, or above 1024 characters. */
export function parseFence(text: string): Fence | undefined {
	if (text.length > maxLength) return undefined;
	const [, namespace, name, holder] = /^([a-z0-9.-]+)\/([a-z0-9.-]+) ([!-~]+)$/.exec(text) ?? [];
	if (namespace === undefined || name === undefined || holder === undefined) return undefined;
	return { namespace, name, holder };
}
