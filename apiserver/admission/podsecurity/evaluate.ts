/** Which checks a level has in which version of Kubernetes, and what they find. */
import * as baseline from "./baseline.ts";
import { type Check, type Finding, type Subject, unlessOwnUsers, unlessWindows } from "./check.ts";
import type { LevelVersion } from "./policy.ts";
import * as restricted from "./restricted.ts";

interface Rule {
	/** Findings are told in the order of these names, those of baseline first. */
	readonly id: string;
	/** By the minor version each begins with, in order. */
	readonly since: readonly (readonly [minor: number, check: Check])[];
	/** Of level restricted: a check of baseline that this one includes, where it applies. */
	readonly replaces?: string;
}

const firstSysctls = [
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start",
];
const sysctls27 = [...firstSysctls, "net.ipv4.ip_local_reserved_ports"];
const sysctls29 = [
	...sysctls27,
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
];
const sysctls32 = [...sysctls29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];

const byId = (a: Rule, b: Rule) => (a.id < b.id ? -1 : 1);

const baselineRules: readonly Rule[] = (
	[
		{ id: "appArmorProfile", since: [[0, baseline.appArmorProfile]] },
		{ id: "capabilities_baseline", since: [[0, baseline.capabilitiesBaseline]] },
		{ id: "hostNamespaces", since: [[0, baseline.hostNamespaces]] },
		{ id: "hostPathVolumes", since: [[0, baseline.hostPathVolumes]] },
		{ id: "hostPorts", since: [[0, baseline.hostPorts]] },
		{ id: "hostProbesAndHostLifecycle", since: [[34, baseline.hostProbesAndHostLifecycle]] },
		{ id: "privileged", since: [[0, baseline.privileged]] },
		{
			id: "procMount",
			since: [
				[0, baseline.procMount],
				[35, unlessOwnUsers(baseline.procMount)],
			],
		},
		{
			id: "seLinuxOptions",
			since: [
				[0, baseline.seLinuxOptions()],
				[31, baseline.seLinuxOptions("container_engine_t")],
			],
		},
		{
			id: "seccompProfile_baseline",
			since: [
				[0, baseline.seccompAnnotations],
				[19, baseline.seccompProfileBaseline],
			],
		},
		{
			id: "sysctls",
			since: [
				[0, baseline.sysctls(firstSysctls)],
				[27, baseline.sysctls(sysctls27)],
				[29, baseline.sysctls(sysctls29)],
				[32, baseline.sysctls(sysctls32)],
			],
		},
		{ id: "windowsHostProcess", since: [[0, baseline.windowsHostProcess]] },
	] as Rule[]
).sort(byId);

const restrictedRules: readonly Rule[] = (
	[
		{
			id: "allowPrivilegeEscalation",
			since: [
				[8, restricted.allowPrivilegeEscalation],
				[25, unlessWindows(restricted.allowPrivilegeEscalation)],
			],
		},
		{
			id: "capabilities_restricted",
			since: [
				[22, restricted.capabilitiesRestricted],
				[25, unlessWindows(restricted.capabilitiesRestricted)],
			],
			replaces: "capabilities_baseline",
		},
		{ id: "procMount_restricted", since: [[35, baseline.procMount]], replaces: "procMount" },
		{ id: "restrictedVolumes", since: [[0, restricted.restrictedVolumes]], replaces: "hostPathVolumes" },
		{
			id: "runAsNonRoot",
			since: [
				[0, restricted.runAsNonRoot],
				[35, unlessOwnUsers(restricted.runAsNonRoot)],
			],
		},
		{
			id: "runAsUser",
			since: [
				[23, restricted.runAsUser],
				[35, unlessOwnUsers(restricted.runAsUser)],
			],
		},
		{
			id: "seccompProfile_restricted",
			since: [
				[19, restricted.seccompProfileRestricted],
				[25, unlessWindows(restricted.seccompProfileRestricted)],
			],
			replaces: "seccompProfile_baseline",
		},
	] as Rule[]
).sort(byId);

const checkIn = ({ since }: Rule, minor: number): Check | undefined => since.findLast(([from]) => from <= minor)?.[1];

/** The checks of a level and version, in the order their findings are told. */
export function checksOf({ level, version }: LevelVersion): readonly Check[] {
	const minor = version === "latest" ? Number.POSITIVE_INFINITY : version;
	if (level === "privileged") return [];
	const added = level === "restricted" ? restrictedRules.filter((rule) => checkIn(rule, minor) !== undefined) : [];
	const replaced = new Set(added.map((rule) => rule.replaces));
	const rules = [...baselineRules.filter((rule) => !replaced.has(rule.id)), ...added];
	return rules.flatMap((rule) => checkIn(rule, minor) ?? []);
}

/** Everything about the pod that the policy forbids. */
export const evaluate = (policy: LevelVersion, subject: Subject): readonly Finding[] =>
	checksOf(policy).flatMap((check) => check(subject) ?? []);

/** `hostPort (container "c" uses hostPort 80), privileged (…)`. */
export const tellDetails = (findings: readonly Finding[]): string =>
	findings.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");

/** `hostPort, privileged`. */
export const tellReasons = (findings: readonly Finding[]): string => findings.map((f) => f.reason).join(", ");
