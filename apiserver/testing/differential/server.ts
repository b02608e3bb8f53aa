/** What a differential table talks to: upstream's kube-apiserver when it is recorded, a replica of ours when it is held against it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Harness } from "../harness.ts";

export interface Call {
	readonly body?: string;
	readonly type?: string;
	readonly accept?: string;
	readonly userAgent?: string;
}

export interface Reply {
	readonly status: number;
	readonly type: string;
	readonly text: string;
}

export interface TableServer {
	send(method: string, path: string, call?: Call): Promise<Reply>;
	/** Compacts the store below the server. */
	compact(revision: number): Promise<void>;
}

const headersOf = (call: Call): Record<string, string> => ({
	...(call.body === undefined ? {} : { "content-type": call.type ?? "application/json" }),
	accept: call.accept ?? "application/json",
	"user-agent": call.userAgent ?? "table",
});

/** A running server by its address; `etcd` is the JSON gateway of the etcd below it. */
export const remoteServer = (base: string, token: string, etcd: string): TableServer => ({
	async send(method, path, call = {}) {
		const answer = await fetch(base + path, {
			method,
			headers: { ...headersOf(call), authorization: `Bearer ${token}` },
			...(call.body === undefined ? {} : { body: call.body }),
		});
		return { status: answer.status, type: answer.headers.get("content-type") ?? "", text: await answer.text() };
	},
	async compact(revision) {
		const ask = async (path: string, body: object) => {
			const answer = await fetch(`${etcd}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
			if (!answer.ok) throw new Error(`${path} failed: ${await answer.text()}`);
		};
		const base64 = (text: string) => Buffer.from(text).toString("base64");
		// The apiserver's compactors tell each other by this key what is gone.
		await ask("put", { key: base64("compact_rev_key"), value: base64(String(revision)) });
		await ask("compaction", { revision: String(revision), physical: true });
		await sleep(1000);
	},
});

export const harnessServer = (h: Harness): TableServer => ({
	async send(method, path, call = {}) {
		const answer = await h.raw(method, path, call.body, headersOf(call));
		return { status: answer.status, type: String(answer.headers["content-type"] ?? ""), text: answer.text };
	},
	async compact(revision) {
		await h.store.compact({ revision });
	},
});
