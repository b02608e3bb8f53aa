/**
 * Mount points of mounts that lie below a volume of the pod's own (emptyDir, ConfigMap and their like): made in the volume
 * itself, so that it stays one volume for all containers. Below a place of the machine none is ever made
 * (`runtime/mount-table.ts`).
 */
import { lstat, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, Pod } from "../../apiserver/scheme/types.gen.ts";

export interface NestedMount {
	/** Path of the mount point in the volume. */
	readonly at: string;
	/** What is mounted there: a volume, or a part of one. Undefined: the file for a container's termination message. */
	readonly source: { readonly volume: string; readonly subPath: string } | undefined;
}

const absolute = (mountPath: string) => path.posix.resolve("/", mountPath);
const isBelow = (file: string, directory: string) => file.startsWith(directory === "/" ? "/" : `${directory}/`);

function* nestedIn(container: Container, volume: string): Generator<NestedMount> {
	const mounts = (container.volumeMounts ?? []).map((mount) => ({ mount, at: absolute(mount.mountPath ?? "") }));
	const wanted = [
		...mounts.map(({ mount, at }) => ({ at, source: { volume: mount.name ?? "", subPath: mount.subPath ?? "" } })),
		{ at: absolute(container.terminationMessagePath || "/dev/termination-log"), source: undefined },
	];
	for (const { at, source } of wanted) {
		const above = mounts.filter((other) => isBelow(at, other.at)).sort((a, b) => b.at.length - a.at.length)[0];
		if (above?.mount.name !== volume || above.mount.subPath || above.mount.subPathExpr) continue;
		yield { at: path.posix.relative(above.at, at), source };
	}
}

/** The mounts of a pod's containers that lie right below where the whole volume is mounted. */
export function nestedMounts(pod: KubeObject<Pod>, volume: string): NestedMount[] {
	const { containers = [], initContainers = [] } = pod.spec ?? {};
	return [...initContainers, ...containers].flatMap((container) => [...nestedIn(container, volume)]);
}

async function isThere(file: string): Promise<boolean> {
	return lstat(file).then(
		() => true,
		() => false,
	);
}

async function isFile(file: string): Promise<boolean> {
	return stat(file).then(
		(found) => found.isFile(),
		() => false,
	);
}

/**
 * Makes the mount points in `directory`, before any container can have put a link there. `links`: mounts are symbolic links,
 * so the point is the mount.
 */
export async function makeMountPoints(
	directory: string,
	nested: readonly NestedMount[],
	volumes: ReadonlyMap<string, string>,
	links: boolean,
): Promise<void> {
	for (const { at, source } of nested) {
		const point = path.join(directory, at);
		const base = source === undefined ? undefined : volumes.get(source.volume);
		if (await isThere(point)) continue;
		const from = base === undefined ? undefined : path.join(base, source?.subPath ?? "");
		if (links && from === undefined) continue;
		await mkdir(path.dirname(point), { recursive: true });
		if (links) await symlink(from ?? "", point);
		else if (from === undefined || (await isFile(from))) await writeFile(point, "");
		else await mkdir(point);
	}
}
