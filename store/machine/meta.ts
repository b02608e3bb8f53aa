/** What every engine batch carries beside the data, so that both are always of the same entry; also a snapshot's head. */
import type { ConfState } from "../raft/types.ts";
import { FormatError, Reader, Writer } from "./bytes.ts";

const metaFormat = 1;

export interface Meta {
	readonly index: number;
	readonly term: number;
	readonly conf: ConfState;
	readonly time: number;
	readonly paused: number;
	readonly timeTerm: number;
	readonly revision: number;
	readonly compactRevision: number;
	/** Compactions up to here are done on the engine too. */
	readonly compactedRevision: number;
}

export const noConf: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

function idLists(conf: ConfState) {
	return [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext] as const;
}

/** Bytes that `writeConf` writes. */
export function confSize(conf: ConfState): number {
	return idLists(conf).reduce((size, ids) => size + 2 + ids.length * 8, 1);
}

function writeConf(w: Writer, conf: ConfState): void {
	for (const ids of idLists(conf)) {
		w.u16(ids.length);
		for (const id of ids) w.u64(id);
	}
	w.u8(conf.autoLeave ? 1 : 0);
}

function readIds(r: Reader): bigint[] {
	const count = r.u16();
	const ids: bigint[] = [];
	for (let i = 0; i < count; i++) ids.push(r.u64());
	return ids;
}

export function encodeMeta(meta: Meta): Buffer {
	const w = new Writer(1 + 8 * 8 + confSize(meta.conf));
	w.u8(metaFormat);
	w.u53(meta.index);
	w.u53(meta.term);
	w.u53(meta.time);
	w.u53(meta.paused);
	w.u53(meta.timeTerm);
	w.u53(meta.revision);
	w.u53(meta.compactRevision);
	w.u53(meta.compactedRevision);
	writeConf(w, meta.conf);
	return w.done();
}

export function decodeMeta(data: Buffer): Meta {
	const r = new Reader(data);
	const format = r.u8();
	if (format !== metaFormat) throw new FormatError(`unknown format ${format} of the state's head`);
	const meta = {
		index: r.u53(),
		term: r.u53(),
		time: r.u53(),
		paused: r.u53(),
		timeTerm: r.u53(),
		revision: r.u53(),
		compactRevision: r.u53(),
		compactedRevision: r.u53(),
	};
	const conf: ConfState = {
		voters: readIds(r),
		votersOutgoing: readIds(r),
		learners: readIds(r),
		learnersNext: readIds(r),
		autoLeave: r.u8() !== 0,
	};
	r.end();
	return { ...meta, conf };
}
