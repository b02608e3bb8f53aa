/** Tests of what not every system has. */

import { canIsolate } from "../agents/kubelet/runtime/namespace.ts";
import { skip } from "./skip.ts";

/** Skips the tests where containers can have no namespaces of their own. */
export function rootOnly(context: Mocha.Context): void {
	if (canIsolate()) return;
	skip(context, "only root on Linux, with unshare, mount, chroot, setpriv and nsenter, isolates containers");
}

/** Skips the test elsewhere; `reason` is what only Linux does. */
export function linuxOnly(context: Mocha.Context, reason: string): void {
	if (process.platform === "linux") return;
	skip(context, `only Linux ${reason}`);
}
