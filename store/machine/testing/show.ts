/** Values as text that can be compared and read: bytes as Latin-1 strings, errors as their code. */
import { crc32c } from "../../../kit/crc32c.ts";
import { StoreError } from "../../api.ts";

export function show(value: unknown): string {
	return JSON.stringify(plain(value), undefined, 1);
}

function plain(value: unknown): unknown {
	if (typeof value === "bigint") return `${value}n`;
	if (value instanceof StoreError) return `error ${value.code}`;
	if (Buffer.isBuffer(value)) {
		return value.length < 100 ? value.toString("latin1") : `${value.length} bytes, CRC32C ${crc32c(value)}`;
	}
	if (Array.isArray(value)) return value.map(plain);
	if (typeof value !== "object" || value === null) return value;
	const fields = Object.entries(value).filter(([, field]) => field !== undefined);
	return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, plain(field)]));
}
