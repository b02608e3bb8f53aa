/** A pod's volumes as folders on this machine, filled from ConfigMaps, Secrets, tokens and the pod's own fields. */

import type { Stats } from "node:fs";
import {
	chmod,
	chown,
	lstat,
	mkdir,
	readdir,
	readlink,
	realpath,
	rename,
	rm,
	stat,
	symlink,
	writeFile,
} from "node:fs/promises";
import path from "node:path";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, KeyToPath, Pod, Volume, VolumeProjection } from "../../apiserver/scheme/types.gen.ts";
import { expandStrictly, podField, type ReferenceLookup, resourceField } from "./env.ts";
import { makeMountPoints, type NestedMount, nestedMounts } from "./nested-mounts.ts";
import type { ContainerSpec } from "./runtime/types.ts";
import type { VolumeOwner } from "./security.ts";

/** A volume that cannot be filled yet: the pod waits in ContainerCreating with a FailedMount event. */
export class MountError extends Error {
	override name = "MountError";
}

export interface VolumeContext {
	readonly pod: KubeObject<Pod>;
	/** Folder of the pod's volumes. */
	readonly directory: string;
	readonly references: ReferenceLookup;
	/** A token for the pod's service account. */
	readonly token: (audience: string | undefined, expirationSeconds: number) => Promise<string>;
	readonly podIp: string;
	readonly hostIp: string;
	/** What the node has, by resource. */
	readonly allocatable: Readonly<Record<string, string>>;
	/** Whose the files are; undefined: containers run as the kubelet does, and all is its own. */
	readonly owner: VolumeOwner | undefined;
}

interface File {
	readonly path: string;
	readonly content: Buffer | string;
	readonly mode: number;
	/** Given to the user that the volumes belong to. */
	readonly owned?: boolean;
}

const defaultTokenSeconds = 3_607;

function inside(base: string, relative: string): string {
	const target = path.resolve(base, relative);
	if (target !== base && !target.startsWith(`${base}${path.sep}`)) {
		throw new MountError(`path "${relative}" must not leave its volume`);
	}
	return target;
}

function select(
	data: Readonly<Record<string, Buffer>>,
	items: readonly KeyToPath[] | undefined,
	mode: number,
	optional: boolean,
): File[] {
	if (items === undefined || items.length === 0) {
		return Object.entries(data).map(([key, content]) => ({ path: key, content, mode }));
	}
	return items.flatMap((item) => {
		const key = item.key ?? "";
		if (!Object.hasOwn(data, key)) {
			if (optional) return [];
			throw new MountError(`references non-existent config key: ${key}`);
		}
		return [{ path: item.path ?? key, content: data[key] ?? "", mode: item.mode ?? mode }];
	});
}

async function configMapFiles(
	context: VolumeContext,
	source: { name?: string | undefined; items?: KeyToPath[] | undefined; optional?: boolean | undefined },
	mode: number,
): Promise<File[]> {
	const data = await context.references.configMap(source.name ?? "");
	if (data === undefined && source.optional !== true) throw new MountError(`configmap "${source.name}" not found`);
	return select(data ?? {}, source.items, mode, source.optional === true);
}

async function secretFiles(
	context: VolumeContext,
	source: { name?: string | undefined; items?: KeyToPath[] | undefined; optional?: boolean | undefined },
	mode: number,
): Promise<File[]> {
	const data = await context.references.secret(source.name ?? "");
	if (data === undefined && source.optional !== true) throw new MountError(`secret "${source.name}" not found`);
	return select(data ?? {}, source.items, mode, source.optional === true);
}

function downwardFiles(
	context: VolumeContext,
	items: NonNullable<Volume["downwardAPI"]>["items"],
	mode: number,
): File[] {
	return (items ?? []).map((item) => {
		const container = [...(context.pod.spec?.containers ?? [])].find(
			(candidate: Container) => candidate.name === item.resourceFieldRef?.containerName,
		);
		const content =
			item.fieldRef !== undefined
				? podField(context.pod, item.fieldRef.fieldPath ?? "", context)
				: resourceField(container ?? {}, item.resourceFieldRef ?? {}, context.allocatable);
		return { path: item.path ?? "", content, mode: item.mode ?? mode };
	});
}

async function projectedFiles(context: VolumeContext, source: VolumeProjection, mode: number): Promise<File[]> {
	if (source.configMap !== undefined) return configMapFiles(context, source.configMap, mode);
	if (source.secret !== undefined) return secretFiles(context, source.secret, mode);
	if (source.downwardAPI !== undefined) return downwardFiles(context, source.downwardAPI.items, mode);
	if (source.serviceAccountToken !== undefined) {
		const { audience, expirationSeconds, path: file } = source.serviceAccountToken;
		const content = await context.token(audience, expirationSeconds ?? defaultTokenSeconds);
		const { owner } = context;
		// Only its one reader may read a token. Where several users may be that reader, everybody with the volume may,
		// as upstream.
		const isOneUsers = owner === undefined || owner.uid !== undefined || owner.gid !== undefined;
		return [{ path: file ?? "token", content, mode: isOneUsers ? 0o600 : mode, owned: true }];
	}
	throw new MountError(`projected source ${Object.keys(source).join(", ")} is not supported by this kubelet`);
}

async function filesOf(context: VolumeContext, volume: Volume): Promise<File[] | undefined> {
	const { configMap, secret, downwardAPI, projected } = volume;
	if (configMap !== undefined) return configMapFiles(context, configMap, configMap.defaultMode ?? 0o644);
	if (secret !== undefined) {
		const { secretName, items, optional, defaultMode } = secret;
		return secretFiles(context, { name: secretName, items, optional }, defaultMode ?? 0o644);
	}
	if (downwardAPI !== undefined) return downwardFiles(context, downwardAPI.items, downwardAPI.defaultMode ?? 0o644);
	if (projected === undefined) return undefined;
	const mode = projected.defaultMode ?? 0o644;
	return (await Promise.all((projected.sources ?? []).map((source) => projectedFiles(context, source, mode)))).flat();
}

/** Where a symbolic link leads; undefined: there is no such link. */
async function target(link: string): Promise<string | undefined> {
	try {
		return await readlink(link);
	} catch (error) {
		if (["ENOENT", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
		throw error;
	}
}

/**
 * Call before the file is visible to a container, so that none can have put a link in its place. A group may read
 * (upstream's fsGroup).
 */
async function giveFile(to: string, file: File, { uid, gid }: VolumeOwner): Promise<void> {
	const user = file.owned === true ? uid : undefined;
	if (user === undefined && gid === undefined) return;
	await chown(to, user ?? -1, gid ?? -1);
	await chmod(to, gid === undefined ? file.mode : file.mode | 0o440);
}

/** A folder that all containers of the pod may write, made once; false where it was there. */
async function emptyDirectory(directory: string, gid: number | undefined): Promise<boolean> {
	try {
		await mkdir(directory, { mode: 0o777 });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw error;
	}
	if (gid !== undefined) await chown(directory, -1, gid);
	// Set again, since the umask removed bits of the mode; the setgid bit gives new files the folder's group.
	await chmod(directory, gid === undefined ? 0o777 : 0o2777);
	return true;
}

/**
 * Replaces a volume's content at once, as upstream's atomic writer does: a new folder, then one rename of a link. Links to
 * files that stay are left alone, so that a reader never misses one; what is no longer there goes last.
 */
async function writeAtomically(
	directory: string,
	given: readonly File[],
	generation: string,
	/** `points`: names that stay, since something is mounted there. */
	{ owner, points }: { readonly owner: VolumeOwner; readonly points: readonly string[] },
): Promise<void> {
	const files = given.map((file) => ({ ...file, path: path.normalize(file.path) }));
	await mkdir(directory, { recursive: true, mode: 0o755 });
	const data = path.join(directory, `..${generation}`);
	await rm(data, { recursive: true, force: true });
	await mkdir(data, { recursive: true, mode: 0o755 });
	for (const file of files) {
		const to = inside(data, file.path);
		await mkdir(path.dirname(to), { recursive: true });
		await writeFile(to, file.content, { mode: file.mode });
		await giveFile(to, file, owner);
	}
	const link = path.join(directory, "..data");
	await rm(`${link}_tmp`, { force: true });
	await symlink(path.basename(data), `${link}_tmp`);
	await rename(`${link}_tmp`, link);
	const names = new Set(files.map((file) => file.path.split(path.sep, 1)[0] ?? ""));
	for (const name of names) {
		const visible = path.join(directory, name);
		const wanted = path.join("..data", name);
		if ((await target(visible)) === wanted) continue;
		await rm(visible, { recursive: true, force: true });
		await symlink(wanted, visible);
	}
	const keep = new Set([...names, ...points, path.basename(data), "..data"]);
	for (const name of await readdir(directory)) {
		if (!keep.has(name)) await rm(path.join(directory, name), { recursive: true, force: true });
	}
}

/** Types of a hostPath as upstream names them in its refusals, and what the place has to be. */
const hostPathTypes: Readonly<Record<string, readonly [string, (found: Stats) => boolean]>> = {
	Directory: ["a directory", (found) => found.isDirectory()],
	DirectoryOrCreate: ["a directory", (found) => found.isDirectory()],
	File: ["a file", (found) => found.isFile()],
	FileOrCreate: ["a file", (found) => found.isFile()],
	Socket: ["a socket", (found) => found.isSocket()],
	CharDevice: ["a character device", (found) => found.isCharacterDevice()],
	BlockDevice: ["a block device", (found) => found.isBlockDevice()],
};

async function hostPath(volume: Volume): Promise<string> {
	const { path: target = "", type = "" } = volume.hostPath ?? {};
	if (type === "DirectoryOrCreate") await mkdir(target, { recursive: true });
	if (type === "FileOrCreate") await writeFile(target, "", { flag: "a" });
	const [wanted, fits] = hostPathTypes[type] ?? ["there", () => true];
	try {
		if (fits(await stat(target))) return target;
	} catch (error) {
		if (!["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
	}
	throw new MountError(`hostPath type check failed: ${target} is not ${wanted}`);
}

/** Makes every volume of the pod; resolves to the folder of each by volume name. Rejects with MountError. */
export async function mountVolumes(context: VolumeContext, generation: string): Promise<ReadonlyMap<string, string>> {
	const mounted = new Map<string, string>();
	/** Volumes of the pod's own in which mount points are made, once all volumes are there. */
	const holders: { readonly directory: string; readonly nested: readonly NestedMount[] }[] = [];
	for (const volume of context.pod.spec?.volumes ?? []) {
		const name = volume.name ?? "";
		const directory = inside(context.directory, name);
		const nested = nestedMounts(context.pod, name);
		if (volume.hostPath !== undefined) {
			mounted.set(name, await hostPath(volume));
			continue;
		}
		if (volume.emptyDir !== undefined) {
			if (await emptyDirectory(directory, context.owner?.gid)) holders.push({ directory, nested });
			mounted.set(name, directory);
			continue;
		}
		const files = await filesOf(context, volume);
		if (files === undefined) {
			const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
			throw new MountError(`volume "${name}": volumes of type ${kind} are not supported by this kubelet`);
		}
		const points = nested.map(({ at }) => at.split("/", 1)[0] ?? "");
		await writeAtomically(directory, files, generation, { owner: context.owner ?? {}, points });
		holders.push({ directory, nested });
		mounted.set(name, directory);
	}
	for (const { directory, nested } of holders) {
		await makeMountPoints(directory, nested, mounted, context.owner === undefined);
	}
	return mounted;
}

/**
 * The part of a volume that a mount shows; a folder is made where there is nothing yet. A link that a pod put there does
 * not lead out of the volume. Rejects with MountError.
 */
async function subPathOf(base: string, subPath: string): Promise<string> {
	if (path.isAbsolute(subPath)) throw new MountError(`subPath "${subPath}" must not be an absolute path`);
	const root = await realpath(base);
	let current = root;
	for (const name of path.relative(base, inside(base, subPath)).split(path.sep).filter(Boolean)) {
		const next = path.join(current, name);
		try {
			await lstat(next);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
			await mkdir(next);
			await chmod(next, (await stat(root)).mode & 0o7777);
		}
		try {
			current = inside(root, await realpath(next));
		} catch (error) {
			if (error instanceof MountError || (error as NodeJS.ErrnoException).code === "ENOENT") {
				throw new MountError(`subPath "${subPath}" must not leave its volume`);
			}
			throw error;
		}
	}
	return current;
}

/** Whether a volume's files are made by the kubelet: no container may change them, whatever its mount says. */
const isFilled = (volume: Volume | undefined) =>
	(volume?.configMap ?? volume?.secret ?? volume?.downwardAPI ?? volume?.projected) !== undefined;

/** A container's mounts over the pod's volumes. Rejects with MountError, and with ConfigError for subPathExpr. */
export async function mountsOf(
	container: Container,
	specs: readonly Volume[],
	volumes: ReadonlyMap<string, string>,
	env: Readonly<Record<string, string>>,
): Promise<ContainerSpec["mounts"]> {
	const mounts = [];
	for (const mount of container.volumeMounts ?? []) {
		const base = volumes.get(mount.name ?? "");
		if (base === undefined) throw new MountError(`volume mount "${mount.name}" names no volume of the pod`);
		const subPath = mount.subPathExpr ? expandStrictly(mount.subPathExpr, env) : mount.subPath;
		mounts.push({
			mountPath: mount.mountPath ?? "",
			hostPath: subPath ? await subPathOf(base, subPath) : base,
			readOnly: mount.readOnly === true || isFilled(specs.find((volume) => volume.name === mount.name)),
		});
	}
	return mounts;
}
