/** The gRPC health check (grpc.health.v1.Health/Check) over HTTP/2 without TLS, as kubelets make it. */
import http2 from "node:http2";
import type { ProbeOutcome } from "./probe-outcome.ts";

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const serving = 1;
const codes = { deadlineExceeded: 4, unimplemented: 12 } as const;
const maxAnswerBytes = 4 << 10;

/** HealthCheckRequest{service = 1}, in gRPC's frame of a flag and a length. */
function question(service: string): Buffer {
	const name = Buffer.from(service);
	const length: number[] = [];
	for (let rest = name.length; rest > 0; rest >>>= 7) length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
	const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}

/** HealthCheckResponse{status = 1}: its only field, a small enum; absent means UNKNOWN. */
function statusOf(answer: Buffer): number {
	return answer.length >= 7 && answer[5] === 0x08 ? (answer[6] ?? 0) : 0;
}

function outcomeOf(answer: Buffer, headers: http2.IncomingHttpHeaders, timeoutMs: number): ProbeOutcome {
	const code = headers["grpc-status"];
	const text = decodeURIComponentSafely(String(headers["grpc-message"] ?? ""));
	if (code === "0") {
		const status = statusOf(answer);
		if (status === serving) return { ok: true, message: "service healthy" };
		return { ok: false, message: `service unhealthy (responded with "${statuses[status] ?? status}")` };
	}
	switch (Number(code)) {
		case codes.unimplemented:
			return {
				ok: false,
				message: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`,
			};
		case codes.deadlineExceeded:
			return { ok: false, message: `timeout: health rpc did not complete within ${timeoutMs / 1000}s` };
		default:
			return { ok: false, message: `error: health rpc probe failed: rpc error: code = ${code} desc = ${text}` };
	}
}

function decodeURIComponentSafely(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// Not percent-encoded as gRPC asks for: shown as it came.
		return text;
	}
}

/** Asks the server at `address` once; never rejects. */
export function probeGrpc(host: string, port: number, service: string, timeoutMs: number): Promise<ProbeOutcome> {
	const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
	return new Promise((resolve) => {
		const session = http2.connect(`http://${address}`);
		let connected = false;
		const done = (outcome: ProbeOutcome) => {
			clearTimeout(timer);
			session.destroy();
			resolve(outcome);
		};
		const fail = (message: string) => done({ ok: false, message });
		const timer = setTimeout(() => {
			const within = `within ${timeoutMs / 1000}s`;
			if (connected) fail(`timeout: health rpc did not complete ${within}`);
			else fail(`timeout: failed to connect service "${address}" ${within}: context deadline exceeded`);
		}, timeoutMs);
		session.on("error", (error) => fail(`error: failed to connect service at "${address}": ${error.message}`));
		// The server's settings, not the TCP connection, tell that somebody speaks HTTP/2 there.
		session.on("remoteSettings", () => {
			connected = true;
		});
		const stream = session.request({
			":method": "POST",
			":path": "/grpc.health.v1.Health/Check",
			"content-type": "application/grpc",
			"user-agent": "kube-probe/barque",
			te: "trailers",
		});
		const chunks: Buffer[] = [];
		let size = 0;
		let headers: http2.IncomingHttpHeaders = {};
		stream.on("response", (head) => {
			headers = { ...headers, ...head };
			if (head[":status"] !== 200) fail(`error: health rpc probe failed: unexpected HTTP status ${head[":status"]}`);
		});
		stream.on("trailers", (trailers) => {
			headers = { ...headers, ...trailers };
		});
		stream.on("data", (chunk: Buffer) => {
			size += chunk.length;
			if (size > maxAnswerBytes) fail("error: health rpc probe failed: the answer is too long");
			else chunks.push(chunk);
		});
		// When the connection fails, so does its stream. The connection's own error says why, so it is let through first.
		stream.on("error", (error) => setImmediate(fail, `error: health rpc probe failed: ${error.message}`));
		stream.on("end", () => setImmediate(() => done(outcomeOf(Buffer.concat(chunks), headers, timeoutMs))));
		stream.end(question(service));
	});
}
