/** A replica in this process on a memory store, for tests: TLS by a throwaway authority, clients by certificate or token. */

import { Agent, type Dispatcher, request } from "undici";
import { type Logger, silentLogger } from "../../kit/log.ts";
import { type Authority, createAuthority, createSigningKey, type KeyPair } from "../../kit/pki.ts";
import type { StoreClient } from "../../store/api.ts";
import { memoryStore } from "../../store/client/memory.ts";
import type { ApiserverOptions } from "../options.ts";
import { type Apiserver, startApiserver } from "../server.ts";

export interface Answer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly text: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
	readonly body: any;
}

export interface CallOptions {
	readonly body?: unknown;
	readonly type?: string;
	readonly accept?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly as?: Dispatcher;
}

export interface Harness {
	readonly store: StoreClient;
	readonly server: Apiserver;
	readonly authority: Authority;
	readonly admin: KeyPair;
	call(method: string, path: string, options?: CallOptions): Promise<Answer>;
	/** As admin, with exactly these headers and this body. */
	raw(
		method: string,
		path: string,
		body: string | undefined,
		headers: Readonly<Record<string, string>>,
	): Promise<Omit<Answer, "body">>;
	/** A dispatcher with another identity. */
	client(commonName: string, organizations?: readonly string[]): Promise<Dispatcher>;
	anonymous(): Dispatcher;
	watch(path: string, options?: CallOptions): Promise<WatchStream>;
	close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
type WatchEvent = { type: string; object: any };

/** Events of an open watch, one by one. */
export class WatchStream {
	readonly #lines: AsyncIterator<WatchEvent>;
	readonly #abort: AbortController;

	constructor(body: AsyncIterable<Buffer>, abort: AbortController) {
		this.#abort = abort;
		this.#lines = lines(body);
	}

	/** Undefined at the end. */
	async next(): Promise<WatchEvent | undefined> {
		const next = await this.#lines.next();
		return next.done === true ? undefined : next.value;
	}

	stop(): void {
		this.#abort.abort();
	}
}

async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent> {
	let rest = "";
	try {
		for await (const chunk of body) {
			rest += chunk.toString();
			for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n")) {
				yield JSON.parse(rest.slice(0, at));
				rest = rest.slice(at + 1);
			}
		}
	} catch (error) {
		if ((error as Error).name !== "AbortError") throw error;
	}
}

export async function startHarness(
	options: Partial<ApiserverOptions> & { readonly log?: Logger } = {},
	shared?: { readonly store: StoreClient; readonly authority: Authority },
): Promise<Harness> {
	const store = shared?.store ?? memoryStore();
	const authority = shared?.authority ?? (await createAuthority("test-ca"));
	const [serving, admin, signing] = await Promise.all([
		authority.issue({ commonName: "kube-apiserver", hosts: ["127.0.0.1", "localhost"] }),
		authority.issue({ commonName: "admin", organizations: ["system:masters"], usages: ["client"] }),
		createSigningKey(),
	]);
	const server = await startApiserver({
		store,
		bindAddress: "127.0.0.1",
		securePort: 0,
		tlsCert: serving.cert,
		tlsKey: serving.key,
		clientCa: authority.cert,
		authorizationModes: ["Node", "RBAC"],
		serviceClusterIpRange: "10.96.0.0/16",
		// As in the clusters that `up` makes.
		allowPrivileged: true,
		serviceAccountSigningKey: { pem: signing.privateKey, name: "sa.key" },
		compactionIntervalMs: 0,
		log: silentLogger,
		...options,
	});
	await server.started;
	const agents: Agent[] = [];
	const agent = (pair?: KeyPair) => {
		const made = new Agent({ connect: { ca: authority.cert, ...pair }, allowH2: false });
		agents.push(made);
		return made;
	};
	const asAdmin = agent(admin);
	const send = (method: string, path: string, call: CallOptions, signal?: AbortSignal) => {
		const { body } = call;
		const raw = typeof body === "string" || Buffer.isBuffer(body) || body === undefined;
		return request(server.url + path, {
			method: method as Dispatcher.HttpMethod,
			dispatcher: call.as ?? asAdmin,
			headers: {
				...(body === undefined ? {} : { "content-type": call.type ?? "application/json" }),
				...(call.accept === undefined ? {} : { accept: call.accept }),
				...call.headers,
			},
			...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
			...(signal === undefined ? {} : { signal }),
		});
	};
	return {
		store,
		server,
		authority,
		admin,
		async call(method, path, call = {}) {
			const answer = await send(method, path, call);
			const text = await answer.body.text();
			const json = String(answer.headers["content-type"] ?? "").includes("json");
			return { status: answer.statusCode, headers: answer.headers, text, body: json ? JSON.parse(text) : undefined };
		},
		async raw(method, path, body, headers) {
			const answer = await request(server.url + path, {
				method: method as Dispatcher.HttpMethod,
				dispatcher: asAdmin,
				headers,
				...(body === undefined ? {} : { body }),
			});
			return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
		},
		async client(commonName, organizations = []) {
			return agent(await authority.issue({ commonName, organizations, usages: ["client"] }));
		},
		anonymous: () => agent(),
		async watch(path, call = {}) {
			const abort = new AbortController();
			const answer = await send("GET", path, call, abort.signal);
			return new WatchStream(answer.body, abort);
		},
		async close() {
			await Promise.all(agents.map((a) => a.destroy()));
			await server.close();
			if (shared === undefined) await store.close();
		},
	};
}
