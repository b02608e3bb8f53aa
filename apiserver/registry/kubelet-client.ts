/** HTTPS to kubelets, with the apiserver's own client certificate. */
import https from "node:https";
import type { Latest, TlsTexts } from "../../kit/renewed.ts";
import type { KubeletClient } from "./context.ts";

export interface KubeletTls {
	/** PEM: authorities of kubelets' serving certificates. Absent: their certificates are not verified, as upstream does. */
	readonly ca?: string | undefined;
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	/** Gives the texts for each new connection, from files that may be renewed. Absent: the texts above never change. */
	readonly latest?: Latest<TlsTexts> | undefined;
}

const connectTimeoutMs = 10_000;

export function kubeletClient(tls: KubeletTls): KubeletClient & { close(): void } {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
	/** With each request: the agent keeps connections apart that were made with other texts. */
	const secure = () => {
		const { ca, cert, key } = tls.latest?.() ?? tls;
		return {
			...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
			...(cert === undefined ? {} : { cert }),
			...(key === undefined ? {} : { key }),
		};
	};
	return {
		get: (host, port, path, signal) =>
			new Promise((resolve, reject) => {
				const request = https.get({ host, port, path, agent, signal, ...secure() });
				request.setTimeout(connectTimeoutMs, () => request.destroy(new Error("i/o timeout")));
				request.once("error", reject);
				request.once("response", (response) => {
					// A log may be silent for hours; only the answer's head has to come soon.
					request.setTimeout(0);
					response.on("error", () => {});
					resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
				});
			}),
		close: () => agent.destroy(),
	};
}
