/** The images the process runtime has built in; any other image runs only with a `command` of the pod's own. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ImageError } from "./types.ts";

const builtIn = ["pause", "echo"] as const;
export type BuiltInImage = (typeof builtIn)[number];

/** `registry.k8s.io/pause:3.10` → `pause`. */
function baseName(image: string): string {
	const last = image.slice(image.lastIndexOf("/") + 1);
	return last.split(/[:@]/, 1)[0] ?? "";
}

export function builtInImage(image: string): BuiltInImage | undefined {
	return builtIn.find((name) => name === baseName(image));
}

const reference = /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9._/-]+(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[a-f0-9]{32,})?$/;

/** Throws ImageError where the image name is malformed, or the image is not built in and brings no command. */
export function checkImage(image: string, command: readonly string[]): void {
	if (!reference.test(image)) {
		throw new ImageError(
			"InvalidImageName",
			`Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
		);
	}
	if (command.length > 0 || builtInImage(image) !== undefined) return;
	throw new ImageError(
		"ErrImagePull",
		`image "${image}" cannot be pulled: the process runtime runs commands of this machine, not images. Give the container a "command", or use a built-in image: ${builtIn.join(", ")}`,
	);
}

export const echoScript = (() => {
	const source = fileURLToPath(new URL("../images/echo.ts", import.meta.url));
	return existsSync(source) ? source : source.replace(/\.ts$/, ".js");
})();

/** A process that waits for SIGTERM, as the pause image does; a shell, since it costs a tenth of a Node process. */
const pauseScript = 'trap "exit 0" TERM INT; while :; do sleep 2147483 & wait $!; done';

/** The command line a built-in image stands for, where `node` and `script` are this program's Node and the echo server. */
export function builtInCommand(
	image: BuiltInImage,
	args: readonly string[],
	{ node, script } = { node: process.execPath, script: echoScript },
): readonly string[] {
	return image === "echo" ? [node, script, ...args] : ["/bin/sh", "-c", pauseScript, "pause"];
}
