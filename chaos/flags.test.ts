/** Which flags go together, without starting anything. */
import assert from "node:assert/strict";
import { parseCommand } from "../kit/flags.ts";
import { objection, spec } from "./flags.ts";
import { faults } from "./nemeses/all.ts";
import { allPairs } from "./plan.ts";

function complaint(...argv: readonly string[]): string | undefined {
	const parsed = parseCommand(spec, argv);
	assert.ok("values" in parsed, argv.join(" "));
	return objection(parsed.values, parsed.given);
}

const endpoints = ["--target", "endpoints", "--endpoints", "http://127.0.0.1:1"];
const hooks = ["--kill-hook", "true", "--start-hook", "true"];

describe("chaos/flags", () => {
	it("let pass what makes sense", () => {
		for (const argv of [
			[],
			["--nemesis", "kill,pause", "--members", "5", "--report", "x.html", "--output", "json"],
			["--system", "etcd", "--etcd", "/opt/etcd", "--unsafe-no-fsync", "--request-timeout", "300ms"],
			["--workload", "k8s-create", "--members", "5"],
			[...endpoints, "--api", "etcd", ...hooks, "--nemesis", "kill", "--request-timeout", "3s"],
			["--matrix", "x", "--jobs", "2", "--sample", "3", "--network-target", "netns", "--serializable-reads"],
			["--matrix", "x", ...endpoints, ...hooks, "--nemesis", "kill"],
			["--matrix", "x", "--target", "etcd", "--members", "4"],
		]) {
			assert.equal(complaint(...argv), undefined, argv.join(" "));
		}
	});

	it("are refused where they would not count", () => {
		for (const [argv, expected] of [
			[["--kill-hook", "true"], "--kill-hook is for --target endpoints"],
			[["--api", "etcd"], "--api is for --target endpoints"],
			[[...endpoints, "--members", "5"], "--members is for clusters that are started here, not for --target endpoints"],
			[["--etcd", "/opt/etcd"], "--etcd is for --system etcd"],
			[["--jobs", "2"], "--jobs is for --matrix"],
			[["--sample", "2"], "--sample is for --matrix"],
			[["--matrix", "x", "--report", "x.html"], "--report is for a single run, not for --matrix"],
			[["--matrix", "x", "--workload", "kv"], "--workload is for a single run, not for --matrix"],
			[
				["--workload", "k8s-create", "--serializable-reads"],
				"--serializable-reads is for workloads over the store, not for those over the Kubernetes API",
			],
			[["--time", "0s"], "--time must be more than 0"],
			[["--time", "-5s"], "--time must be more than 0"],
		] as const) {
			assert.equal(complaint(...argv), expected);
		}
	});

	it("are refused where the run could only fail", () => {
		for (const [argv, expected] of [
			[
				["--target", "netns", "--members", "2", "--nemesis", "bridge"],
				/--nemesis bridge: it takes at least \d members/,
			],
			[["--matrix", "x", "--members", "1"], /it takes at least \d members/],
			[["--matrix", "x", "--members", "4"], /1, 3 or 5 masters, not 4/],
			[["--matrix", "x", "--target", "endpoints", "--nemesis", "kill"], /needs --endpoints/],
			[["--matrix", "x", ...endpoints, "--nemesis", "kill"], /needs --kill-hook/],
			[["--matrix", "x", ...endpoints, ...hooks, "--nemesis", "pause"], /endpoints can only be killed/],
		] as const) {
			assert.match(complaint(...argv) ?? "nothing", expected, argv.join(" "));
		}
	});

	it("plan nothing in a store of others that must be fresh, or be a whole cluster", () => {
		const names = (pairs: readonly { readonly workload: string }[]) => pairs.map(({ workload }) => workload);
		const there = names(allPairs({ target: "endpoints", system: "store" }, "docker", ["kill"]));
		assert.ok(there.includes("register") && !there.includes("kv") && !there.includes("k8s-create"), there.join());
		const here = names(allPairs({ target: "processes", system: "store" }, "docker", [...faults.keys()]));
		assert.ok(here.includes("kv") && here.includes("k8s-create"));
		const etcd = names(allPairs({ target: "processes", system: "etcd" }, "docker", ["kill"]));
		assert.ok(etcd.includes("kv") && !etcd.includes("k8s-create"));
	});
});
