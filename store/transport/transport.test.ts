import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:tls";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { type Authority, createAuthority } from "../../kit/pki.ts";
import { systemRandom } from "../../kit/random.ts";
import { openGate } from "../testing.ts";
import { decodeWelcome, encodeHello, protocolVersion } from "./codec.ts";
import { FrameReader } from "./frames.ts";
import { TcpTransport } from "./transport.ts";

const versions = { minVersion: protocolVersion, maxVersion: protocolVersion };

describe("store/transport: who may speak as a member", function () {
	this.timeout(20_000);
	let authority: Authority;
	let transport: TcpTransport;

	before(async () => {
		authority = await createAuthority("peers");
		const pair = await authority.issue({ commonName: "one", hosts: ["127.0.0.1"] });
		transport = await TcpTransport.listen({
			clock: systemClock,
			random: systemRandom,
			logger: silentLogger,
			clusterId: 7n,
			id: 1n,
			peers: [1n, 2n, 3n].map((id) => ({ id, host: `10.0.0.${id}`, port: 1, tls: true })),
			listen: [{ host: "127.0.0.1", port: 0, tls: true }],
			tls: { ...pair, ca: authority.cert, clientCertAuth: true },
			gate: openGate,
			silenceMs: 1000,
		});
	});
	after(() => transport.close());

	/** What the member says to a greeting as `from`; rejects when it breaks the connection. */
	const greet = async (from: bigint, hosts: readonly string[], signer = authority): Promise<string> => {
		const pair = await signer.issue({ commonName: "somebody", hosts });
		const socket = connect({ host: "127.0.0.1", port: transport.ports[0]!, ...pair, ca: authority.cert });
		try {
			const answer = new Promise<string>((resolve, reject) => {
				const reader = new FrameReader(1000, (frame) => {
					const welcome = decodeWelcome(frame);
					resolve(welcome.kind === "welcome" ? "" : welcome.refusal);
				});
				socket.on("data", (chunk: Buffer) => reader.push(chunk));
				socket.on("error", reject);
				socket.on("close", () => reject(new Error("closed")));
			});
			answer.catch(() => undefined);
			await once(socket, "secureConnect");
			socket.write(
				encodeHello({ ...versions, clusterId: 7n, from, to: 1n, channel: "control", standing: openGate.standing() }),
			);
			return await answer;
		} finally {
			socket.destroy();
		}
	};

	it("takes the certificate of the member's own host, and no other member's", async () => {
		assert.equal(await greet(2n, ["10.0.0.2"]), "");
		assert.match(await greet(3n, ["10.0.0.2"]), /certificate is not of member 3/);
		assert.match(await greet(2n, []), /certificate is not of member 2/);
	});

	it("takes nobody who is not in the cluster, or of another authority", async () => {
		assert.match(await greet(9n, ["10.0.0.2"]), /not in the cluster/);
		await assert.rejects(greet(2n, ["10.0.0.2"], await createAuthority("others")));
	});
});
