/** ServiceAccount: every pod runs as one that exists, and gets its token mounted. */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import { automountedExpirationSeconds } from "../authn/issuer.ts";
import { generateName } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import { isMirrorPod, podReferences } from "../scheme/podrefs.ts";
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from "../scheme/types.gen.ts";
import { type AdmissionAttributes, type AdmissionLookups, type AdmissionPlugin, isResource, refuse } from "./types.ts";

const defaultAccount = "default";
const volumePrefix = "kube-api-access-";
const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const enforceAnnotation = "kubernetes.io/enforce-mountable-secrets";
/** The default account of a new namespace is made by a controller: this many looks before a pod is refused. */
const defaultAccountAttempts = 10;

export interface ServiceAccountAdmissionOptions {
	readonly clock: Clock;
	readonly random: Random;
}

function refuseMirrorPod(a: AdmissionAttributes, pod: Pod): void {
	if ((pod.spec?.serviceAccountName ?? "") !== "") throw refuse(a, "a mirror pod may not reference service accounts");
	if (podReferences(pod).secrets.size > 0) throw refuse(a, "a mirror pod may not reference secrets");
	for (const volume of pod.spec?.volumes ?? []) {
		const holdsToken = volume.projected?.sources?.some((s) => s.serviceAccountToken !== undefined) === true;
		if (holdsToken) {
			throw refuse(a, "a mirror pod may not use ServiceAccountToken volume projections");
		}
	}
}

function tokenVolume(name: string): Volume {
	return {
		name,
		projected: {
			defaultMode: 0o644,
			sources: [
				{ serviceAccountToken: { path: "token", expirationSeconds: automountedExpirationSeconds } },
				{ configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
				{
					downwardAPI: {
						items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
					},
				},
			],
		},
	};
}

/** Mounts the token into every container that has nothing at its place yet. */
function mountToken(spec: PodSpec, random: Random): void {
	const existing = spec.volumes?.find((v) => v.name?.startsWith(volumePrefix) === true);
	let name = existing?.name ?? generateName(volumePrefix, random);
	while (existing === undefined && spec.volumes?.some((v) => v.name === name))
		name = generateName(volumePrefix, random);
	let needed = false;
	const mount = (container: Container) => {
		if (container.volumeMounts?.some((m) => m.mountPath === mountPath) === true) return;
		container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
		needed = true;
	};
	for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) mount(container);
	if (needed && existing === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

/** Parses as Go's strconv.ParseBool. */
const isTrue = (text: string | undefined) => ["1", "t", "T", "TRUE", "true", "True"].includes(text ?? "");

/** Where the account says so, its pods may use only the secrets it names. */
function limitSecrets(a: AdmissionAttributes, account: ServiceAccount, spec: PodSpec): void {
	if (!isTrue(account.metadata?.annotations?.[enforceAnnotation])) return;
	const mountable = new Set((account.secrets ?? []).map((s) => s.name));
	const name = account.metadata?.name;
	for (const volume of spec.volumes ?? []) {
		const secret = volume.secret?.secretName;
		if (secret !== undefined && !mountable.has(secret)) {
			throw refuse(
				a,
				`volume with secret.secretName=${JSON.stringify(secret)} is not allowed because service account ${name} does not reference that secret`,
			);
		}
	}
	const kinds = [
		["init container", spec.initContainers],
		["container", spec.containers],
	] as const;
	for (const [kind, containers] of kinds) {
		for (const container of containers ?? []) limitContainerSecrets(a, kind, container, mountable, `${name}`);
	}
	const pullable = new Set((account.imagePullSecrets ?? []).map((s) => s.name));
	(spec.imagePullSecrets ?? []).forEach((secret, i) => {
		if (!pullable.has(secret.name)) {
			throw refuse(
				a,
				`imagePullSecrets[${i}].name=${JSON.stringify(secret.name)} is not allowed because service account ${name} does not reference that imagePullSecret`,
			);
		}
	});
}

function limitContainerSecrets(
	a: AdmissionAttributes,
	kind: string,
	container: Container,
	mountable: ReadonlySet<string | undefined>,
	account: string,
): void {
	const why = (what: string, secret: string | undefined) =>
		refuse(
			a,
			`${kind} ${container.name} with ${what} referencing secret.secretName=${JSON.stringify(secret)} is not allowed because service account ${account} does not reference that secret`,
		);
	for (const variable of container.env ?? []) {
		const ref = variable.valueFrom?.secretKeyRef;
		if (ref !== undefined && !mountable.has(ref.name)) throw why(`envVar ${variable.name}`, ref.name);
	}
	for (const source of container.envFrom ?? []) {
		const ref = source.secretRef;
		if (ref !== undefined && !mountable.has(ref.name)) throw why("envFrom", ref.name);
	}
}

export function serviceAccountAdmission(options: ServiceAccountAdmissionOptions): AdmissionPlugin {
	const { clock, random } = options;

	async function findAccount(a: AdmissionAttributes, name: string, lookups: AdmissionLookups) {
		const attempts = name === defaultAccount ? defaultAccountAttempts : 1;
		const pause = 100 + random.int(100);
		for (let i = 0; i < attempts; i++) {
			if (i > 0) await sleep(clock, pause);
			const account = await lookups.serviceAccount(a.namespace, name);
			if (account !== undefined) return account;
		}
		throw refuse(
			a,
			`error looking up service account ${a.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
		);
	}

	return {
		name: "ServiceAccount",
		async mutate(a, lookups) {
			if (a.operation !== "CREATE" || !isResource(a, "", "pods") || a.object === undefined) return;
			const pod = a.object as KubeObject<Pod>;
			if (isMirrorPod(pod as Pod)) {
				refuseMirrorPod(a, pod as Pod);
				return;
			}
			const spec = (pod.spec ??= {});
			const name = spec.serviceAccountName || spec.serviceAccount || defaultAccount;
			spec.serviceAccountName = name;
			// The field's old name says the same.
			spec.serviceAccount = name;
			const account = await findAccount(a, name, lookups);
			if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec, random);
			if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
				spec.imagePullSecrets = (account.imagePullSecrets ?? []).map((s) => ({ ...s }));
			}
		},
		async validate(a, lookups) {
			if (a.operation !== "CREATE" || !isResource(a, "", "pods") || a.object === undefined) return;
			const pod = a.object as unknown as Pod;
			if (isMirrorPod(pod)) {
				refuseMirrorPod(a, pod);
				return;
			}
			const name = pod.spec?.serviceAccountName ?? "";
			if (name === "")
				throw refuse(a, `no service account specified for pod ${a.namespace}/${pod.metadata?.name ?? ""}`);
			limitSecrets(a, await findAccount(a, name, lookups), pod.spec ?? {});
		},
	};
}
