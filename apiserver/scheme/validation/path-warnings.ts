/** Files of one volume that lie in each other's way. */
import type { KeyToPath, Volume, VolumeProjection } from "../types.gen.ts";

interface Source {
	readonly path: string;
	/** "" in a volume of one source. */
	readonly of: string;
}

/** Paths of one volume that are compared: each with each. */
const maxCompared = 200;

const quote = (text: string | undefined) => JSON.stringify(text ?? "");
const show = ({ path, of }: Source) => (of === "" ? quote(path) : `${quote(path)} (${of})`);

function withoutSlashes(path: string): string {
	let end = path.length;
	while (end > 0 && path[end - 1] === "/") end--;
	return path.slice(0, end);
}

function overlaps(sources: readonly Source[]): string[] {
	const seen: Source[] = [];
	const found: string[] = [];
	for (const source of sources.slice(0, maxCompared)) {
		const here = { ...source, path: withoutSlashes(source.path) };
		for (const other of here.path === "" ? [] : seen) {
			if (other.path === "") continue;
			const [a, b] = [`${here.path}/`, `${other.path}/`];
			if (a.startsWith(b) || b.startsWith(a)) found.push(`${show(here)} with ${show(other)}`);
		}
		seen.push(here);
	}
	return found;
}

const items = (list: readonly Pick<KeyToPath, "path">[] | undefined, of = ""): Source[] =>
	(list ?? []).map(({ path = "" }) => ({ path, of }));

function projected(source: VolumeProjection): Source[] {
	const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle: bundle } = source;
	if (configMap?.items !== undefined) return items(configMap.items, `ConfigMap ${quote(configMap.name)}`);
	if (secret?.items !== undefined) return items(secret.items, `Secret ${quote(secret.name)}`);
	if (downwardAPI?.items !== undefined) return items(downwardAPI.items, "DownwardAPI");
	if (serviceAccountToken !== undefined) return items([serviceAccountToken], "ServiceAccountToken");
	if (bundle !== undefined) return items([bundle], `ClusterTrustBundle ${quote(bundle.name ?? bundle.signerName)}`);
	const certificate = source.podCertificate;
	return [
		{ path: certificate?.certificateChainPath ?? "", of: "PodCertificate chain" },
		{ path: certificate?.keyPath ?? "", of: "PodCertificate key" },
		{ path: certificate?.credentialBundlePath ?? "", of: "PodCertificate credential bundle" },
	].filter(({ path }) => path !== "");
}

export function overlappingPaths(volumes: readonly Volume[]): string[] {
	return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected: all }) => {
		const warn = (what: string, sources: readonly Source[]) =>
			overlaps(sources).map((body) => `volume ${quote(name)} (${what}): overlapping paths: ${body}`);
		const empty = (all?.sources ?? []).filter((source) => Object.values(source).every((v) => v === undefined));
		return [
			...warn(`ConfigMap ${quote(configMap?.name)}`, items(configMap?.items)),
			...warn(`Secret ${quote(secret?.secretName)}`, items(secret?.items)),
			...warn("DownwardAPI", items(downwardAPI?.items)),
			...empty.map(() => `volume ${quote(name)} (Projected) has no sources provided`),
			...warn("Projected", (all?.sources ?? []).flatMap(projected)),
		];
	});
}
