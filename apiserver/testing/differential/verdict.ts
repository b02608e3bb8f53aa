/** Answers as short texts that two servers can agree on: what differs from run to run (revisions, uids, times) has a name or goes. */
import type { Reply } from "./server.ts";

/** Revisions by the names the tables give them, in ascending order. */
export class Revisions {
	readonly #named: { name: string; revision: number }[] = [];

	set(name: string, revision: number): void {
		this.#named.push({ name, revision });
	}

	get(name: string): number {
		const found = this.#named.find((n) => n.name === name);
		if (found === undefined) throw new Error(`no revision is named ${name}`);
		return found.revision;
	}

	/** `now` for whatever is newer than all named ones, `?` for what is between them. */
	nameOf(text: string): string {
		const found = this.#named.find((n) => String(n.revision) === text);
		if (found !== undefined) return found.name;
		const newest = this.#named.at(-1)?.revision ?? 0;
		if (!/^\d+$/.test(text)) return text;
		return Number(text) > newest ? "now" : "?";
	}
}

type Json = Record<string, unknown>;

const decodeToken = (token: string): Json => JSON.parse(Buffer.from(token, "base64url").toString("utf8"));

function tokenText(token: string, revisions: Revisions): string {
	const { rv, start } = decodeToken(token) as { rv: number; start: string };
	return `${JSON.stringify(start)}@${revisions.nameOf(String(rv))}`;
}

function messageText(message: string, revisions: Revisions): string {
	return (
		message
			// Ours tells where a text breaks; a patch's document is shown with its keys in another order.
			.replace(/ at line \d+, column \d+/, "")
			.replace(/(patch: Invalid value: )"(?:[^"\\]|\\.)*"/, "$1DOCUMENT")
			.replace(
				/(Too large resource version: )(\d+)(, current: )\d+/,
				(_, a, n, b) => `${a}${revisions.nameOf(n)}${b}now`,
			)
			.replace(/(too old resource version: )(\d+)( \()\d+/, (_, a, n, b) => `${a}${revisions.nameOf(n)}${b}N`)
			.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID")
			.replace(/(ResourceVersion in object meta: |ResourceVersion in record \()\d+/, "$1N")
	);
}

interface Cause {
	readonly reason?: string;
	readonly message?: string;
	readonly field?: string;
}

interface Status {
	readonly status?: string;
	readonly reason?: string;
	readonly message?: string;
	readonly code?: number;
	readonly details?: {
		readonly group?: string;
		readonly kind?: string;
		readonly name?: string;
		readonly causes?: readonly Cause[];
		readonly retryAfterSeconds?: number;
	};
	readonly metadata?: { readonly continue?: string };
}

/** A cause's words only where the message does not have them already. */
function causeText(cause: Cause, message: string): string {
	const { reason = "", field, message: words = "" } = cause;
	const told = message.includes(field === undefined ? words : `${field}: ${words}`);
	return [reason, field ?? "-", ...(told ? [] : [JSON.stringify(words)])].join(" ");
}

function statusText(status: Status, revisions: Revisions): string {
	const { details, message = "" } = status;
	const about = [details?.kind ?? "", details?.group ?? "", details?.name ?? ""].join("/");
	const causes = details?.causes?.map((cause) => causeText(cause, message)) ?? [];
	const token = status.metadata?.continue;
	return [
		status.reason ?? status.status ?? "",
		messageText(message, revisions),
		...(details === undefined ? ["-"] : [about]),
		...(causes.length === 0 ? [] : [causes.join("; ")]),
		...(details?.retryAfterSeconds === undefined ? [] : [`retry=${details.retryAfterSeconds}`]),
		...(token === undefined ? [] : [`continue=${tokenText(token, revisions)}`]),
	].join(" | ");
}

interface Meta {
	readonly name?: string;
	readonly resourceVersion?: string;
	readonly continue?: string;
	readonly remainingItemCount?: number;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly deletionTimestamp?: string;
	readonly deletionGracePeriodSeconds?: number;
	readonly finalizers?: readonly string[];
}

function objectText(object: Json): string {
	const meta = object["metadata"] as Meta;
	return [
		String(object["kind"]),
		meta.name ?? "",
		...(meta.deletionTimestamp === undefined ? [] : [`deleting in ${meta.deletionGracePeriodSeconds}`]),
		...(meta.finalizers === undefined ? [] : [`finalizers ${meta.finalizers.join(",")}`]),
	].join(" ");
}

function listText(list: Json, revisions: Revisions): string {
	const meta = list["metadata"] as Meta;
	const items = (list["items"] as { metadata: Meta }[] | null) ?? [];
	return [
		String(list["kind"]),
		`rv=${revisions.nameOf(meta.resourceVersion ?? "")}`,
		`items=${items.map((item) => `${item.metadata.name}@${revisions.nameOf(item.metadata.resourceVersion ?? "")}`).join(",")}`,
		...(meta.continue === undefined ? [] : [`continue=${tokenText(meta.continue, revisions)}`]),
		...(meta.remainingItemCount === undefined ? [] : [`remaining=${meta.remainingItemCount}`]),
	].join(" ");
}

const indented = (text: string) => (text.trimEnd().includes("\n") ? " (pretty)" : "");

export function verdictOf(reply: Reply, revisions: Revisions): string {
	const { status, type, text } = reply;
	if (!type.startsWith("application/json")) return `${status} ${type} ${JSON.stringify(text.slice(0, 200))}`;
	let value: Json;
	try {
		value = JSON.parse(text);
	} catch {
		return `${status} ${text.slice(0, 200)}`;
	}
	const shown =
		value["kind"] === "Status"
			? statusText(value as Status, revisions)
			: Array.isArray(value["items"]) || String(value["kind"]).endsWith("List")
				? listText(value, revisions)
				: objectText(value);
	return `${status} ${shown}${indented(text)}`;
}

/** Events of a watch that has ended; bookmarks that only tell progress come when they like and are left out. */
export function watchVerdictOf(reply: Reply, revisions: Revisions, bookmarks: boolean): string {
	if (reply.status !== 200 || reply.text.startsWith('{"kind":')) return verdictOf(reply, revisions);
	const events: string[] = [];
	for (const line of reply.text.split("\n")) {
		if (line === "") continue;
		const { type, object } = JSON.parse(line) as { type: string; object: Json };
		const meta = object["metadata"] as Meta;
		const revision = revisions.nameOf(meta.resourceVersion ?? "");
		if (type === "ERROR") events.push(`ERROR ${object["code"]} ${statusText(object as Status, revisions)}`);
		else if (type !== "BOOKMARK") events.push(`${type} ${meta.name}@${revision}`);
		else if (meta.annotations !== undefined) events.push(`BOOKMARK ${JSON.stringify(meta.annotations)}@${revision}`);
		else if (!bookmarks) events.push(`BOOKMARK@${revision}`);
	}
	return `200 ${events.join(", ")}`;
}
