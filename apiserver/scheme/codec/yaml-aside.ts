/**
 * Long YAML is read on a thread of its own: half a megabyte takes more than a second, in which an event loop would answer
 * nobody. One thread, so that YAML gets one core at most; what waits for it is bounded.
 */
import { Worker } from "node:worker_threads";
import { tooManyRequests } from "../../machinery/errors.ts";
import { type ParsedYaml, parseYamlText, YamlError } from "./yaml-text.ts";

/** Texts below this are read at once: faster than telling another thread. */
const longAbove = 8 << 10;
/** Characters of texts that wait or are being read. */
const maxWaiting = 16 << 20;
/** One text may take this long. */
const maxMs = 15_000;
/** A thread that had nothing to do for so long ends. */
const idleMs = 60_000;

interface Job {
	readonly text: string;
	readonly resolve: (parsed: ParsedYaml) => void;
	readonly reject: (error: unknown) => void;
}

type Reply = { readonly parsed: ParsedYaml } | { readonly refused: string };

const jobs: Job[] = [];
let waiting = 0;
let worker: Worker | undefined;
let timer: NodeJS.Timeout | undefined;

/** As parseYamlText; rejects with ApiError 429 where too much waits already. */
export async function parseYamlAside(text: string): Promise<ParsedYaml> {
	if (text.length <= longAbove) return parseYamlText(text);
	if (waiting + text.length > maxWaiting) throw tooManyRequests("too much YAML is waiting to be read", 1);
	waiting += text.length;
	try {
		return await new Promise<ParsedYaml>((resolve, reject) => {
			jobs.push({ text, resolve, reject });
			if (jobs.length === 1) begin();
		});
	} finally {
		waiting -= text.length;
	}
}

/** Gives the first job to the thread. */
function begin(): void {
	const [job] = jobs;
	clearTimeout(timer);
	worker ??= startThread();
	if (job === undefined) {
		worker.unref();
		timer = setTimeout(stopThread, idleMs).unref();
		return;
	}
	worker.ref();
	worker.postMessage(job.text);
	timer = setTimeout(() => {
		stopThread();
		settle((late) => late.reject(new YamlError(`yaml: not read within ${maxMs / 1000} s`)));
	}, maxMs);
}

function settle(how: (job: Job) => void): void {
	const job = jobs.shift();
	if (job !== undefined) how(job);
	begin();
}

function stopThread(): void {
	const old = worker;
	worker = undefined;
	old?.removeAllListeners();
	// Its end is nobody's business, nor is what it says while it ends.
	old?.on("error", () => undefined);
	void old?.terminate();
}

function startThread(): Worker {
	// From the repository this file is TypeScript, from the package JavaScript; its sibling is of the same kind.
	const url = new URL(`./yaml-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
	const thread = new Worker(url, { name: "barque-yaml", resourceLimits: { maxOldGenerationSizeMb: 512 } });
	thread.on("message", (reply: Reply) => {
		settle((job) => ("parsed" in reply ? job.resolve(reply.parsed) : job.reject(new YamlError(reply.refused))));
	});
	// Out of its memory, or a bug: it costs the text that it was reading.
	thread.on("error", (error: Error) => {
		stopThread();
		settle((job) => job.reject(new YamlError(`yaml: cannot be read: ${error.message}`)));
	});
	return thread;
}
