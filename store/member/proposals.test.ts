import assert from "node:assert/strict";
import type { StoreError } from "../api.ts";
import type { Applied } from "../machine/types.ts";
import { Proposals } from "./proposals.ts";

interface Outcome {
	applied?: Applied;
	error?: StoreError;
}

function add(proposals: Proposals, requestId: bigint, deadline = 1000): Outcome {
	const outcome: Outcome = {};
	proposals.add({
		requestId,
		data: Buffer.from(`${requestId}`),
		deadline,
		sentTerm: 0,
		resolve: (applied) => {
			outcome.applied = applied;
		},
		reject: (error) => {
			outcome.error = error;
		},
	});
	return outcome;
}

const applied = (requestId: bigint): Applied => ({
	index: 1,
	revision: 1,
	header: { session: 0n, sequence: 0, acknowledged: 0, time: 0, requestId },
	outcome: { kind: "tick" },
});

describe("store/member/proposals", () => {
	it("queues again what a later term proves lost, and nothing else", () => {
		const proposals = new Proposals();
		const lost = add(proposals, 1n);
		const settled = add(proposals, 2n);
		proposals.take(3, 1000);
		const later = add(proposals, 3n);
		proposals.take(4, 1000);
		proposals.settle(applied(2n));
		assert.equal(proposals.termApplied(3), false);
		assert.equal(proposals.termApplied(4), true);
		assert.equal(proposals.queued, 1);
		const [again] = proposals.take(5, 1000);
		assert.equal(again?.requestId, 1n);
		assert.equal(proposals.termApplied(5), true, "the one of term 4 is lost now");
		assert(settled.applied !== undefined);
		assert.deepEqual([lost.error, later.error], [undefined, undefined]);
	});

	it("does not queue twice what was refused late", () => {
		const proposals = new Proposals();
		add(proposals, 1n);
		proposals.take(3, 1000);
		proposals.termApplied(4);
		proposals.requeue(proposals.sentUnder(3, [1n]));
		assert.equal(proposals.queued, 1);
		proposals.take(4, 1000);
		proposals.requeue(proposals.sentUnder(3, [1n]));
		assert.equal(proposals.queued, 0);
		proposals.requeue(proposals.sentUnder(4, [1n]));
		assert.equal(proposals.queued, 1);
	});

	it("tells what was never sent from what may have been applied", () => {
		const proposals = new Proposals();
		const sent = add(proposals, 1n, 10);
		proposals.take(1, 1000);
		const unsent = add(proposals, 2n, 10);
		const patient = add(proposals, 3n, 20);
		proposals.expire(10);
		assert.equal(sent.error?.code, "outcome_unknown");
		assert.equal(unsent.error?.code, "unavailable");
		assert.equal("error" in patient, false);
		assert.equal(proposals.queued, 1);
		proposals.failAll("stopped");
		assert.equal(patient.error?.code, "unavailable");
		assert.equal(proposals.bytes, 0);
	});

	it("bounds a batch by bytes, but sends at least one", () => {
		const proposals = new Proposals();
		for (let i = 10n; i < 20n; i++) add(proposals, i);
		assert.equal(proposals.take(1, 5).length, 2);
		assert.equal(proposals.take(1, 1).length, 1);
		assert.equal(proposals.queued, 7);
	});
});
