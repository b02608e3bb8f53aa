/**
 * One leader among replicas, by a Lease object (client-go's leaderelection). Another's lease counts as expired when its
 * record has not changed for a lease duration by our own clock, so clocks may differ. A client may ask for fencing
 * (`fence`): Barque's apiserver then refuses writes of a leader that no longer holds the lease.
 */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { FlagSpecs } from "../../kit/flags.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { ApiError } from "../machinery/errors.ts";
import { formatFence } from "../machinery/fence.ts";
import { formatMicroTime } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Lease } from "../scheme/types.gen.ts";
import type { EventRecorder } from "./events.ts";
import { leases } from "./resources.ts";
import type { ApiClient } from "./types.ts";

const jitterFactor = 1.2;
/** The first pause while the server cannot be reached, doubling up to the retry period. */
const startingRetryMs = 100;

export interface LeaderElectionOptions {
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	readonly namespace: string;
	readonly name: string;
	/** Unique among the replicas: upstream's form is `host_uuid`. */
	readonly identity: string;
	/** Default 15 s. */
	readonly leaseDurationMs?: number | undefined;
	/** Default 10 s; must be below the lease duration. */
	readonly renewDeadlineMs?: number | undefined;
	/** Default 2 s; times 1.2 must be below the renew deadline. */
	readonly retryPeriodMs?: number | undefined;
	/** Runs when we become leader; the signal aborts when we stop being it. */
	readonly onStarted: (signal: AbortSignal) => void;
	/**
	 * After the signal has aborted: resolves when all work begun as leader has ended. The lease is released only then;
	 * if the work has not ended by the renew deadline, the lease is left to expire.
	 */
	readonly settled?: (() => Promise<void>) | undefined;
	/** Leadership was lost, not given up by `stop`: the process should end. */
	readonly onLost: () => void;
	/** Somebody (perhaps we) leads. */
	readonly onNewLeader?: ((identity: string) => void) | undefined;
	readonly recorder?: EventRecorder | undefined;
}

export interface LeaderElector {
	/** Campaigns, leads and renews until stopped or lost. */
	run(): Promise<void>;
	readonly leading: boolean;
	/**
	 * We led, and gave the lease back or have not renewed it for the renew deadline: another may lead. Judged by the clock
	 * now, so also true at once for a process that stood still for that long and does not know it yet.
	 */
	readonly expired: boolean;
	/** For the client's `fence`, once we led. */
	readonly fence: string | undefined;
	/** Who holds the lease as far as we saw. */
	readonly leader: string;
	/** Stops; a leader first gives the lease back, so that the next does not wait for it to expire. */
	stop(): Promise<void>;
}

/** The flags every elected agent has, with upstream's names and defaults; `name` is the agent's. */
export function leaderElectionFlags<const N extends string>(name: N) {
	return {
		"leader-elect": {
			type: "boolean",
			default: true,
			group: "Leader election",
			help: "Start a leader election client and gain leadership before executing the main loop.",
		},
		"leader-elect-lease-duration": {
			type: "duration",
			default: 15_000,
			group: "Leader election",
			help: "How long non-leader candidates wait after observing a renewal before they try to take the lease.",
		},
		"leader-elect-renew-deadline": {
			type: "duration",
			default: 10_000,
			group: "Leader election",
			help: "How long the leader tries to renew its lease before it stops leading. Below the lease duration.",
		},
		"leader-elect-retry-period": {
			type: "duration",
			default: 2_000,
			group: "Leader election",
			help: "How long to wait between attempts to take or renew the lease.",
		},
		"leader-elect-resource-name": {
			type: "string",
			default: name as string,
			group: "Leader election",
			help: "Name of the Lease object.",
		},
		"leader-elect-resource-namespace": {
			type: "string",
			default: "kube-system",
			group: "Leader election",
			help: "Namespace of the Lease object.",
		},
	} as const satisfies FlagSpecs;
}

interface Observed {
	readonly text: string;
	readonly at: number;
}

function checkTimes(lease: number, renew: number, retry: number): void {
	if (lease <= renew)
		throw new TypeError(`lease duration (${lease} ms) must be greater than renew deadline (${renew} ms)`);
	if (renew <= retry * jitterFactor) {
		throw new TypeError(
			`renew deadline (${renew} ms) must be greater than ${jitterFactor} × retry period (${retry} ms)`,
		);
	}
	if (retry < 1) throw new TypeError(`retry period (${retry} ms) must be positive`);
}

/** Throws TypeError when the three durations do not fit each other. */
export function createLeaderElector(options: LeaderElectionOptions): LeaderElector {
	const { client, clock, random, namespace, name, identity } = options;
	const logger = options.logger.with({ lease: `${namespace}/${name}`, identity });
	const leaseMs = options.leaseDurationMs ?? 15_000;
	const renewMs = options.renewDeadlineMs ?? 10_000;
	const retryMs = options.retryPeriodMs ?? 2_000;
	checkTimes(leaseMs, renewMs, retryMs);
	const api = client.resource<Lease>(leases);
	const stopping = new AbortController();
	let finished: Promise<void> | undefined;
	let lease: KubeObject<Lease> | undefined;
	let observed: Observed | undefined;
	let leading = false;
	let led = false;
	/** Our time as leader is over: all work begun in it must have ended. */
	let over = false;
	/** When the last attempt that took or renewed the lease began. */
	let renewedAt = Number.NEGATIVE_INFINITY;
	let reported = "";

	const holder = () => lease?.spec?.holderIdentity ?? "";

	function observe(next: KubeObject<Lease>) {
		lease = next;
		const text = JSON.stringify(next.spec ?? {});
		if (observed?.text !== text) observed = { text, at: clock.monotonic() };
		if (holder() !== "" && holder() !== reported) {
			reported = holder();
			options.onNewLeader?.(reported);
		}
	}

	function record(spec: Lease["spec"], now: string) {
		const mine = spec?.holderIdentity === identity;
		return {
			...spec,
			holderIdentity: identity,
			leaseDurationSeconds: Math.max(1, Math.ceil(leaseMs / 1000)),
			renewTime: now,
			acquireTime: mine ? (spec?.acquireTime ?? now) : now,
			leaseTransitions: spec === undefined ? 0 : (spec.leaseTransitions ?? 0) + (mine ? 0 : 1),
		};
	}

	const ours = () => holder() === identity;
	/** Until the renew deadline, ms; not above 0: it has passed. */
	const left = () => renewedAt + renewMs - clock.monotonic();
	const held = (at: number) => holder() !== "" && observed !== undefined && at < observed.at + leaseMs;

	/** True when the lease is ours afterwards. */
	async function tryAcquireOrRenew(): Promise<boolean> {
		// Whoever takes the lease does so by the time that it writes, however long reading takes.
		const [now, at] = [formatMicroTime(clock.now()), clock.monotonic()];
		if (ours() && held(at) && lease !== undefined) {
			try {
				observe(await api.update({ ...lease, spec: record(lease.spec, now) }));
				return true;
			} catch (error) {
				// Another replica changed the lease, or it was deleted; then the first replica to come creates it
				// again.
				if (!(error instanceof ApiError) || (error.code !== 409 && error.code !== 404)) throw error;
				logger.debug("lease changed, reading it again", { error });
			}
		}
		let current: KubeObject<Lease>;
		try {
			current = await api.get(namespace, name);
		} catch (error) {
			if (!(error instanceof ApiError) || error.code !== 404) throw error;
			const fresh = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace } };
			observe(await api.create(namespace, { ...fresh, spec: record(undefined, now) }));
			return true;
		}
		observe(current);
		if (held(at) && !ours()) return false;
		observe(await api.update({ ...current, spec: record(current.spec, now) }));
		return true;
	}

	async function attempt(): Promise<boolean> {
		try {
			return await tryAcquireOrRenew();
		} catch (error) {
			const raced = error instanceof ApiError && error.code === 409;
			if (raced) logger.debug("another replica was faster", { error });
			else logger.warn("cannot take or renew the lease", { error });
			return false;
		}
	}

	/** Gives up on an attempt that does not come back in time. */
	async function attemptWithin(ms: number): Promise<boolean> {
		const began = clock.monotonic();
		const late = Promise.withResolvers<boolean>();
		const timer = clock.after(ms, () => late.resolve(false), { keepAlive: true });
		try {
			const done = await Promise.race([attempt(), late.promise]);
			if (done) renewedAt = began;
			return done;
		} finally {
			timer.cancel();
		}
	}

	const pause = (ms: number) => sleep(clock, ms, stopping.signal).catch(() => undefined); // stopped: the loops see it

	async function acquire(): Promise<boolean> {
		for (let tries = 0; !stopping.signal.aborted; tries++) {
			if (await attemptWithin(renewMs)) return !stopping.signal.aborted;
			// The lease was never read: the server is still starting, so asking it again soon does not count as
			// campaigning.
			const base = lease === undefined ? Math.min(retryMs, startingRetryMs * 2 ** tries) : retryMs;
			await pause(base * (1 + random.float() * jitterFactor));
		}
		return false;
	}

	/** Returns when the lease could not be renewed for the renew deadline, or when stopped. */
	async function renew(): Promise<void> {
		while (!stopping.signal.aborted) {
			await pause(Math.min(retryMs, Math.max(0, left())));
			if (stopping.signal.aborted || left() <= 0) return;
			if (!(await attemptWithin(left())) && lease !== undefined && !ours()) return;
		}
	}

	/**
	 * True once all work has ended; false when it has not by the renew deadline, which no longer moves since renewing
	 * stopped.
	 */
	async function settle(): Promise<boolean> {
		const settled = options.settled?.().then(() => true);
		if (settled === undefined) return true;
		const late = Promise.withResolvers<boolean>();
		const timer = clock.after(Math.max(0, left()), () => late.resolve(false), { keepAlive: true });
		try {
			return await Promise.race([settled, late.promise]);
		} finally {
			timer.cancel();
		}
	}

	async function release(): Promise<void> {
		if (!ours() || lease === undefined) return;
		if (!(await settle())) {
			logger.warn("work is still under way; the lease will expire");
			return;
		}
		over = true;
		const now = formatMicroTime(clock.now());
		const spec = {
			holderIdentity: "",
			leaseDurationSeconds: 1,
			renewTime: now,
			acquireTime: now,
			leaseTransitions: lease.spec?.leaseTransitions ?? 0,
		};
		try {
			observe(await api.update({ ...lease, spec }));
		} catch (error) {
			logger.warn("cannot release the lease; it will expire", { error });
		}
	}

	async function campaign(): Promise<void> {
		if (!(await acquire())) return release();
		leading = true;
		led = true;
		logger.info("became leader");
		if (lease !== undefined) options.recorder?.event(lease, "Normal", "LeaderElection", `${identity} became leader`);
		const term = new AbortController();
		options.onStarted(term.signal);
		await renew();
		over = !stopping.signal.aborted || !ours();
		leading = false;
		term.abort(new Error("no longer leader"));
		if (stopping.signal.aborted) {
			await release();
			return;
		}
		logger.error("leadership lost");
		if (lease !== undefined) {
			options.recorder?.event(lease, "Normal", "LeaderElection", `${identity} stopped leading`);
		}
		options.onLost();
	}

	return {
		run: () => (finished ??= campaign()),
		get leading() {
			return leading;
		},
		get expired() {
			return over || (led && left() <= 0);
		},
		get fence() {
			return led ? formatFence({ namespace, name, holder: identity }) : undefined;
		},
		get leader() {
			return holder();
		},
		async stop() {
			stopping.abort(new Error("stopping"));
			await finished;
		},
	};
}
