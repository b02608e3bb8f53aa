/**
 * Certificate authorities and the certificates they issue: ECDSA P-256, X.509 v3 (RFC 5280), PEM. Private keys are
 * returned as PKCS #8; whoever writes them to disk uses `writeKey` (mode 0600).
 */
import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import * as x509 from "@peculiar/x509";
import { systemRandom } from "./random.ts";

x509.cryptoProvider.set(webcrypto as never);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 24 * 3_600_000;
const authorityDays = 3650;
const certificateDays = 365;
/** Certificates begin a little in the past, so that a peer whose clock is behind accepts them. */
export const backdateMs = 5 * 60_000;

export interface KeyPair {
	/** PEM, the certificate alone. */
	readonly cert: string;
	/** PEM, PKCS #8. Secret. */
	readonly key: string;
}

export interface CertificateRequest {
	readonly commonName: string;
	/** Kubernetes reads these as groups. */
	readonly organizations?: readonly string[];
	/** DNS names and IP addresses. */
	readonly hosts?: readonly string[];
	/** Default: both. */
	readonly usages?: ReadonlyArray<"server" | "client">;
	/** Default 365 days; never beyond the authority's own end. */
	readonly days?: number;
}

export interface Authority {
	readonly cert: string;
	/** Secret. */
	readonly key: string;
	issue(request: CertificateRequest): Promise<KeyPair>;
}

const generateKeys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
const serialNumber = () => {
	const bytes = systemRandom.bytes(16);
	bytes[0] = (bytes[0]! & 0x7f) | 0x40;
	return bytes.toString("hex");
};

async function exportKey(keys: webcrypto.CryptoKeyPair): Promise<string> {
	const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
	return x509.PemConverter.encode(der, "PRIVATE KEY");
}

const subject = (request: CertificateRequest): x509.JsonName => [
	{ CN: [request.commonName] },
	...(request.organizations ?? []).map((organization) => ({ O: [organization] })),
];

const extendedUsage = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };

async function issue(
	issuer: x509.X509Certificate,
	signingKey: webcrypto.CryptoKey,
	request: CertificateRequest,
): Promise<KeyPair> {
	const keys = (await generateKeys()) as webcrypto.CryptoKeyPair;
	const notAfter = Math.min(Date.now() + (request.days ?? certificateDays) * dayMs, issuer.notAfter.getTime());
	const names = (request.hosts ?? []).map(
		(host) => ({ type: net.isIP(host) ? "ip" : "dns", value: host }) as x509.JsonGeneralName,
	);
	const certificate = await x509.X509CertificateGenerator.create({
		serialNumber: serialNumber(),
		subject: subject(request),
		issuer: issuer.subject,
		notBefore: new Date(Date.now() - backdateMs),
		notAfter: new Date(notAfter),
		publicKey: keys.publicKey,
		signingKey: signingKey,
		signingAlgorithm: algorithm,
		extensions: [
			new x509.BasicConstraintsExtension(false, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
			new x509.ExtendedKeyUsageExtension((request.usages ?? ["server", "client"]).map((usage) => extendedUsage[usage])),
			await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
			...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
		],
	});
	return { cert: `${certificate.toString("pem")}\n`, key: `${await exportKey(keys)}\n` };
}

function authorityFrom(
	certificate: x509.X509Certificate,
	pem: { cert: string; key: string },
	key: webcrypto.CryptoKey,
): Authority {
	return { ...pem, issue: (request) => issue(certificate, key, request) };
}

/** A new self-signed authority that may sign end certificates only (path length 0). */
export async function createAuthority(commonName: string): Promise<Authority> {
	const keys = (await generateKeys()) as webcrypto.CryptoKeyPair;
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		name: [{ CN: [commonName] }],
		notBefore: new Date(Date.now() - backdateMs),
		notAfter: new Date(Date.now() + authorityDays * dayMs),
		keys,
		signingAlgorithm: algorithm,
		extensions: [
			new x509.BasicConstraintsExtension(true, 0, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
			await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	const pem = { cert: `${certificate.toString("pem")}\n`, key: `${await exportKey(keys)}\n` };
	return authorityFrom(certificate, pem, keys.privateKey);
}

/** An authority from its files, to issue more certificates later. */
export async function loadAuthority(pem: { readonly cert: string; readonly key: string }): Promise<Authority> {
	const key = await webcrypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem.key), algorithm, false, [
		"sign",
	]);
	return authorityFrom(new x509.X509Certificate(pem.cert), { cert: pem.cert, key: pem.key }, key);
}

/** A key pair for signing service account tokens (ES256): PEM, the public one as SPKI. */
export async function createSigningKey(): Promise<{ readonly publicKey: string; readonly privateKey: string }> {
	const keys = (await generateKeys()) as webcrypto.CryptoKeyPair;
	const spki = await webcrypto.subtle.exportKey("spki", keys.publicKey);
	return {
		publicKey: `${x509.PemConverter.encode(spki, "PUBLIC KEY")}\n`,
		privateKey: `${await exportKey(keys)}\n`,
	};
}

/** In one step: whoever reads meanwhile finds the old content or the new. */
async function replaceFile(file: string, content: string, mode: number): Promise<void> {
	const temporary = `${file}.${process.pid}.new`;
	// A mode is given to new files only: one that is there already may be readable by others.
	await rm(temporary, { force: true });
	await writeFile(temporary, content, { mode, flag: "wx" });
	await rename(temporary, file);
}

/** Writes a secret file with mode 0600 (its directory 0700 when new). */
export async function writeSecret(file: string, content: string): Promise<void> {
	await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
	await replaceFile(file, content, 0o600);
}

/** Writes NAME.crt and NAME.key into `directory`; returns their paths. */
export async function writeKeyPair(
	directory: string,
	name: string,
	pair: KeyPair,
): Promise<{ readonly certFile: string; readonly keyFile: string }> {
	const certFile = path.join(directory, `${name}.crt`);
	const keyFile = path.join(directory, `${name}.key`);
	await writeSecret(keyFile, pair.key);
	await replaceFile(certFile, pair.cert, 0o644);
	return { certFile, keyFile };
}

/** SHA-256 fingerprint of a PEM certificate, for people to compare. */
export const fingerprint = (cert: string): string => new X509Certificate(cert).fingerprint256;
