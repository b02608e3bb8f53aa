/**
 * `barque envtest DIR`: launchers under the names of upstream's programs, for suites that start a control plane of their
 * own (controller-runtime's envtest finds them by KUBEBUILDER_ASSETS). They take the flags those suites pass.
 */
import { constants } from "node:fs";
import { access, chmod, mkdir, realpath, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseCommand } from "../kit/flags.ts";
import { launcher } from "./launcher.ts";

const command = {
	name: "barque envtest",
	summary:
		"Writes launchers named etcd, kube-apiserver and kubectl into DIR, for test suites that start a control plane of their own.",
	flags: {},
	positionals: "DIR",
	examples: ["barque envtest bin && KUBEBUILDER_ASSETS=$PWD/bin go test ./..."],
} as const;

/** One word of a POSIX shell, whatever it holds. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

const script = (body: string) => `#!/bin/sh\n${body}\n`;
const part = (name: string) => script(`exec ${[process.execPath, launcher, name].map(quoted).join(" ")} "$@"`);

/** The first program of that name on the path that is not in `except`. */
async function findOnPath(name: string, except: string): Promise<string | undefined> {
	for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
		if (folder === "" || (await realpath(folder).catch(() => undefined)) === except) continue;
		const file = path.resolve(folder, name);
		const runs = await access(file, constants.X_OK).then(
			() => true,
			() => false,
		);
		if (runs) return file;
	}
	return undefined;
}

async function writeLauncher(file: string, text: string): Promise<void> {
	// What stood there may be a link to a real program, which must not be written through.
	await rm(file, { force: true });
	await writeFile(file, text);
	await chmod(file, 0o755);
}

/** Writes the launchers; gives kubectl's path, undefined when there is none. */
export async function writeLaunchers(directory: string): Promise<string | undefined> {
	await mkdir(directory, { recursive: true });
	const kubectl = await findOnPath("kubectl", await realpath(directory));
	const missing = "echo 'kubectl: not found on the path when barque envtest wrote this; install it and write anew' >&2";
	await Promise.all([
		writeLauncher(path.join(directory, "etcd"), part("store")),
		writeLauncher(path.join(directory, "kube-apiserver"), part("apiserver")),
		writeLauncher(
			path.join(directory, "kubectl"),
			script(kubectl === undefined ? `${missing}\nexit 127` : `exec ${quoted(kubectl)} "$@"`),
		),
	]);
	return kubectl;
}

/** Exit codes: 0, 2 for a wrong command line. */
export async function runEnvtest(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(command, argv);
	if ("exit" in parsed) return parsed.exit;
	const [directory, ...more] = parsed.positionals;
	const say = (text: string) => void process.stderr.write(`barque envtest: ${text}\n`);
	if (directory === undefined || more.length > 0) {
		say('one directory must be named; see "barque envtest --help"');
		return 2;
	}
	if (process.platform === "win32") {
		say("launchers are scripts of a POSIX shell, which Windows does not run");
		return 1;
	}
	const full = path.resolve(directory);
	const kubectl = await writeLaunchers(full);
	if (kubectl === undefined) say("no kubectl on the path: its launcher will say so; the two others do not need it");
	process.stdout.write(`export KUBEBUILDER_ASSETS=${quoted(full)}\n`);
	return 0;
}
