/**
 * Files that are renewed under a running process: certificates, their keys and authorities, kubeconfigs. Whoever makes or takes
 * a connection asks for what they hold then, as etcd does for each connection and Kubernetes with a watch on the files.
 * Connections that are open stay as they are.
 *
 * Authorities may change in the same way. To replace one without an interruption, first put the old and the new certificate
 * in the authority's file everywhere, then renew all certificates, then take the old one out.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions, type Server } from "node:tls";

/** PEM texts of one end of TLS. */
export interface TlsTexts {
	readonly cert?: string | undefined;
	/** Secret. */
	readonly key?: string | undefined;
	/** Authorities of the other end; absent: the system's. */
	readonly ca?: string | undefined;
}

/** Gives what the files hold now: the same object until they change. */
export type Latest<T> = () => T;

/** What tells one state of a file from the next; a file that is not there is a state too. */
function signatureOf(file: string): string {
	const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
	return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}

/**
 * `load` again after any of `files` has changed. Throws what the first `load` throws. A later failure is told once to
 * `onProblem`, and the last good state stays: files are often replaced one after the other, and half a change is none.
 */
export function rereadWhenChanged<T>(
	files: readonly string[],
	load: () => T,
	onProblem: (error: Error) => void,
): Latest<T> {
	// Signatures are taken first: what changes while it is read is read again.
	const signature = () => files.map(signatureOf).join("\n");
	let seen = signature();
	let current = load();
	return () => {
		try {
			const now = signature();
			if (now === seen) return current;
			seen = now;
			current = load();
		} catch (error) {
			onProblem(error as Error);
		}
		return current;
	};
}

/** Paths of PEM files; absent or "": there is none. */
export interface TlsFiles {
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	readonly ca?: string | undefined;
}

function readTls(files: TlsFiles): TlsTexts {
	const read = (file: string | undefined) =>
		file === undefined || file === "" ? undefined : readFileSync(file, "utf8");
	const texts = { cert: read(files.cert), key: read(files.key), ca: read(files.ca) };
	const { cert, key } = texts;
	if (cert !== undefined && key !== undefined && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
		throw new Error(`the private key ${files.key} does not belong to the certificate ${files.cert}`);
	}
	createSecureContext(texts);
	return texts;
}

/** The texts of these files, and of those that take their place. Throws where they cannot be read or do not fit together. */
export function latestTls(files: TlsFiles, onProblem: (error: Error) => void): Latest<TlsTexts> {
	const paths = [files.cert, files.key, files.ca].filter((file) => file !== undefined && file !== "") as string[];
	return rereadWhenChanged(paths, () => readTls(files), onProblem);
}

/** From now on `server` shows in each handshake what `latest` gives then. `base`: the options that are no texts. */
export function serveLatest(
	server: Server,
	latest: Latest<TlsTexts> | undefined,
	base: SecureContextOptions = {},
): void {
	if (latest === undefined) return;
	let shown = latest();
	server.setSecureContext({ ...base, ...shown });
	// Before Node's own listener, which begins the handshake.
	server.prependListener("connection", () => {
		const now = latest();
		if (now === shown) return;
		server.setSecureContext({ ...base, ...now });
		shown = now;
	});
}
