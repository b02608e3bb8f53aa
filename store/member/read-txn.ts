/** Transactions that only read: decided and answered by one member at one revision, in pages, without the log. */
import type { RangeRequest, RequestOp, ResponseOp, TxnRequest, TxnResult } from "../api.ts";
import type { StateMachine } from "../machine/types.ts";
import type { ReadPlan } from "../mvcc/write.ts";
import { type Abandonable, checkAnswer, collect, openPages, type PageLimits, pairBytes } from "./long-ranges.ts";

/** Whether it may be answered from a member's own state: it has ranges, and each of them says so. */
export function isSerializable(txn: TxnRequest): boolean {
	let ranges = 0;
	const serializable = (op: RequestOp): boolean => {
		if (op.op === "txn") return op.success.every(serializable) && op.failure.every(serializable);
		ranges++;
		return op.op === "range" && op.serializable === true;
	};
	return txn.success.every(serializable) && txn.failure.every(serializable) && ranges > 0;
}

/** Throws StoreErrors. */
export async function readTxn(
	machine: StateMachine,
	request: TxnRequest,
	limits: PageLimits,
	caller: Abandonable | undefined,
): Promise<{ readonly revision: number; readonly result: TxnResult }> {
	// Decided at this revision, and read at it: no await between them.
	const { revision } = machine;
	const plan = machine.planReads(request);
	let bytes = 0;
	let sinceTurn = 0;
	const readRange = async (range: RangeRequest): Promise<ResponseOp> => {
		if (sinceTurn >= limits.rangePageBytes) {
			sinceTurn = 0;
			await limits.turn();
		}
		const pages = openPages(machine, range, limits, { at: machine.revision === revision ? 0 : revision, caller });
		const kvs = pages.only ?? (await collect(pages.pages()));
		const size = pairBytes(kvs);
		sinceTurn += size;
		bytes += size;
		checkAnswer(bytes, limits.maxAnswerBytes);
		return { op: "range", kvs, more: pages.more, count: pages.count };
	};
	const readPlan = async ({ succeeded, steps }: ReadPlan): Promise<TxnResult> => {
		const responses: ResponseOp[] = [];
		for (const step of steps) {
			responses.push("steps" in step ? { op: "txn", ...(await readPlan(step)) } : await readRange(step));
		}
		return { succeeded, responses };
	};
	return { revision, result: await readPlan(plan) };
}
