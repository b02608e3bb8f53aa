/** The built-in image `echo`: an HTTP server that answers with the request and the pod it reached. */
import http from "node:http";

const maxBodyBytes = 64 * 1024;
const env = process.env;
const port = Number(env["PORT"] ?? env["BARQUE_PORT"] ?? 8080);
const host = env["BARQUE_POD_IP"] ?? "127.0.0.1";

async function readBody(request: http.IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		size += chunk.length;
		if (size > maxBodyBytes) throw new RangeError(`body larger than ${maxBodyBytes} bytes`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString("utf8");
}

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
	const body = await readBody(request);
	process.stdout.write(`${request.method} ${request.url}\n`);
	response.writeHead(200, { "content-type": "application/json" });
	const echo = {
		pod: env["HOSTNAME"] ?? "",
		method: request.method,
		path: request.url,
		headers: request.headers,
		body,
		message: process.argv.slice(2).join(" "),
	};
	response.end(`${JSON.stringify(echo, null, 2)}\n`);
}

const server = http.createServer((request, response) => {
	answer(request, response).catch((error: unknown) => {
		response.writeHead(error instanceof RangeError ? 413 : 500).end(`${String(error)}\n`);
	});
});
server.on("error", (error) => {
	process.stderr.write(`echo: ${error.message}\n`);
	process.exit(1);
});
server.listen(port, host, () => process.stdout.write(`echo: listening on http://${host}:${port}\n`));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
	process.once(signal, () => {
		server.close(() => process.exit(0));
		server.closeIdleConnections();
	});
}
