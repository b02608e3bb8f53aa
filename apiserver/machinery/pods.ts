/** What everybody asks of pods and of the taints of nodes. */

/** The phases that never change again. */
export const isFinalPhase = (phase: string | undefined): phase is "Succeeded" | "Failed" =>
	phase === "Succeeded" || phase === "Failed";

export const isFinished = (pod: { readonly status?: { readonly phase?: string | undefined } | undefined }): boolean =>
	isFinalPhase(pod.status?.phase);

interface Toleration {
	readonly key?: string | undefined;
	readonly operator?: string | undefined;
	readonly value?: string | undefined;
	readonly effect?: string | undefined;
}

interface Taint {
	readonly key?: string | undefined;
	readonly value?: string | undefined;
	readonly effect?: string | undefined;
}

/** Whether the toleration covers the taint (core/v1's ToleratesTaint). An operator that is none of the two covers nothing. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
	const { key = "", operator = "", effect = "", value = "" } = toleration;
	if (effect !== "" && effect !== taint.effect) return false;
	if (key !== "" && key !== taint.key) return false;
	if (operator === "Exists") return true;
	if (operator !== "" && operator !== "Equal") return false;
	return key !== "" && value === (taint.value ?? "");
}
