/** A queue: what is put in comes out once, in order, and nothing else does. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

export interface Enqueue extends Timed {
	readonly element: string;
	/** fail: certainly not put in. */
	readonly status: "ok" | "fail" | "info";
}

export interface Dequeue extends Timed {
	/** undefined: it was empty, or the outcome is unknown. */
	readonly element: string | undefined;
	/** info: something may have been taken out, unseen. */
	readonly status: "ok" | "info";
}

/** `drained`: the history ends with dequeues until empty, so that what has not come out is lost. */
export function checkQueue(enqueues: readonly Enqueue[], dequeues: readonly Dequeue[], drained: boolean): Violation[] {
	const byElement = new Map(enqueues.map((each) => [each.element, each]));
	const out = new Map<string, Dequeue[]>();
	const found: Violation[] = [];
	for (const dequeue of dequeues) {
		if (dequeue.element === undefined) continue;
		const { element } = dequeue;
		out.set(element, [...(out.get(element) ?? []), dequeue]);
		const enqueue = byElement.get(element);
		if (enqueue !== undefined && enqueue.status !== "fail" && enqueue.invoked <= (dequeue.completed ?? Infinity))
			continue;
		const witness = describeTimed(enqueue === undefined ? [dequeue] : [enqueue, dequeue]);
		found.push({ kind: "unexpected", message: `${element} came out and was never put in`, witness });
	}
	for (const [element, taken] of out) {
		if (taken.length > 1) {
			found.push({
				kind: "duplicated",
				message: `${element} came out ${taken.length} times`,
				witness: describeTimed(taken),
			});
		}
	}
	const missing = drained ? lost(enqueues, dequeues, out) : [];
	return [...found, ...missing, ...outOfOrder(enqueues, out), ...overlooked(enqueues, dequeues, out)];
}

/** Each dequeue of unknown outcome may have taken one. */
function lost(
	enqueues: readonly Enqueue[],
	dequeues: readonly Dequeue[],
	out: ReadonlyMap<string, readonly Dequeue[]>,
): Violation[] {
	const missing = enqueues.filter((each) => each.status === "ok" && !out.has(each.element));
	const excused = dequeues.filter((each) => each.status === "info").length;
	if (missing.length <= excused) return [];
	const message = `${missing.length} elements never came out; ${excused} dequeues of unknown outcome may have taken one each`;
	return [{ kind: "lost", message, witness: describeTimed(missing.slice(0, 5)) }];
}

/** One put in after another was in, but taken out before the other's taking out began. */
function outOfOrder(enqueues: readonly Enqueue[], out: ReadonlyMap<string, readonly Dequeue[]>): Violation[] {
	const pairs = enqueues.flatMap((enqueue) => {
		const dequeue = out.get(enqueue.element)?.[0];
		return dequeue === undefined || enqueue.status === "fail" ? [] : [{ enqueue, dequeue }];
	});
	const found: Violation[] = [];
	for (const later of pairs) {
		const earlier = pairs.find(
			(each) =>
				each.enqueue.completed !== undefined &&
				each.enqueue.completed < later.enqueue.invoked &&
				(later.dequeue.completed ?? Number.POSITIVE_INFINITY) < each.dequeue.invoked,
		);
		if (earlier === undefined) continue;
		found.push({
			kind: "out-of-order",
			message: `${later.enqueue.element} came out before ${earlier.enqueue.element}, which was in earlier`,
			witness: describeTimed([earlier.enqueue, later.enqueue, later.dequeue, earlier.dequeue]),
		});
	}
	return found;
}

/** Found empty while an element was in for certain: put in before, and taken out only after. */
function overlooked(
	enqueues: readonly Enqueue[],
	dequeues: readonly Dequeue[],
	out: ReadonlyMap<string, readonly Dequeue[]>,
): Violation[] {
	const inside = enqueues.flatMap((enqueue) => {
		const [dequeue] = out.get(enqueue.element) ?? [];
		return enqueue.completed === undefined || enqueue.status !== "ok" || dequeue === undefined
			? []
			: [{ enqueue, dequeue, from: enqueue.completed, to: dequeue.invoked }];
	});
	return dequeues.flatMap((empty): Violation[] => {
		const { status, element, invoked, completed } = empty;
		if (status !== "ok" || element !== undefined || completed === undefined) return [];
		const seen = inside.find(({ from, to }) => from < invoked && completed < to);
		if (seen === undefined) return [];
		const message = `${seen.enqueue.element} was in, and a dequeue found nothing`;
		return [{ kind: "stale-read", message, witness: describeTimed([seen.enqueue, empty, seen.dequeue]) }];
	});
}
