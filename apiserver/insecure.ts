/** What an apiserver is told that leaves a door open, in words for its log. */
import type { ApiserverOptions } from "./options.ts";

/**
 * Whether requests without credentials are served, as system:anonymous. Never where everybody may do everything: upstream's
 * rule, too.
 */
export const allowsAnonymous = ({ anonymousAuth }: ApiserverOptions, modes: readonly string[]): boolean =>
	(anonymousAuth ?? true) && !modes.includes("AlwaysAllow");

/** One sentence for each insecure choice. */
export function insecureChoices(options: ApiserverOptions, modes: readonly string[]): string[] {
	const choices: string[] = [];
	if (modes.includes("AlwaysAllow")) {
		choices.push(
			"--authorization-mode has AlwaysAllow: whoever has credentials may do everything, and read every secret",
		);
		if (options.anonymousAuth ?? true) {
			choices.push(
				"anonymous requests are not allowed with the AlwaysAllow authorizer: --anonymous-auth is taken as false; use another authorizer",
			);
		}
	}
	if (options.tokenFile !== undefined) {
		choices.push("--token-auth-file: its tokens never end, and a change of the file takes a restart");
	}
	if (options.kubeletTls?.ca === undefined) {
		choices.push("without --kubelet-certificate-authority kubelets are not verified: logs may come from anybody");
	}
	return choices;
}
