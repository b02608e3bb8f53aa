/** The thread of yaml-aside.ts: texts come in, values or the reasons against them go out, in order. */
import { parentPort } from "node:worker_threads";
import { parseYamlText, YamlError } from "./yaml-text.ts";

parentPort?.on("message", (text: string) => {
	try {
		parentPort?.postMessage({ parsed: parseYamlText(text) });
	} catch (error) {
		// Anything else is a bug, and ends the thread with its stack.
		if (!(error instanceof YamlError)) throw error;
		parentPort?.postMessage({ refused: error.message });
	}
});
