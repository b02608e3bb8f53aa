/** Answers of etcd's gateways, of versions that may not be installed here, and of what stands before them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { TargetError } from "../workloads/target.ts";
import { EtcdGateway } from "./etcd-gateway.ts";

describe("a client of etcd's gateway", () => {
	let server: http.Server;
	let gateway: EtcdGateway;
	let status: number;
	let body: string;

	beforeEach(async () => {
		server = http.createServer((request, response) => {
			request.resume();
			response.writeHead(status, { "content-type": "application/json" }).end(body);
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		gateway = new EtcdGateway({ endpoints: [`http://127.0.0.1:${port}`], requestTimeoutMs: 5000 });
	});
	afterEach(async () => {
		await gateway.close();
		server.closeAllConnections();
		server.close();
	});

	async function answering(code: number, text: string, applied: "no" | "unknown", message: RegExp): Promise<void> {
		[status, body] = [code, text];
		const requests: Readonly<Record<string, () => Promise<unknown>>> = {
			range: () => gateway.range({ key: "k" }),
			put: () => gateway.put("k", "v", "7"),
			txn: () => gateway.txn({ compare: [], success: [], failure: [] }),
			keepAlive: () => gateway.leaseKeepAlive("7"),
			revoke: () => gateway.leaseRevoke("7"),
		};
		for (const [name, request] of Object.entries(requests)) {
			await assert.rejects(request(), (error: Error) => {
				assert.ok(error instanceof TargetError, `${name}: ${error}`);
				assert.equal(error.applied, applied, name);
				assert.match(error.message, message);
				return true;
			});
		}
	}

	it("understands refusals of etcd 3.4 and 3.5", () =>
		answering(404, `{"error":"lease not found","code":5,"message":"lease not found"}`, "no", /^lease not found$/));

	it("understands refusals of etcd 3.6", () =>
		answering(404, `{"code":5,"message":"lease not found","details":[]}`, "no", /^lease not found$/));

	it("understands refusals within streams, of either", async () => {
		await answering(200, `{"error":{"grpc_code":5,"http_code":404,"message":"no lease"}}`, "no", /^no lease$/);
		await answering(200, `{"error":{"code":5,"message":"no lease","details":[]}}`, "no", /^no lease$/);
	});

	it("takes no other failure for a refusal", async () => {
		await answering(503, `{"error":"changed","code":14,"message":"leader changed"}`, "unknown", /^leader changed$/);
		await answering(503, `{"code":14,"message":"leader changed"}`, "unknown", /^leader changed$/);
		await answering(502, `<html>Bad Gateway</html>`, "unknown", /not JSON: <html>/);
		await answering(500, `{"nothing":"known"}`, "unknown", /500.*nothing/);
		await answering(200, `null`, "unknown", /null/);
	});
});
