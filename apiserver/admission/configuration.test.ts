import assert from "node:assert/strict";
import { readAdmissionConfiguration } from "./configuration.ts";
import { podSecurityConfiguration } from "./podsecurity/configuration.ts";
import { existingPodWarnings } from "./podsecurity/existing.ts";
import { policyOf } from "./podsecurity/policy.ts";

const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n";
const podSecurity = { apiVersion: "pod-security.admission.config.k8s.io/v1", kind: "PodSecurityConfiguration" };

const readFrom = (files: Record<string, string>) =>
	readAdmissionConfiguration("/etc/admission.yaml", (file) => {
		const text = files[file];
		return text === undefined ? Promise.reject(new Error(`no file ${file}`)) : Promise.resolve(text);
	});

describe("the admission configuration file", () => {
	it("holds configurations, or names files beside it", async () => {
		const found = await readFrom({
			"/etc/admission.yaml": `${head}plugins:\n- name: PodSecurity\n  path: ps.yaml\n- name: Other\n  configuration: {a: 1}\n- name: Empty\n`,
			"/etc/ps.yaml": JSON.stringify(podSecurity),
		});
		assert.deepEqual(
			[...found],
			[
				["PodSecurity", podSecurity],
				["Other", { a: 1 }],
				["Empty", undefined],
			],
		);
	});
	const wrong: [string, string, RegExp][] = [
		["another kind", "apiVersion: v1\nkind: Pod\n", /must be an AdmissionConfiguration .*, not Pod of v1/],
		["no YAML", "a: [", /: \/etc\/admission.yaml: yaml: /],
		["a list", "[]", /must be an object/],
		["an unknown field", `${head}plugin: []\n`, /unknown field "plugin"/],
		["plugins that are no list", `${head}plugins: {}\n`, /plugins must be a list/],
		["a plugin without a name", `${head}plugins: [{}]\n`, /plugins\[0\]: name is required/],
		["a plugin twice", `${head}plugins: [{name: A}, {name: A}]\n`, /plugin "A" is configured twice/],
		["a file that is not there", `${head}plugins: [{name: A, path: b.yaml}]\n`, /no file \/etc\/b.yaml/],
	];
	for (const [title, text, message] of wrong) {
		it(`is refused with ${title}`, () => assert.rejects(readFrom({ "/etc/admission.yaml": text }), message));
	}
});

describe("Pod Security's configuration", () => {
	it("allows everything where it says nothing", () => {
		const { defaults, exemptions } = podSecurityConfiguration(undefined);
		assert.deepEqual(defaults.enforce, { level: "privileged", version: "latest" });
		assert.equal(exemptions.namespaces.size, 0);
	});
	const wrong: [string, object, RegExp][] = [
		["another kind", { kind: "Pod" }, /must be a PodSecurityConfiguration/],
		["an unknown field", { ...podSecurity, default: {} }, /unknown field "default"/],
		["a level", { ...podSecurity, defaults: { warn: "strict" } }, /defaults.warn: "strict" must be one of/],
		["a version", { ...podSecurity, defaults: { "audit-version": "1.2" } }, /defaults.audit-version: "1.2" must be/],
		["an empty user", { ...podSecurity, exemptions: { usernames: [""] } }, /usernames\[0\]: "": username must not/],
		["a namespace", { ...podSecurity, exemptions: { namespaces: ["A"] } }, /namespaces\[0\]: "A": a lowercase/],
		["duplicates", { ...podSecurity, exemptions: { runtimeClasses: ["a", "a"] } }, /runtimeClasses\[1\].*duplicate/],
		["no list", { ...podSecurity, exemptions: { usernames: "x" } }, /exemptions.usernames must be a list/],
	];
	for (const [title, document, message] of wrong) {
		it(`is refused for ${title}`, () => assert.throws(() => podSecurityConfiguration(document), message));
	}
	it("enforces the strictest where a label cannot be read, and tells nothing by it", () => {
		const { defaults } = podSecurityConfiguration(undefined);
		const labels = { "pod-security.kubernetes.io/enforce": "x", "pod-security.kubernetes.io/warn": "y" };
		const { policy, errors } = policyOf(labels, defaults);
		assert.deepEqual([policy.enforce.level, policy.warn.level, errors.length], ["restricted", "privileged", 2]);
	});
});

describe("existing pods", () => {
	const pod = (name: string, controller?: string) => ({
		metadata: {
			name,
			...(controller === undefined
				? {}
				: { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: controller, controller: true }] }),
		},
		spec: { hostPID: true, containers: [{ name: "c", image: "i" }] },
	});
	it("are looked at up to a limit, one of each controller first, some in each turn of the loop", async () => {
		let turns = 0;
		let counting = true;
		const count = () => {
			turns++;
			if (counting) setImmediate(count);
		};
		setImmediate(count);
		const many = Array.from({ length: 3500 }, (_, i) => pod(`many-${String(i).padStart(4, "0")}`, "one"));
		const single = { ...pod("single"), spec: { hostIPC: true, hostPID: true } };
		const warnings = await existingPodWarnings(
			"ns",
			{ level: "baseline", version: "latest" },
			[...many, single],
			new Set(),
		);
		assert.deepEqual(warnings, [
			"new PodSecurity enforce level only checked against the first 3000 of 3501 existing pods",
			'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
			"many-0000 (and 2999 other pods): host namespaces",
		]);
		counting = false;
		assert.ok(turns > 60, `others had ${turns} turns`);
	});
	it("of exempt runtime classes are not", async () => {
		const fast = { ...pod("p"), spec: { ...pod("p").spec, runtimeClassName: "fast" } };
		const policy = { level: "baseline", version: "latest" } as const;
		assert.deepEqual(await existingPodWarnings("ns", policy, [fast], new Set(["fast"])), []);
	});
});
