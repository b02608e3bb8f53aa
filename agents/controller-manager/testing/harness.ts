/** A controller over the in-memory API and a clock moved by hand. */
import assert from "node:assert/strict";
import { createEventRecorder, type EventRecorder } from "../../../apiserver/client/events.ts";
import { createFakeClient, type FakeClient } from "../../../apiserver/client/fake.ts";
import { createInformerFactory } from "../../../apiserver/client/informer.ts";
import { events, pods } from "../../../apiserver/client/resources.ts";
import type * as api from "../../../apiserver/scheme/types.gen.ts";
import { silentLogger } from "../../../kit/log.ts";
import { seededRandom } from "../../../kit/random.ts";
import { VirtualClock } from "../../../kit/sim/clock.ts";
import type { Controller, ControllerContext, Pod } from "../controller.ts";

export interface Harness {
	readonly client: FakeClient;
	readonly clock: VirtualClock;
	readonly controllers: readonly Controller[];
	/** Starts what was made with `create`, after the caches are filled. */
	start(): Promise<void>;
	/** Lets everything that needs no (or `ms` of) time happen. */
	run(ms?: number): Promise<void>;
	/** `reason: message` of every event, in order of creation. */
	events(): Promise<string[]>;
	/** Plays the kubelet: puts the pod on a node in `phase`, ready or not. */
	setPod(pod: Pod, phase: string, status?: Partial<api.PodStatus> & { ready?: boolean }): Promise<void>;
	/** Throws where a controller wrote what changed nothing. */
	stop(): void;
}

/** Makes the controllers with their context; nothing runs before `start`. */
export function harness(...create: ((ctx: ControllerContext, client: FakeClient) => Controller)[]): Harness {
	const clock = new VirtualClock({ turns: 8 });
	const client = createFakeClient({ clock, random: seededRandom(7) });
	const random = seededRandom(3);
	const informers = createInformerFactory({ client: client.checked, clock, random, logger: silentLogger });
	const recorders: EventRecorder[] = [];
	const ctx: ControllerContext = {
		client: client.checked,
		informers,
		clock,
		random,
		logger: silentLogger,
		recorder(component) {
			const recorder = createEventRecorder({ client: client.checked, clock, random, logger: silentLogger, component });
			recorders.push(recorder);
			return recorder;
		},
	};
	const controllers = create.map((make) => make(ctx, client));
	return {
		client,
		clock,
		controllers,
		async start() {
			informers.start();
			await informers.whenSynced();
			for (const controller of controllers) controller.start();
			await clock.runFor(20);
		},
		run: (ms = 50) => clock.runFor(ms),
		async events() {
			await Promise.all(recorders.map((recorder) => recorder.flush()));
			const all = client.all(events);
			all.sort((a, b) => Number(a.metadata.uid?.slice(-12)) - Number(b.metadata.uid?.slice(-12)));
			return all.map((event) => `${event.reason}: ${event.message}`);
		},
		async setPod(pod, phase, status = {}) {
			const { ready = phase === "Running", ...rest } = status;
			const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
			const api = client.resource(pods);
			const current = await api.get(pod.metadata.namespace ?? "", pod.metadata.name ?? "");
			const bound = { ...current, spec: { ...current.spec, nodeName: current.spec?.nodeName ?? "node-1" } };
			const updated = await api.update(bound);
			const condition = { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: now };
			await api.update({ ...updated, status: { phase, conditions: [condition], ...rest } }, "status");
		},
		stop() {
			const idle = client.actions.filter((action) => action.idle === true);
			assert.deepEqual(idle, [], "a write that changes nothing: its event is waited for in vain");
			assert.deepEqual(client.refused, [], "a write that the server's checks refuse");
			for (const controller of controllers) controller.stop();
			for (const recorder of recorders) recorder.stop();
			informers.stop();
		},
	};
}
