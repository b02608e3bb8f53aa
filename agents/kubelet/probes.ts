/** Liveness, readiness and startup probes: one prober per container and kind, counting towards its thresholds. */
import http from "node:http";
import https from "node:https";
import net from "node:net";
import type { Container, Probe } from "../../apiserver/scheme/types.gen.ts";
import type { Clock, Timer } from "../../kit/clock.ts";
import { probeGrpc } from "./probe-grpc.ts";
import type { ProbeOutcome } from "./probe-outcome.ts";
import type { ExecResult } from "./runtime/types.ts";

export type ProbeKind = "liveness" | "readiness" | "startup";

export interface ProbeTarget {
	readonly container: Container;
	readonly podIp: string;
	readonly exec: (command: readonly string[], timeoutMs: number) => Promise<ExecResult>;
}

const maxRedirectBodyBytes = 10 * 1024;

/** A port by number or by the name of one of the container's ports. */
export function resolvePort(container: Container, port: number | string | undefined): number {
	if (typeof port === "number") return port;
	const named = (container.ports ?? []).find((candidate) => candidate.name === port);
	const value = named?.containerPort ?? Number(port);
	if (!Number.isInteger(value) || value < 1 || value > 65_535) {
		throw new Error(`couldn't find port: ${JSON.stringify(port)}`);
	}
	return value;
}

function probeHttp(
	target: ProbeTarget,
	action: NonNullable<Probe["httpGet"]>,
	timeoutMs: number,
): Promise<ProbeOutcome> {
	const secure = action.scheme === "HTTPS";
	const host = action.host || target.podIp;
	const port = resolvePort(target.container, action.port);
	const headers: Record<string, string> = { "user-agent": "kube-probe/barque", accept: "*/*" };
	for (const { name, value } of action.httpHeaders ?? []) headers[name ?? ""] = value ?? "";
	const path = action.path || "/";
	return new Promise((resolve) => {
		const options = { host, port, path, headers, timeout: timeoutMs, agent: false, rejectUnauthorized: false };
		const request = (secure ? https : http).get(options, (response) => {
			const status = response.statusCode ?? 0;
			let read = 0;
			response.on("data", (chunk: Buffer) => {
				read += chunk.length;
				if (read > maxRedirectBodyBytes) response.destroy();
			});
			response.on("error", () => response.destroy());
			const ok = status >= 200 && status < 400;
			resolve({ ok, message: ok ? "" : `HTTP probe failed with statuscode: ${status}` });
		});
		const url = `${secure ? "https" : "http"}://${host}:${port}${path}`;
		request.on("timeout", () => request.destroy(new Error("context deadline exceeded")));
		request.on("error", (error) => resolve({ ok: false, message: `Get "${url}": ${error.message}` }));
	});
}

function probeTcp(
	target: ProbeTarget,
	action: NonNullable<Probe["tcpSocket"]>,
	timeoutMs: number,
): Promise<ProbeOutcome> {
	const host = action.host || target.podIp;
	const port = resolvePort(target.container, action.port);
	return new Promise((resolve) => {
		const socket = net.connect({ host, port, timeout: timeoutMs });
		const done = (outcome: ProbeOutcome) => {
			socket.destroy();
			resolve(outcome);
		};
		socket.once("connect", () => done({ ok: true, message: "" }));
		socket.once("timeout", () => done({ ok: false, message: `dial tcp ${host}:${port}: i/o timeout` }));
		socket.once("error", (error) => done({ ok: false, message: `dial tcp ${host}:${port}: ${error.message}` }));
	});
}

/** Makes one probe; never rejects. */
export async function probeOnce(target: ProbeTarget, probe: Probe): Promise<ProbeOutcome> {
	const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
	try {
		if (probe.exec !== undefined) {
			const { exitCode, output } = await target.exec(probe.exec.command ?? [], timeoutMs);
			return { ok: exitCode === 0, message: output.trim() };
		}
		if (probe.httpGet !== undefined) return await probeHttp(target, probe.httpGet, timeoutMs);
		if (probe.tcpSocket !== undefined) return await probeTcp(target, probe.tcpSocket, timeoutMs);
		if (probe.grpc !== undefined) {
			const { port, service } = probe.grpc;
			return await probeGrpc(target.podIp, resolvePort(target.container, port), service ?? "", timeoutMs);
		}
		throw new Error("missing probe handler");
	} catch (error) {
		return { ok: false, message: error instanceof Error ? error.message : String(error) };
	}
}

export interface ProberOptions {
	readonly kind: ProbeKind;
	readonly probe: Probe;
	readonly target: ProbeTarget;
	readonly clock: Clock;
	/** The result changed: probing turned to success, or to failure (its threshold reached). */
	readonly onResult: (ok: boolean) => void;
	/** Every failed try, for the Unhealthy event. */
	readonly onFailure: (message: string) => void;
}

/** Probes periodically from `initialDelaySeconds` on until stopped. A startup probe stops itself at its first success. */
export class Prober {
	readonly #options: ProberOptions;
	#timer: Timer | undefined;
	#stopped = false;
	#successes = 0;
	#failures = 0;
	/** Undefined until a threshold was reached once. */
	#result: boolean | undefined;

	constructor(options: ProberOptions) {
		this.#options = options;
		this.#schedule((options.probe.initialDelaySeconds ?? 0) * 1000);
	}

	stop(): void {
		this.#stopped = true;
		this.#timer?.cancel();
	}

	#schedule(ms: number): void {
		this.#timer = this.#options.clock.after(ms, () => void this.#run());
	}

	async #run(): Promise<void> {
		const { probe, target, kind, onFailure } = this.#options;
		const outcome = await probeOnce(target, probe);
		if (this.#stopped) return;
		if (outcome.ok) {
			this.#failures = 0;
			if (++this.#successes >= (probe.successThreshold ?? 1)) this.#settle(true);
			if (kind === "startup" && this.#result === true) return this.stop();
		} else {
			this.#successes = 0;
			onFailure(outcome.message);
			if (++this.#failures >= (probe.failureThreshold ?? 3)) this.#settle(false);
		}
		if (!this.#stopped) this.#schedule((probe.periodSeconds ?? 10) * 1000);
	}

	#settle(ok: boolean): void {
		if (this.#result === ok) return;
		this.#result = ok;
		this.#options.onResult(ok);
	}
}
