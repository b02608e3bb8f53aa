import assert from "node:assert/strict";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, Pod, PodSpec } from "../../apiserver/scheme/types.gen.ts";
import { ConfigError } from "./env.ts";
import type { Abilities } from "./runtime/types.ts";
import { privilegesOf, volumeOwnerOf } from "./security.ts";

const root: Abilities = { isolation: true, noNewPrivileges: true, uid: 0, gid: 0 };
const person: Abilities = { isolation: false, noNewPrivileges: true, uid: 1000, gid: 1000 };

const podOf = (spec: Partial<PodSpec>): KubeObject<Pod> => ({
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name: "p", namespace: "n", uid: "u" },
	spec: { containers: [{ name: "c" }], ...spec },
});
const asked = (
	securityContext: Container["securityContext"],
	abilities: Abilities,
	spec: Partial<PodSpec> = {},
	container: Partial<Container> = {},
) => privilegesOf(podOf(spec), { name: "c", ...container, securityContext }, abilities);

function refuses(why: RegExp, ...of: Parameters<typeof asked>): void {
	assert.throws(
		() => asked(...of),
		(error) => error instanceof ConfigError && why.test(error.message),
	);
}

describe("kubelet: security contexts", () => {
	it("takes user, groups and rights from the container, then from the pod", () => {
		const pod = { runAsUser: 10, runAsGroup: 11, supplementalGroups: [12], fsGroup: 13 };
		const { user } = asked({ runAsUser: 20 }, root, { securityContext: pod });
		assert.deepEqual(user, { uid: 20, gid: 11, groups: [12, 13] });
		assert.deepEqual(asked({ runAsUser: 20 }, root).user, { uid: 20, gid: 0, groups: [] });
		assert.equal(asked({}, root).user, undefined);
		const drop = { capabilities: { drop: ["ALL"], add: ["CAP_NET_RAW", "net_admin"] } };
		assert.equal(asked(drop, root).capabilities, "-all,+net_raw,+net_admin");
		assert.equal(asked({ ...drop, privileged: true }, root).capabilities, undefined);
	});

	it("says as upstream that a root user breaks runAsNonRoot", () => {
		refuses(
			/^container has runAsNonRoot and image will run as root \(pod: "p_n\(u\)", container: c\)$/,
			{ runAsNonRoot: true },
			root,
		);
		refuses(
			/^container's runAsUser breaks non-root policy \(pod: "p_n\(u\)", container: c\)$/,
			{ runAsUser: 0 },
			root,
			{
				securityContext: { runAsNonRoot: true },
			},
		);
		assert.equal(asked({ runAsNonRoot: true }, person).user, undefined);
		assert.equal(asked({ runAsNonRoot: false }, root, { securityContext: { runAsNonRoot: true } }).user, undefined);
	});

	it("runs a pod of the restricted level, for root and for a person", () => {
		const restricted = {
			allowPrivilegeEscalation: false,
			runAsNonRoot: true,
			capabilities: { drop: ["ALL"] },
			seccompProfile: { type: "RuntimeDefault" },
		};
		assert.equal(asked(restricted, person).noNewPrivileges, true);
		assert.equal(asked({ ...restricted, runAsUser: 5 }, root).capabilities, "-all");
	});

	it("refuses what it cannot keep, by name", () => {
		for (const abilities of [root, person]) {
			refuses(/^securityContext.seccompProfile is not supported/, { seccompProfile: { type: "Localhost" } }, abilities);
			refuses(/^securityContext.appArmorProfile /, { appArmorProfile: { type: "Localhost" } }, abilities);
			refuses(/^securityContext.seLinuxOptions /, { seLinuxOptions: { level: "s0" } }, abilities);
			refuses(/^securityContext.windowsOptions /, { windowsOptions: {} }, abilities);
			refuses(/^capability "FLY" /, { capabilities: { add: ["FLY"] } }, abilities);
			refuses(/^securityContext.sysctls /, {}, abilities, {
				securityContext: { sysctls: [{ name: "a", value: "b" }] },
			});
			refuses(/^hostUsers: false /, {}, abilities, { hostUsers: false });
			const mount = (of: object) => ({ volumeMounts: [{ name: "v", mountPath: "/v", ...of }] });
			refuses(/^mountPropagation: Bidirectional /, {}, abilities, {}, mount({ mountPropagation: "Bidirectional" }));
			refuses(/^recursiveReadOnly: Enabled /, {}, abilities, {}, mount({ recursiveReadOnly: "Enabled" }));
			refuses(/^volumeDevices /, {}, abilities, {}, { volumeDevices: [{ name: "v", devicePath: "/dev/v" }] });
		}
		refuses(/^securityContext.runAsUser: 5 .*runs as root/, { runAsUser: 5 }, person);
		refuses(/^securityContext.runAsGroup: 5 /, { runAsGroup: 5 }, person);
		refuses(/^securityContext.readOnlyRootFilesystem /, { readOnlyRootFilesystem: true }, person);
		refuses(/^securityContext.privileged /, { privileged: true }, person);
		refuses(/^securityContext.fsGroup /, {}, person, { securityContext: { fsGroup: 5 } });
		refuses(/^capabilities.add: NET_RAW /, { capabilities: { add: ["NET_RAW"] } }, person);
		refuses(
			/^securityContext.allowPrivilegeEscalation: false /,
			{ allowPrivilegeEscalation: false },
			{ ...person, noNewPrivileges: false },
		);
		const readOnly = { volumeMounts: [{ name: "v", mountPath: "/v", readOnly: true }] };
		refuses(
			/^readOnly of a hostPath volume /,
			{},
			person,
			{ volumes: [{ name: "v", hostPath: { path: "/" } }] },
			readOnly,
		);
		assert.equal(asked({}, person, { volumes: [{ name: "v", secret: {} }] }, readOnly).user, undefined);
	});

	it("gives volumes to the one user of all containers, and to the group", () => {
		const containers = [{ name: "a", securityContext: { runAsUser: 5 } }, { name: "b" }];
		assert.deepEqual(volumeOwnerOf(podOf({ containers, securityContext: { runAsUser: 5 } })), { uid: 5 });
		assert.deepEqual(volumeOwnerOf(podOf({ containers, securityContext: { fsGroup: 6 } })), { gid: 6 });
	});
});
