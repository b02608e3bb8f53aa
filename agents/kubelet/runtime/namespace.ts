/**
 * Containers in a mount namespace of their own, where the kubelet is root on Linux: mounts lie at their real paths, a
 * service account at its well-known one, and nothing of it shows outside. unshare, mount, chroot, setpriv and nsenter
 * (util-linux, coreutils) each become the next under one process id, which ends as the container's program.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { boundTo, type HostFiles, type Own, ownDirectory, takenApart } from "./mount-table.ts";
import { escaped } from "./root-directory.ts";
import type { Privileges } from "./types.ts";

/** Devices that every container has, as the OCI runtime specification lists them, and what shells and programs expect. */
const devices = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue"];
const deviceLinks = {
	fd: "/proc/self/fd",
	stdin: "/proc/self/fd/0",
	stdout: "/proc/self/fd/1",
	stderr: "/proc/self/fd/2",
};
/** File systems of the kernel: they stay writable where a root is read-only. */
const kernelDirectories = ["/proc", "/sys", "/dev"];

const probeScript =
	"mount --bind /proc /proc && command -v nsenter >/dev/null && setpriv --inh-caps=-all -- chroot --userspec=+0:+0 --groups= / true";

/** Whether this process may give containers a namespace of their own: root, with the means and the right to mount. */
export function canIsolate(): boolean {
	if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
	const args = ["--mount", "--propagation", "private", "/bin/sh", "-c", probeScript];
	return spawnSync("unshare", args, { stdio: "ignore" }).status === 0;
}

/**
 * Whether a program can be kept from gaining privileges by what it executes (no_new_privs); this needs no privilege.
 */
export function canGiveUpPrivileges(): boolean {
	return process.platform === "linux" && spawnSync("setpriv", ["--no-new-privs", "--", "true"]).status === 0;
}

/** The root before any mount: this machine's, top-level entry by entry, with a `/dev` of few devices unless privileged. */
export async function machineRoot(files: HostFiles, { privileged, readOnlyRoot }: Privileges): Promise<Own> {
	const root = await takenApart(files, "/", readOnlyRoot);
	root.children.delete("lost+found");
	for (const directory of kernelDirectories) {
		const found = await files.stat(directory);
		if (found !== undefined) root.children.set(path.basename(directory), boundTo(directory, true, false));
	}
	if (privileged) return root;
	const dev = ownDirectory();
	for (const name of devices) {
		const found = await files.stat(path.join("/dev", name));
		if (found !== undefined) dev.children.set(name, boundTo(path.join("/dev", name), found.isDirectory(), false));
	}
	for (const [name, target] of Object.entries(deviceLinks)) dev.children.set(name, { kind: "link", target });
	root.children.set("dev", dev);
	return root;
}

/** Where this machine has something mounted below its root, from /proc/self/mountinfo. */
function machineMounts(): string[] {
	return readFileSync("/proc/self/mountinfo", "utf8")
		.split("\n")
		.map((line) => line.split(" ")[4] ?? "")
		.filter((at) => at.startsWith("/"))
		.map((at) => at.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}

/**
 * What has to be mounted again as read-only for a read-only root: what came along with a mount of this machine's
 * directories, without the kernel's file systems and what volumes lie over; and the root itself last.
 */
export function readOnlyTargets(root: string, volumes: readonly string[]): string[] {
	const kept = ["/", ...kernelDirectories, ...volumes.map((at) => path.posix.resolve("/", at))];
	const isKept = (at: string) => kept.some((one) => at === one || (one !== "/" && at.startsWith(`${one}/`)));
	const came = machineMounts().filter((at) => !isKept(at) && !at.startsWith(`${root}/`));
	return [...new Set(came)].map((at) => root + at).concat(root);
}

/** `setpriv` and its options for these privileges; empty: nothing to give up. */
export function setprivCommand({ user, noNewPrivileges, capabilities }: Privileges): string[] {
	const options: string[] = [];
	if (user !== undefined) {
		const groups = user.groups.length === 0 ? "--clear-groups" : `--groups=${user.groups.join(",")}`;
		options.push(`--reuid=${user.uid}`, `--regid=${user.gid}`, groups);
	}
	if (capabilities !== undefined) options.push(`--inh-caps=${capabilities}`, `--bounding-set=${capabilities}`);
	if (noNewPrivileges) options.push("--no-new-privs");
	return options.length === 0 ? [] : ["setpriv", ...options, "--"];
}

/**
 * Into the root, with the rights of the container from the first program there: a volume may lie over any program, library
 * or configuration of the machine, so none of them is run or read as anybody but the container's user. The plus signs keep
 * `chroot` from asking the root's files for names.
 */
function rootCommand(root: string, { user, noNewPrivileges, capabilities }: Privileges): string[] {
	const setpriv = (...options: string[]) => (options.length === 0 ? [] : ["setpriv", ...options, "--"]);
	const isBounded = capabilities !== undefined;
	const numeric = (id: number) => `+${id}`;
	const who =
		user === undefined
			? []
			: [`--userspec=${numeric(user.uid)}:${numeric(user.gid)}`, `--groups=${user.groups.map(numeric).join(",")}`];
	return [
		// What chroot needs comes to it by inheritance, whatever is bounded; the first step inside gives that up.
		...setpriv(...(isBounded ? ["--inh-caps=-all,+sys_chroot,+setuid,+setgid"] : [])),
		...setpriv(
			...(isBounded ? [`--bounding-set=${capabilities}`] : []),
			...(noNewPrivileges ? ["--no-new-privs"] : []),
		),
		...["chroot", ...who, root],
		...setpriv(...(isBounded ? ["--inh-caps=-all"] : [])),
	];
}

export interface IsolatedCommand {
	/** The root directory's path on this machine, without links. */
	readonly root: string;
	/** File with the mounts, for `mount -a`. */
	readonly fstab: string;
	readonly readOnly: readonly string[];
	readonly workingDir: string;
	readonly privileges: Privileges;
	readonly env: Readonly<Record<string, string>>;
	readonly command: readonly string[];
}

/**
 * The container's variables are set only after privileges are dropped: a loader or shell would obey some of them as
 * root.
 */
export const setupEnvironment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Names that a shell accepts and does not treat specially. */
const shellName = /^(?!(?:UID|EUID|PPID|OPTIND|BASHOPTS|SHELLOPTS|PS4)$)[A-Za-z_][A-Za-z0-9_]*$/;
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** What the last shell reads on descriptor 4: variables do not stand on a command line, which everybody may read. */
export const environmentText = (env: Readonly<Record<string, string>>): string =>
	Object.entries(env)
		.filter(([name]) => shellName.test(name))
		.map(([name, value]) => `export ${name}=${quoted(value)}\n`)
		.join("");

/** Variables with names that no shell accepts can only be passed as arguments. */
function otherVariables(env: Readonly<Record<string, string>>): string[] {
	const others = Object.entries(env).filter(([name]) => !shellName.test(name));
	return others.length === 0 ? [] : ["env", ...others.map(([name, value]) => `${name}=${value}`)];
}

/** Inside, with the rights of the container: its directory and variables, a word that all went well, its program. */
const lastScript = `
[ "$0" = say ] || exec 3>&2
cd "$1" 2>&- || { echo "working directory $1 cannot be entered" >&3; exit 128; }
shift
unset OLDPWD; eval "$(cat <&4)"; exec 4<&-
[ "$0" = quiet ] || echo ok >&3
exec 3>&-
exec "$@"
`;

type InsideCommand = Pick<IsolatedCommand, "root" | "workingDir" | "privileges" | "env" | "command">;

function lastSteps(of: InsideCommand, word: "quiet" | "say"): string[] {
	return [
		...rootCommand(of.root, of.privileges),
		...["/bin/sh", "-c", lastScript, word, of.workingDir],
		...otherVariables(of.env),
		...of.command,
	];
}

/**
 * Each step becomes the next under one process id. What fails says so on descriptor 3, which the program does not have.
 * Another container of the pod may put a link in a mount's place after the table was made: a mount that it led out of the
 * root could lie over what is run next, so that nothing is run then. Only the shell itself judges, by files opened before.
 */
const startScript = `
fail() { echo "$1" >&3; exit 128; }
root=$1 listed=$2 fstab=$3 count=$4; shift 4
outside() {
	n=0
	while read -r _ _ _ _ at _; do case $at in "$listed" | "$listed"/*) ;; *) n=$((n + 1)) ;; esac; done
}
exec 5</proc/self/mountinfo 6</proc/self/mountinfo
outside <&5; before=$n
mount --bind "$root" "$root" 2>&3 || fail "the root cannot be mounted"
mount -a -T "$fstab" 2>&3 || fail "its mounts cannot be made"
outside <&6; [ "$n" = "$before" ] || fail "a mount leads out of the container's root"
exec 5<&- 6<&-
while [ "$count" -gt 0 ]; do
	mount -o remount,bind,ro "$1" 2>&3 || fail "the root cannot be made read-only"
	count=$((count - 1)); shift
done
exec "$@"
`;

/**
 * The command line that becomes the container's program, to be run with `setupEnvironment`, descriptor 3 for its word
 * (`ok`, or why not) and descriptor 4 for `environmentText`.
 */
export function isolatedCommandLine(of: IsolatedCommand): readonly [string, ...string[]] {
	const shell = ["/bin/sh", "-c", startScript, "container"];
	const args = [of.root, escaped(of.root), of.fstab, String(of.readOnly.length), ...of.readOnly];
	return ["unshare", "--mount", "--propagation", "private", ...shell, ...args, ...lastSteps(of, "say")];
}

/** The command line of a program beside a running container, in its namespace, root and working directory; else as above. */
export function enteringCommandLine(pid: number, of: InsideCommand): readonly [string, ...string[]] {
	return ["nsenter", "--target", String(pid), "--mount", "--", ...lastSteps(of, "quiet")];
}
