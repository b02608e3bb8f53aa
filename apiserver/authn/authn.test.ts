import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import type { Clock } from "../../kit/clock.ts";
import { systemClock } from "../../kit/clock.ts";
import { seededRandom } from "../../kit/random.ts";
import { ApiError } from "../machinery/errors.ts";
import type { Node, Pod, Secret, ServiceAccount, TokenRequest } from "../scheme/types.gen.ts";
import { impersonatedUser, parseImpersonation } from "./impersonation.ts";
import { TokenIssuer, type TokenIssuerOptions } from "./issuer.ts";
import { readSigningKey, readVerifyingKeys, type SigningKey, verifyingKeyOf } from "./keys.ts";
import { reviewToken } from "./review.ts";
import { ServiceAccountAuthenticator, splitServiceAccountUsername } from "./serviceaccount.ts";
import { parseTokenFile, tokenFileAuthenticator } from "./tokenfile.ts";
import { AuthenticationError, userInfo } from "./types.ts";
import {
	bearerAuthenticator,
	bearerToken,
	requestAuthenticator,
	tokenFromProtocols,
	unionTokenAuthenticator,
} from "./union.ts";
import { certificateAuthenticator } from "./x509.ts";

class SteppedClock implements Clock {
	ms = Date.UTC(2026, 0, 1);
	now = () => this.ms;
	monotonic = () => this.ms;
	after = systemClock.after;
	every = systemClock.every;
}

const rsa = readSigningKey(
	generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
	"rsa.key",
);
const ec = readSigningKey(
	generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }),
	"ec.key",
);

const account: ServiceAccount = { metadata: { name: "sa", namespace: "ns", uid: "sa-uid" } };
const issuer = "https://kubernetes.default.svc";

interface World {
	readonly clock: SteppedClock;
	accounts: ServiceAccount[];
	pods: Pod[];
	secrets: Secret[];
	nodes: Node[];
	readonly tokens: TokenIssuer;
	readonly authenticator: ServiceAccountAuthenticator;
}

function world(key: SigningKey = ec, options: Partial<TokenIssuerOptions> = {}): World {
	const clock = new SteppedClock();
	const w: Omit<World, "tokens" | "authenticator"> = {
		clock,
		accounts: [account],
		pods: [
			{ metadata: { name: "p", namespace: "ns", uid: "p-uid" }, spec: { serviceAccountName: "sa", nodeName: "n" } },
		],
		secrets: [{ metadata: { name: "s", namespace: "ns", uid: "s-uid" } }],
		nodes: [{ metadata: { name: "n", uid: "n-uid" } }],
	};
	const find = <T extends { metadata?: { name?: string | undefined } | undefined }>(list: T[], name: string) =>
		list.find((o) => o.metadata?.name === name);
	const lookups = {
		serviceAccount: (_: string, name: string) => find(w.accounts, name),
		pod: (_: string, name: string) => find(w.pods, name),
		secret: (_: string, name: string) => find(w.secrets, name),
		node: (name: string) => find(w.nodes, name),
	};
	return Object.assign(w, {
		tokens: new TokenIssuer({
			issuer,
			key,
			apiAudiences: [issuer],
			extendExpiration: true,
			maxExpirationSeconds: 0,
			lookups,
			clock,
			random: seededRandom(1),
			...options,
		}),
		authenticator: new ServiceAccountAuthenticator({
			issuers: [issuer],
			keys: [verifyingKeyOf(rsa), verifyingKeyOf(ec)],
			lookups,
			clock,
		}),
	});
}

const rejectedWith = (text: string | RegExp) => (error: unknown) => {
	assert.ok(error instanceof AuthenticationError, String(error));
	if (typeof text === "string") assert.equal(error.message, text);
	else assert.match(error.message, text);
	return true;
};

async function tokenFor(w: World, spec: TokenRequest["spec"] = {}): Promise<string> {
	const answer = await w.tokens.request({ spec }, account);
	return answer.status?.token ?? "";
}

describe("client certificates", () => {
	it("give the user and its groups", async () => {
		const found = await certificateAuthenticator.authenticate({
			certificate: { subject: { CN: "jane", O: ["a", "b"] }, fingerprint256: "AB:CD", verified: true },
		});
		assert.deepEqual(
			found?.user,
			userInfo("jane", ["a", "b"], "", { "authentication.kubernetes.io/credential-id": ["X509SHA256=abcd"] }),
		);
	});
	it("without a name are nobody's, and unverified ones are errors", async () => {
		assert.equal(
			await certificateAuthenticator.authenticate({ certificate: { subject: { O: "a" }, verified: true } }),
			undefined,
		);
		assert.equal(await certificateAuthenticator.authenticate({}), undefined);
		await assert.rejects(
			certificateAuthenticator.authenticate({ certificate: { subject: { CN: "x" }, verified: false } }),
			rejectedWith("x509: certificate signed by unknown authority"),
		);
	});
});

describe("token file", () => {
	it("reads users", async () => {
		const tokens = tokenFileAuthenticator(parseTokenFile('t1,jane,1,"a,b"\n\nt2, joe ,2\nt3,"o""neil",3,c\r\n', "f"));
		assert.deepEqual((await tokens.authenticateToken("t1", []))?.user, userInfo("jane", ["a", "b"], "1"));
		assert.deepEqual((await tokens.authenticateToken("t2", []))?.user, userInfo("joe", [], "2"));
		assert.deepEqual((await tokens.authenticateToken("t3", []))?.user, userInfo('o"neil', ["c"], "3"));
		assert.equal(await tokens.authenticateToken("t", []), undefined);
	});
	it("refuses short lines without showing the token", () => {
		assert.throws(
			() => parseTokenFile("a,b,c\nhush,x", "f"),
			(error: Error) => {
				assert.equal(
					error.message,
					"token file 'f' must have at least 3 columns (token, user name, user uid), found 2 in line 2",
				);
				return true;
			},
		);
		assert.throws(() => parseTokenFile(",b,c", "f"), /empty token in line 1/);
	});
});

describe("the request's authenticator", () => {
	const tokens = tokenFileAuthenticator(parseTokenFile("good,jane,1", "f"));
	const all = (anonymous: boolean) =>
		requestAuthenticator({ authenticators: [certificateAuthenticator, bearerAuthenticator(tokens, [])], anonymous });
	const certificate = { subject: { CN: "carl" }, verified: true };

	it("adds system:authenticated", async () => {
		assert.deepEqual((await all(true).authenticate({ token: "good" })).user.groups, ["system:authenticated"]);
		assert.deepEqual((await all(true).authenticate({ certificate })).user.username, "carl");
	});
	it("takes requests without credentials for anonymous, if allowed", async () => {
		assert.deepEqual((await all(true).authenticate({})).user, userInfo("system:anonymous", ["system:unauthenticated"]));
		await assert.rejects(all(false).authenticate({}), AuthenticationError);
	});
	it("refuses a bad token even where anonymous requests are allowed", async () => {
		await assert.rejects(all(true).authenticate({ token: "bad" }), rejectedWith("invalid bearer token"));
		await assert.rejects(
			all(true).authenticate({ certificate: { subject: { CN: "x" }, verified: false } }),
			AuthenticationError,
		);
	});
	it("reads tokens from headers and protocols", () => {
		assert.equal(bearerToken("Bearer abc"), "abc");
		assert.equal(bearerToken("bearer  "), undefined);
		assert.equal(bearerToken("Basic abc"), undefined);
		assert.equal(bearerToken(undefined), undefined);
		const hidden = `base64url.bearer.authorization.k8s.io.${Buffer.from("tok").toString("base64url")}`;
		assert.deepEqual(tokenFromProtocols([hidden, "v5.channel.k8s.io"]), { token: "tok", rest: ["v5.channel.k8s.io"] });
		assert.deepEqual(tokenFromProtocols(["x"]), { token: undefined, rest: ["x"] });
		assert.throws(() => tokenFromProtocols([hidden]), AuthenticationError);
		assert.throws(() => tokenFromProtocols([`${hidden}=!`, "x"]), AuthenticationError);
	});
	it("tries several kinds of token", async () => {
		const w = world();
		const union = unionTokenAuthenticator([w.authenticator, tokens]);
		assert.equal((await union.authenticateToken("good", [issuer]))?.user.username, "jane");
		assert.equal(
			(await union.authenticateToken(await tokenFor(w), [issuer]))?.user.username,
			"system:serviceaccount:ns:sa",
		);
		assert.equal(await union.authenticateToken("other", [issuer]), undefined);
	});
});

describe("service account tokens", () => {
	for (const [name, key] of [
		["RS256", rsa],
		["ES256", ec],
	] as const) {
		it(`are accepted with ${name}, with upstream's user`, async () => {
			const w = world(key);
			const token = await tokenFor(w, { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: "p-uid" } });
			const header = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as {
				kid: string;
				alg: string;
			};
			assert.deepEqual(header, { alg: name, kid: key.id });
			const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
				string,
				unknown
			>;
			assert.deepEqual(claims["kubernetes.io"], {
				namespace: "ns",
				pod: { name: "p", uid: "p-uid" },
				node: { name: "n", uid: "n-uid" },
				serviceaccount: { name: "sa", uid: "sa-uid" },
			});
			assert.deepEqual(claims["aud"], [issuer]);
			assert.equal(claims["exp"], w.clock.ms / 1000 + 3600);
			const found = await w.authenticator.authenticateToken(token, [issuer, "x"]);
			assert.deepEqual(found?.audiences, [issuer]);
			assert.deepEqual(found?.user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns"]);
			assert.equal(found?.user.uid, "sa-uid");
			assert.deepEqual(found?.user.extra, {
				"authentication.kubernetes.io/pod-name": ["p"],
				"authentication.kubernetes.io/pod-uid": ["p-uid"],
				"authentication.kubernetes.io/node-name": ["n"],
				"authentication.kubernetes.io/node-uid": ["n-uid"],
				"authentication.kubernetes.io/credential-id": [`JTI=${claims["jti"]}`],
			});
		});
	}

	it("end with their time, give or take a minute", async () => {
		const w = world();
		const token = await tokenFor(w);
		w.clock.ms += 3_650_000;
		assert.ok(await w.authenticator.authenticateToken(token, [issuer]));
		w.clock.ms += 20_000;
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith("service account token has expired"),
		);
		w.clock.ms -= 10_000_000;
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith("service account token is not valid yet"),
		);
	});
	it("end with the service account, whatever was remembered", async () => {
		const w = world();
		const token = await tokenFor(w);
		assert.ok(await w.authenticator.authenticateToken(token, [issuer]));
		w.accounts = [{ metadata: { ...account.metadata, uid: "new" } }];
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith("service account UID (new) does not match claim (sa-uid)"),
		);
		w.accounts = [];
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith('serviceaccounts "sa" not found'),
		);
		w.accounts = [{ metadata: { ...account.metadata, deletionTimestamp: "2025-12-31T00:00:00Z" } }];
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith("service account ns/sa has been deleted"),
		);
	});
	const bindings: [string, (w: World) => void][] = [
		["Pod", (w) => (w.pods = [])],
		["Pod", (w) => (w.pods = [{ metadata: { name: "p", uid: "another" } }])],
		["Pod", (w) => (w.pods = [{ metadata: { name: "p", uid: "p-uid", deletionTimestamp: "2025-12-31T00:00:00Z" } }])],
		["Secret", (w) => (w.secrets = [])],
		["Node", (w) => (w.nodes = [])],
	];
	for (const [kind, change] of bindings) {
		it(`end with the ${kind} they are bound to`, async () => {
			const w = world();
			const name = kind[0]?.toLowerCase() ?? "";
			const token = await tokenFor(w, { boundObjectRef: { apiVersion: "v1", kind, name, uid: `${name}-uid` } });
			assert.ok(await w.authenticator.authenticateToken(token, [issuer]));
			change(w);
			await assert.rejects(
				w.authenticator.authenticateToken(token, [issuer]),
				rejectedWith("service account token has been invalidated"),
			);
		});
	}
	it("are for their audience only", async () => {
		const w = world();
		const token = await tokenFor(w, { audiences: ["vault"] });
		await assert.rejects(
			w.authenticator.authenticateToken(token, [issuer]),
			rejectedWith(`token audiences ["vault"] is invalid for the target audiences ["${issuer}"]`),
		);
		assert.deepEqual((await w.authenticator.authenticateToken(token, ["vault"]))?.audiences, ["vault"]);
	});
	it("of others are not judged, forged ones refused", async () => {
		const w = world();
		const token = await tokenFor(w);
		assert.equal(await w.authenticator.authenticateToken("a.b.c", [issuer]), undefined);
		assert.equal(await w.authenticator.authenticateToken("opaque", [issuer]), undefined);
		const [head = "", body = "", signature = ""] = token.split(".");
		const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
		const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
		assert.equal(
			await w.authenticator.authenticateToken([head, encode({ ...claims, iss: "other" }), signature].join("."), [
				issuer,
			]),
			undefined,
		);
		const changed = [head, encode({ ...claims, sub: "system:serviceaccount:ns:root" }), signature].join(".");
		await assert.rejects(w.authenticator.authenticateToken(changed, [issuer]), rejectedWith(/^invalid signature/));
		const unsigned = [encode({ alg: "none" }), body, ""].join(".");
		await assert.rejects(w.authenticator.authenticateToken(unsigned, [issuer]), AuthenticationError);
		const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
		const foreign = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: ec.id }).sign(stranger);
		await assert.rejects(w.authenticator.authenticateToken(foreign, [issuer]), rejectedWith(/^invalid signature/));
		const bare = await new SignJWT({ iss: issuer })
			.setProtectedHeader({ alg: "ES256", kid: ec.id })
			.sign(ec.privateKey);
		await assert.rejects(w.authenticator.authenticateToken(bare, [issuer]), rejectedWith(/claims are not those/));
		const lying = await new SignJWT({ ...claims, sub: "system:serviceaccount:ns:root" })
			.setProtectedHeader({ alg: "ES256", kid: ec.id })
			.sign(ec.privateKey);
		await assert.rejects(w.authenticator.authenticateToken(lying, [issuer]), rejectedWith(/subject differs/));
	});
	it("that pods mount last long, but warn after an hour", async () => {
		const w = world();
		const boundObjectRef = { apiVersion: "v1", kind: "Pod", name: "p", uid: "p-uid" };
		const answer = await w.tokens.request({ spec: { expirationSeconds: 3607, boundObjectRef } }, account);
		assert.equal(answer.status?.expirationTimestamp, "2026-01-01T01:00:07Z");
		const token = answer.status?.token ?? "";
		assert.equal((await w.authenticator.authenticateToken(token, [issuer]))?.warning, undefined);
		w.clock.ms += 3_700_000;
		assert.equal(
			(await w.authenticator.authenticateToken(token, [issuer]))?.warning,
			"subject system:serviceaccount:ns:sa: seconds after warning threshold: 93",
		);
	});

	const refused: [string, TokenRequest["spec"], number, string][] = [
		[
			"short lives",
			{ expirationSeconds: 599 },
			422,
			'TokenRequest.authentication.k8s.io "sa" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
		],
		[
			"endless lives",
			{ expirationSeconds: 2 ** 33 },
			422,
			'TokenRequest.authentication.k8s.io "sa" is invalid: spec.expirationSeconds: Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds',
		],
		[
			"unknown kinds",
			{ boundObjectRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" } },
			400,
			"cannot bind token to object of type apps/v1, Kind=Deployment",
		],
		["missing pods", { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "q" } }, 404, 'pods "q" not found'],
		[
			"another pod of the same name",
			{ boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: "x" } },
			409,
			'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated',
		],
	];
	for (const [title, spec, code, message] of refused) {
		it(`are not made for ${title}`, async () => {
			await assert.rejects(world().tokens.request({ spec }, account), (error: unknown) => {
				assert.ok(error instanceof ApiError);
				assert.deepEqual([error.code, error.message], [code, message]);
				return true;
			});
		});
	}
	it("are not made for a pod of another account, nor beyond the server's limit", async () => {
		const w = world(ec, { maxExpirationSeconds: 1000 });
		const answer = await w.tokens.request({ spec: { expirationSeconds: 7200 } }, account);
		assert.equal(answer.spec?.expirationSeconds, 1000);
		w.pods = [{ metadata: { name: "p", uid: "p-uid" }, spec: { serviceAccountName: "other" } }];
		await assert.rejects(tokenFor(w, { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p" } }), {
			message: 'cannot bind token for serviceaccount "sa" to pod running with different serviceaccount name.',
		});
	});
	it("show in names", () => {
		assert.deepEqual(splitServiceAccountUsername("system:serviceaccount:a:b.c"), { namespace: "a", name: "b.c" });
		assert.equal(splitServiceAccountUsername("system:serviceaccount:a"), undefined);
		assert.equal(splitServiceAccountUsername("system:serviceaccount:a:b:c"), undefined);
		assert.equal(splitServiceAccountUsername("jane"), undefined);
	});
});

describe("keys", () => {
	it("are read from PEM, public, private or several", () => {
		const pem = `${ec.privateKey.export({ type: "sec1", format: "pem" })}${verifyingKeyOf(rsa).publicKey.export({ type: "spki", format: "pem" })}`;
		assert.deepEqual(
			readVerifyingKeys(pem, "f").map((k) => k.id),
			[ec.id, rsa.id],
		);
	});
	it("that cannot be used are refused by file name, without their text", () => {
		assert.throws(() => readSigningKey("hush-hush", "sa.key"), {
			message: "sa.key: data does not contain a valid RSA or ECDSA private key",
		});
		assert.throws(() => readVerifyingKeys("hush", "sa.pub"), {
			message: "sa.pub: data does not contain any valid RSA or ECDSA public keys",
		});
		const ed = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
		assert.throws(() => readSigningKey(ed, "ed.key"), /ed\.key: only RSA keys and ECDSA keys/);
	});
});

describe("token review", () => {
	it("answers for good and bad tokens", async () => {
		const w = world();
		const good = await reviewToken({ spec: { token: await tokenFor(w) } }, w.authenticator, [issuer]);
		assert.equal(good.status?.authenticated, true);
		assert.equal(good.status?.user?.username, "system:serviceaccount:ns:sa");
		assert.deepEqual(good.status?.audiences, [issuer]);
		const unknown = await reviewToken({ spec: { token: "x" } }, w.authenticator, [issuer]);
		assert.deepEqual(unknown.status, { user: {} });
		const wrong = await reviewToken({ spec: { token: await tokenFor(w), audiences: ["vault"] } }, w.authenticator, [
			issuer,
		]);
		assert.match(wrong.status?.error ?? "", /is invalid for the target audiences \["vault"\]/);
		await assert.rejects(reviewToken({ spec: {} }, w.authenticator, [issuer]), { code: 400 });
	});
});

describe("impersonation", () => {
	it("reads the headers", () => {
		assert.equal(parseImpersonation({ "x-other": ["1"] }), undefined);
		const asked = parseImpersonation({
			"impersonate-user": ["jane"],
			"impersonate-group": ["a", "b"],
			"impersonate-uid": "7",
			"impersonate-extra-acme.com%2fproject": ["p"],
		});
		assert.deepEqual(asked, { username: "jane", uid: "7", groups: ["a", "b"], extra: { "acme.com/project": ["p"] } });
		assert.throws(
			() => parseImpersonation({ "impersonate-group": "a" }),
			/requested &user.DefaultInfo\{Name:"", UID:"", Groups:\[\]string\{"a"\}, .*\} without impersonating a user name/,
		);
	});
	it("gives the groups upstream gives", () => {
		const groups = (username: string, asked: string[] = []) =>
			impersonatedUser({ username, uid: "", groups: asked, extra: {} }).groups;
		assert.deepEqual(groups("jane"), ["system:authenticated"]);
		assert.deepEqual(groups("jane", ["a"]), ["a", "system:authenticated"]);
		assert.deepEqual(groups("system:anonymous"), ["system:unauthenticated"]);
		assert.deepEqual(groups("system:serviceaccount:ns:sa"), [
			"system:serviceaccounts",
			"system:serviceaccounts:ns",
			"system:authenticated",
		]);
	});
});
