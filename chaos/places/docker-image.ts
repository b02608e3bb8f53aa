/**
 * The image members run in, made of this machine's own parts and without any registry: the Node that runs us, other
 * programs (etcd), the shared libraries they load, and a few files of /etc. Our own program is not in it: it is
 * bind-mounted read-only where it lies, so that a change of the sources costs no new image.
 */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { access, constants, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import { type Docker, refusal } from "./docker-client.ts";
import { MissingToolError } from "./place.ts";

const run = promisify(execFile);

/** Nobody's registry, so that nobody tries to pull it. */
const repository = "localhost/barque-chaos";
/** Part of the tag: another recipe is another image. */
const recipe = 1;
const quietMs = 2000;

/** Where the image has them. */
export const imageNode = "/usr/local/bin/node";
export const imageSleep = "/usr/bin/sleep";
export const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const texts: Readonly<Record<string, string>> = {
	"/etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n",
	"/etc/group": "root:x:0:\n",
	"/etc/nsswitch.conf": "hosts: files dns\n",
};
const folders = ["/root", "/tmp", "/proc", "/sys", "/dev", "/data"];
/** What libc loads when it resolves names or converts them; newer ones have it built in. */
const nameServices = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/** Resolves to the image's name, building it if the engine has none of the same content. `programs`: names or paths. */
export async function memberImage(docker: Docker, programs: readonly string[]): Promise<string> {
	if (process.platform !== "linux") {
		throw new MissingToolError("members' image is made of this machine's own Node and libraries: that needs Linux");
	}
	const files = await imageFiles(programs);
	const name = `${repository}:${await contentHash(files)}`;
	if (await hasImage(docker, name)) return name;
	const timer = setTimeout(() => process.stderr.write("barque chaos: building the members' image ...\n"), quietMs);
	try {
		await buildImage(docker, name, files);
	} finally {
		clearTimeout(timer);
	}
	return name;
}

/** The path of a program by its name as a shell finds it, or of its path. */
export async function findProgram(program: string): Promise<string | undefined> {
	const candidates = program.includes("/")
		? [path.resolve(program)]
		: (process.env["PATH"] ?? imagePath).split(path.delimiter).map((folder) => path.resolve(folder, program));
	for (const candidate of candidates) if (await isThere(candidate, constants.X_OK)) return candidate;
	return undefined;
}

/** Path in the image to file of this machine. */
async function imageFiles(programs: readonly string[]): Promise<Map<string, string>> {
	const files = new Map([[imageNode, process.execPath]]);
	files.set(imageSleep, await demandProgram("sleep"));
	for (const program of programs) {
		const found = await demandProgram(program);
		files.set(found, found);
	}
	const libraries = (await Promise.all([...files.values()].map(sharedLibraries))).flat();
	for (const library of libraries) files.set(library, library);
	const libc = libraries.find((library) => path.basename(library).startsWith("libc.so"));
	const wanted = nameServices.map((each) => path.join(path.dirname(libc ?? "/lib/libc.so"), each));
	// Where the loader looks for libraries off the usual paths.
	for (const file of [...wanted, "/etc/ld.so.cache"]) if (await isThere(file, constants.R_OK)) files.set(file, file);
	return files;
}

async function demandProgram(program: string): Promise<string> {
	const found = await findProgram(program);
	if (found === undefined) throw new MissingToolError(`there is no program ${program} to put into the members' image`);
	return found;
}

async function isThere(file: string, mode: number): Promise<boolean> {
	try {
		await access(file, mode);
		return true;
	} catch {
		return false;
	}
}

/** By the loader's own account; none where the program needs none. */
async function sharedLibraries(program: string): Promise<string[]> {
	let listed: string;
	try {
		listed = (await run("ldd", [program])).stdout;
	} catch (error) {
		const { code, stderr = "", stdout = "" } = error as { code?: unknown; stderr?: string; stdout?: string };
		if (code === "ENOENT") throw new MissingToolError("the members' image needs ldd, which comes with libc's tools");
		// ldd fails on a static program, and says so.
		if (/not a dynamic executable|not a valid dynamic program/i.test(stderr + stdout)) return [];
		throw error;
	}
	// linear: what ldd says of a program of ours.
	const missing = /^\s*(\S+) => not found/m.exec(listed)?.[1];
	if (missing !== undefined)
		throw new MissingToolError(`${program} needs ${missing}, which this machine does not have`);
	// linear: as above.
	return [...listed.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map(([, file = ""]) => file);
}

async function contentHash(files: ReadonlyMap<string, string>): Promise<string> {
	const hash = createHash("sha256").update(JSON.stringify([recipe, texts, folders]));
	for (const [target, source] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
		hash.update(`\0${target}\0`);
		for await (const chunk of createReadStream(source, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
	}
	return hash.digest("hex").slice(0, 16);
}

async function hasImage(docker: Docker, name: string): Promise<boolean> {
	try {
		await docker.getImage(name).inspect();
		return true;
	} catch (error) {
		if (refusal(error) === 404) return false;
		throw error;
	}
}

/** A tree of symbolic links, which tar follows, saves a copy of 150 MB. */
async function buildImage(docker: Docker, name: string, files: ReadonlyMap<string, string>): Promise<void> {
	const root = await mkdtemp(path.join(tmpdir(), "barque-image-"));
	const remove = () => rm(root, { recursive: true, force: true, maxRetries: 5 });
	const takeBack = cleanUpOnInterrupt(remove);
	try {
		for (const folder of folders) await mkdir(path.join(root, folder), { recursive: true });
		for (const [target, source] of files) {
			await mkdir(path.join(root, path.dirname(target)), { recursive: true });
			await symlink(source, path.join(root, target));
		}
		for (const [target, text] of Object.entries(texts)) {
			await mkdir(path.join(root, path.dirname(target)), { recursive: true });
			await writeFile(path.join(root, target), text);
		}
		await importTree(docker, name, root);
	} finally {
		await remove();
		takeBack();
	}
}

async function importTree(docker: Docker, name: string, root: string): Promise<void> {
	const at = name.lastIndexOf(":");
	const args = ["-C", root, "--dereference", "--owner=0", "--group=0", "-cf", "-", "."];
	const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "pipe"] });
	let complaint = "";
	tar.stderr.on("data", (chunk: Buffer) => {
		complaint += chunk.toString();
	});
	const ended = once(tar, "close").then(([code]) => {
		if (code !== 0) throw new Error(`tar failed: ${complaint}`);
	});
	const imported = docker
		.importImage(tar.stdout, { repo: name.slice(0, at), tag: name.slice(at + 1) })
		.then((progress) => readProgress(progress));
	await Promise.all([ended, imported]);
}

/** The engine answers with lines of JSON, an error among them. */
async function readProgress(progress: NodeJS.ReadableStream): Promise<void> {
	let text = "";
	for await (const chunk of progress) text += chunk.toString();
	for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
		const { error } = JSON.parse(line) as { error?: string };
		if (error !== undefined) throw new Error(`the engine did not import the members' image: ${error}`);
	}
}
