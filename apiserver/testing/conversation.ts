/**
 * Conversations with an API server whose answers were recorded from kube-apiserver: the same requests, in the same order,
 * must be answered in the same words. A conversation is played against whatever `send` reaches.
 */

/** One request. Texts may hold `{uid:NAME}`, the uid of an object an earlier step remembered by that name. */
export interface Step {
	/** Unique in its conversation; names the recorded answer. */
	readonly title: string;
	/** The user, by the name of its token: `NAME-token`. */
	readonly as: string;
	readonly method: string;
	readonly path: string;
	readonly body?: unknown;
	/** Of the body; JSON where it is not said. */
	readonly type?: string;
	readonly headers?: Readonly<Record<string, string | readonly string[]>>;
	/** Remembers the answer's `metadata.uid`. */
	readonly remember?: string;
	/** What of a successful answer is compared, beside the status; by default nothing. */
	readonly shows?: (body: Json) => unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: answers have every shape
export type Json = any;

export interface Reply {
	readonly status: number;
	readonly text: string;
	/** Values of `Warning` headers. */
	readonly warnings: readonly string[];
}

export type Send = (request: {
	readonly method: string;
	readonly path: string;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	readonly body: string | undefined;
}) => Promise<Reply>;

/** What is compared of an answer. */
export interface Said {
	readonly status: number;
	readonly reason?: string;
	readonly message?: string;
	readonly warnings?: readonly string[];
	readonly shows?: unknown;
}

/** `299 - "text"` as its text. */
const warningText = (header: string): string =>
	header.replace(/^299 - "(.*)"$/s, (_, quoted: string) => quoted.replaceAll(/\\(.)/g, "$1"));

function parse(text: string): Json {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** Plays the steps in order; answers by title. */
export async function converse(steps: readonly Step[], send: Send): Promise<Map<string, Said>> {
	const uids = new Map<string, string>();
	const answers = new Map<string, Said>();
	const fill = (text: string) => text.replaceAll(/\{uid:([^}]*)\}/g, (_, name: string) => uids.get(name) ?? "");
	const mask = (text: string) => {
		let masked = text;
		for (const [name, uid] of uids) masked = masked.replaceAll(uid, `{uid:${name}}`);
		return masked;
	};
	for (const step of steps) {
		if (answers.has(step.title)) throw new Error(`two steps are called ${JSON.stringify(step.title)}`);
		const { status, text, warnings } = await send({
			method: step.method,
			path: fill(step.path),
			headers: {
				authorization: `Bearer ${step.as}-token`,
				...(step.body === undefined ? {} : { "content-type": step.type ?? "application/json" }),
				...step.headers,
			},
			body: step.body === undefined ? undefined : fill(JSON.stringify(step.body)),
		});
		const body = parse(text);
		const uid: unknown = body?.metadata?.uid;
		if (step.remember !== undefined && typeof uid === "string") uids.set(step.remember, uid);
		const said: Said = {
			status,
			...(status < 400 ? {} : { reason: body?.reason ?? "", message: mask(body?.message ?? text) }),
			...(warnings.length === 0 ? {} : { warnings: warnings.map((w) => mask(warningText(w))) }),
			...(status < 400 && step.shows !== undefined
				? { shows: JSON.parse(JSON.stringify(step.shows(body) ?? null)) as unknown }
				: {}),
		};
		answers.set(step.title, said);
	}
	return answers;
}
