/** Starts a container's process: prepares its root, command line and privileges. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, realpath, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { hostFiles } from "./host-files.ts";
import { builtInCommand, builtInImage, echoScript } from "./images.ts";
import { kubeconfigVariables } from "./in-cluster.ts";
import { buildMountTable, locate, type Mount, MountTableError, type Own } from "./mount-table.ts";
import {
	environmentText,
	isolatedCommandLine,
	machineRoot,
	readOnlyTargets,
	setprivCommand,
	setupEnvironment,
} from "./namespace.ts";
import { fstabOf, makeRootDirectory } from "./root-directory.ts";
import { type ContainerSpec, StartError } from "./types.ts";

/** Where a container in a namespace finds what the built-in images run, whoever it runs as. */
const builtInDirectory = "/.barque";
/** The file name marks it as a module, so that Node looks for no package.json. */
const builtInScript = `${builtInDirectory}/echo${echoScript.endsWith(".ts") ? ".mts" : ".mjs"}`;
const builtInNode = `${builtInDirectory}/node`;

export interface Launched {
	readonly pid: number;
	readonly exit: Promise<Exit>;
	readonly env: Readonly<Record<string, string>>;
	readonly workingDir: string;
}

export interface Exit {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

interface Ground {
	readonly spec: ContainerSpec;
	/** The container's own directory. */
	readonly directory: string;
	readonly terminationFile: string;
	/** Open for its output. */
	readonly outputFd: number;
}

const startError = (why: string) => new StartError("StartError", `failed to start process: ${why}`, 128);

/** What a container inherits of the kubelet's environment: how to find programs, and nothing else. */
function environmentOf(spec: ContainerSpec, root: string): Record<string, string> {
	const port = spec.ports[0];
	return {
		PATH: process.env["PATH"] ?? setupEnvironment.PATH,
		HOME: "/",
		HOSTNAME: spec.podName,
		BARQUE_ROOT: root,
		BARQUE_POD_IP: spec.podIp,
		...(port === undefined ? {} : { BARQUE_PORT: String(port) }),
		...spec.env,
	};
}

function commandOf(spec: ContainerSpec, builtIn?: Parameters<typeof builtInCommand>[2]): readonly string[] {
	const image = builtInImage(spec.image);
	if (spec.command.length > 0 || image === undefined) return [...spec.command, ...spec.args];
	return builtInCommand(image, spec.args, builtIn);
}

function mountsOf({ spec, terminationFile }: Ground): Mount[] {
	return [...spec.mounts, { mountPath: spec.terminationMessagePath, hostPath: terminationFile, readOnly: false }];
}

async function tableOf(mounts: readonly Mount[], base: Own | undefined): Promise<Own> {
	try {
		return await buildMountTable(mounts, {
			files: hostFiles,
			overmount: base !== undefined,
			...(base === undefined ? {} : { base }),
		});
	} catch (error) {
		if (error instanceof MountTableError) throw startError(error.message);
		throw error;
	}
}

function exitOf(child: ChildProcess): Promise<Exit> {
	return new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
}

async function spawned(child: ChildProcess): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		child.once("spawn", resolve);
		child.once("error", reject);
	});
}

/** With this machine's root: mounts are links in a directory that `$BARQUE_ROOT` names. Rejects with StartError. */
export async function launchPlainly(ground: Ground): Promise<Launched> {
	const { spec, directory, outputFd } = ground;
	const { root } = await makeRootDirectory(await tableOf(mountsOf(ground), undefined), directory, true);
	const workingDir = spec.workingDir ?? root;
	const env = { ...environmentOf(spec, root), ...(await kubeconfigVariables(spec, root, directory)) };
	const command = commandOf(spec);
	const [program = "", ...args] = [...setprivCommand(spec.privileges), ...command];
	if (program === "setpriv") await checkProgram(command[0] ?? "", env, workingDir, async (file) => file);
	const child = spawn(program, args, { cwd: workingDir, env, detached: true, stdio: ["ignore", outputFd, outputFd] });
	// From the first moment: a short command ends before the next await is over.
	const exit = exitOf(child);
	try {
		await spawned(child);
	} catch (error) {
		throw spawnError(error as NodeJS.ErrnoException, command[0] ?? "", workingDir);
	}
	return { pid: child.pid ?? 0, exit, env, workingDir };
}

/** In a mount namespace of its own, with mounts at their real paths. Rejects with StartError. */
export async function launchIsolated(ground: Ground): Promise<Launched> {
	const { spec, directory, outputFd } = ground;
	const builtIn: Mount[] =
		builtInImage(spec.image) === undefined
			? []
			: [
					{ mountPath: builtInNode, hostPath: process.execPath, readOnly: true },
					{ mountPath: builtInScript, hostPath: echoScript, readOnly: true },
				];
	const table = await tableOf([...mountsOf(ground), ...builtIn], await machineRoot(hostFiles, spec.privileges));
	const { root, lines } = await makeRootDirectory(table, await realpath(directory), false);
	const fstab = path.join(directory, "fstab");
	await writeFile(fstab, fstabOf(lines), { mode: 0o600 });
	const workingDir = spec.workingDir ?? "/";
	const env = environmentOf(spec, "/");
	const command = commandOf(spec, { node: builtInNode, script: builtInScript });
	await checkProgram(command[0] ?? "", env, workingDir, async (file) => locate(table, file, hostFiles));
	const volumes = spec.mounts.map((mount) => mount.mountPath);
	const readOnly = spec.privileges.readOnlyRoot ? readOnlyTargets(root, volumes) : [];
	const [setup, ...args] = isolatedCommandLine({
		root,
		fstab,
		readOnly,
		workingDir,
		privileges: spec.privileges,
		env,
		command,
	});
	const stdio = ["ignore", outputFd, outputFd, "pipe", "pipe"] as const;
	const child = spawn(setup, args, { cwd: "/", env: setupEnvironment, detached: true, stdio: [...stdio] });
	const exit = exitOf(child);
	await spawned(child);
	const [, , , word, variables] = child.stdio;
	giveVariables(variables as Writable, env);
	const said = await readAll(word as Readable);
	if (said.trim() !== "ok") {
		await exit;
		throw startError(said.trim().split("\n").join(": ") || "its rights could not be given up");
	}
	return { pid: child.pid ?? 0, exit, env, workingDir };
}

/** Writes the container's variables to the last step of a start. A start that failed earlier never reads them. */
export function giveVariables(to: Writable, env: Readonly<Record<string, string>>): void {
	to.on("error", () => {});
	to.end(environmentText(env));
}

async function readAll(from: Readable): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of from) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString("utf8");
}

/**
 * Checks that the program can be executed, since later steps cannot report that it is missing. Rejects with StartError.
 */
async function checkProgram(
	program: string,
	env: Readonly<Record<string, string>>,
	workingDir: string,
	find: (file: string) => Promise<string | "own" | undefined>,
): Promise<void> {
	const folders = program.includes("/") ? [""] : (env["PATH"] ?? "").split(":");
	let why = "executable file not found in $PATH";
	for (const folder of folders) {
		const found = await find(path.posix.resolve(workingDir, folder, program));
		if (found === undefined || found === "own") continue;
		try {
			await access(found, constants.X_OK);
			if ((await stat(found)).isFile()) return;
		} catch {
			// Not executable; the next folder may have one that is.
		}
		why = "permission denied";
	}
	if (program.includes("/") && why !== "permission denied") why = "no such file or directory";
	throw startError(`exec: "${program}": ${why}`);
}

function spawnError(error: NodeJS.ErrnoException, program: string, workingDir: string): StartError {
	if (error.code === "EACCES") return startError(`exec: "${program}": permission denied`);
	if (error.code !== "ENOENT") return startError(`"${program}": ${error.message}`);
	return startError(
		`exec: "${program}": executable file not found in $PATH, or working directory "${workingDir}" does not exist`,
	);
}
