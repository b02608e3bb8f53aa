/** The log's thread: performs LogWriter's requests with blocking calls. Started by thread-writer.ts only. */
import {
	closeSync,
	constants,
	fdatasyncSync,
	fsyncSync,
	ftruncateSync,
	openSync,
	renameSync,
	writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { ThreadReply, ThreadRequest } from "./thread-protocol.ts";

const fileMode = 0o600;
const { preallocateBytes: step, sync } = workerData as { readonly preallocateBytes: number; readonly sync: boolean };
const port = parentPort!;
const shared = new Map<number, Uint8Array>();
let descriptor: number | undefined;
/** Of `descriptor`, for errors: Node names no file in those of descriptors. */
let file = "";
let end = 0;
let size = 0;

function writeAll(fd: number, data: Uint8Array, length: number, position: number): void {
	let done = 0;
	while (done < length) done += writeSync(fd, data, done, length - done, position + done);
}

function syncDirectory(path: string): void {
	// Windows cannot open a directory; its file systems journal names by themselves.
	if (!sync || process.platform === "win32") return;
	const fd = openSync(path, constants.O_RDONLY);
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

function finish(): void {
	if (descriptor === undefined) return;
	const fd = descriptor;
	descriptor = undefined;
	if (size > end) ftruncateSync(fd, end);
	closeSync(fd);
}

function create(path: string, data: Uint8Array): void {
	finish();
	file = path;
	const temporary = `${path}.tmp`;
	const fd = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, fileMode);
	descriptor = fd;
	writeAll(fd, data, data.length, 0);
	if (sync) fdatasyncSync(fd);
	renameSync(temporary, path);
	syncDirectory(dirname(path));
	end = size = data.length;
}

function open(path: string, data: Uint8Array, position: number): void {
	finish();
	file = path;
	const fd = openSync(path, constants.O_RDWR);
	descriptor = fd;
	const at = position + data.length;
	ftruncateSync(fd, at);
	writeAll(fd, data, data.length, position);
	if (sync) fdatasyncSync(fd);
	syncDirectory(dirname(path));
	end = size = at;
}

function write(buffer: number, length: number, position: number): void {
	if (descriptor === undefined) throw new Error("log writer: no file is open");
	const to = position + length;
	if (to > size) {
		size = Math.ceil(to / step) * step;
		ftruncateSync(descriptor, size);
	}
	writeAll(descriptor, shared.get(buffer)!, length, position);
	if (sync) fdatasyncSync(descriptor);
	end = to;
}

function perform(request: ThreadRequest): void {
	switch (request.op) {
		case "create":
			create(request.path, request.data);
			break;
		case "open":
			open(request.path, request.data, request.position);
			break;
		case "write":
			write(request.buffer, request.length, request.position);
			break;
		case "close":
			finish();
			break;
		case "share":
			shared.set(request.buffer, new Uint8Array(request.memory));
			break;
		case "drop":
			shared.delete(request.buffer);
			break;
	}
}

port.on("message", (request: ThreadRequest) => {
	let reply: ThreadReply = null;
	try {
		perform(request);
	} catch (error) {
		const { code, message, path } = error as NodeJS.ErrnoException;
		reply = { code, message: code === undefined || path !== undefined ? message : `${message} '${file}'` };
	}
	if (request.op !== "share" && request.op !== "drop") port.postMessage(reply);
	if (request.op === "close") port.close();
});
