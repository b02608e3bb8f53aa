/** Keys that sign and verify service account tokens. They are never logged, nor shown in errors. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

export interface SigningKey {
	readonly id: string;
	readonly algorithm: string;
	readonly privateKey: KeyObject;
}

export interface VerifyingKey {
	readonly id: string;
	readonly algorithm: string;
	readonly publicKey: KeyObject;
}

const curves: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

function algorithmOf(key: KeyObject, source: string): string {
	if (key.asymmetricKeyType === "rsa") return "RS256";
	const algorithm = curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
	if (key.asymmetricKeyType === "ec" && algorithm !== undefined) return algorithm;
	throw new Error(
		`${source}: only RSA keys and ECDSA keys on P-256, P-384 or P-521 can be used for service account tokens`,
	);
}

/** Upstream's key id: the hash of the public key. */
function keyId(publicKey: KeyObject): string {
	const der = publicKey.export({ type: "spki", format: "der" });
	return createHash("sha256").update(der).digest("base64url");
}

/** Reads a PEM private key (`--service-account-signing-key-file`); `source` names it in errors. Throws Error. */
export function readSigningKey(pem: string | Buffer, source: string): SigningKey {
	let privateKey: KeyObject;
	try {
		privateKey = createPrivateKey(pem);
	} catch {
		// The parser's own message may quote the input.
		throw new Error(`${source}: data does not contain a valid RSA or ECDSA private key`);
	}
	return { id: keyId(createPublicKey(privateKey)), algorithm: algorithmOf(privateKey, source), privateKey };
}

/** The `-----BEGIN …-----` blocks of a text, each with its end. */
function pemBlocks(text: string): string[] {
	return text.split(/(?=-----BEGIN )/).flatMap((part) => {
		const end = /^-----END [^-\n]+-----/m.exec(part);
		return part.startsWith("-----BEGIN ") && end !== null ? [part.slice(0, end.index + end[0].length)] : [];
	});
}

/** Reads every PEM key of a file (`--service-account-key-file`): public keys, certificates, or private keys for their public part. */
export function readVerifyingKeys(pem: string | Buffer, source: string): VerifyingKey[] {
	const blocks = pemBlocks(String(pem));
	const usable = blocks.filter((b) => !b.startsWith("-----BEGIN EC PARAMETERS-----"));
	if (usable.length === 0) throw new Error(`${source}: data does not contain any valid RSA or ECDSA public keys`);
	return usable.map((block, i) => {
		try {
			const publicKey = createPublicKey(block);
			return { id: keyId(publicKey), algorithm: algorithmOf(publicKey, source), publicKey };
		} catch {
			throw new Error(`${source}: PEM block ${i + 1} is no RSA or ECDSA key`);
		}
	});
}

/** The public part of a signing key. */
export const verifyingKeyOf = (key: SigningKey): VerifyingKey => ({
	id: key.id,
	algorithm: key.algorithm,
	publicKey: createPublicKey(key.privateKey),
});
