/** The serving certificate of `--cert-dir`: read where it stands, made and kept there where it does not. */
import { access } from "node:fs/promises";
import path from "node:path";
import { createAuthority, writeKeyPair } from "../kit/pki.ts";

export interface ServingFiles {
	/** Path of the certificate (PEM), then its authority's when this server made both. */
	readonly cert: string;
	/** Path of its key (PEM). */
	readonly key: string;
}

/** Upstream's name for the pair: NAME.crt and NAME.key. */
const pairName = "apiserver";

const isThere = (file: string) =>
	access(file).then(
		() => true,
		() => false,
	);

/**
 * `apiserver.crt` and `apiserver.key` of the directory. Where neither is there, a pair for `hosts` (names and addresses)
 * is made by an authority whose key nobody keeps, and written: clients that trust the certificate file go on to trust it
 * after a restart. One without the other is an error, as is a directory that cannot be written.
 */
export async function servingFiles(directory: string, hosts: readonly string[]): Promise<ServingFiles> {
	const files = { cert: path.join(directory, `${pairName}.crt`), key: path.join(directory, `${pairName}.key`) };
	const [cert, key] = await Promise.all([isThere(files.cert), isThere(files.key)]);
	if (cert && key) return files;
	if (cert || key) {
		throw new Error(
			`--cert-dir: ${cert ? files.key : files.cert} is missing: certificate and key must be supplied as a pair`,
		);
	}
	const authority = await createAuthority(`${hosts[0] ?? "localhost"}-ca@${Math.floor(Date.now() / 1000)}`);
	const issued = await authority.issue({
		commonName: hosts[0] ?? "localhost",
		hosts: [...new Set(hosts)],
		usages: ["server"],
	});
	const pair = { cert: issued.cert + authority.cert, key: issued.key };
	try {
		await writeKeyPair(directory, pairName, pair);
	} catch (error) {
		throw new Error(`--cert-dir: ${(error as Error).message}`);
	}
	return files;
}
