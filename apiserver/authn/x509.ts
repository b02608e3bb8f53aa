/** Users by client certificate: the common name is the user, the organizations are the groups. */
import {
	type Authenticated,
	AuthenticationError,
	type Authenticator,
	type ClientCertificate,
	credentialIdKey,
	userInfo,
} from "./types.ts";

const asList = (value: string | readonly string[] | undefined): readonly string[] =>
	value === undefined ? [] : typeof value === "string" ? [value] : value;

function userOf(certificate: ClientCertificate): Authenticated | undefined {
	const names = asList(certificate.subject.CN);
	const name = names.at(-1) ?? "";
	if (name === "") return undefined;
	const fingerprint = certificate.fingerprint256?.replaceAll(":", "").toLowerCase();
	const extra = fingerprint === undefined ? {} : { [credentialIdKey]: [`X509SHA256=${fingerprint}`] };
	return { user: userInfo(name, asList(certificate.subject.O), "", extra) };
}

/** Takes certificates that TLS has verified; one it has not is an error, never a stranger. */
export const certificateAuthenticator: Authenticator = {
	authenticate({ certificate }) {
		if (certificate === undefined) return Promise.resolve(undefined);
		if (!certificate.verified) {
			return Promise.reject(new AuthenticationError("x509: certificate signed by unknown authority"));
		}
		return Promise.resolve(userOf(certificate));
	},
};
