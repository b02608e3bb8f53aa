/** Containers: names, images, ports, environment, resources, probes, mounts. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import {
	configMapKeyProblems,
	dns1123LabelProblems,
	dns1123SubdomainProblems,
	envNameProblems,
	httpHeaderProblems,
	portNameProblems,
	qualifiedNameProblems,
} from "../../machinery/names.ts";
import { compareQuantities, parseQuantity } from "../../machinery/quantity.ts";
import type {
	Container,
	EnvVar,
	EnvVarSource,
	HTTPGetAction,
	Probe,
	ResourceRequirements,
	SecurityContext,
	VolumeMount,
} from "../types.gen.ts";
import {
	each,
	nonNegative,
	oneOf,
	portNumber,
	portNumberOrName,
	positive,
	problems,
	required,
	requiredOneOf,
	unique,
} from "./common.ts";

/** What containers are judged against. */
export interface PodFacts {
	readonly volumes: ReadonlySet<string>;
	readonly gracePeriodSeconds: number | undefined;
	readonly restartPolicy: string | undefined;
}

const pullPolicies = ["Always", "IfNotPresent", "Never"];
const protocols = ["TCP", "UDP", "SCTP"];
const standardContainerResources: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);
const overcommittable = (name: string) => !name.startsWith("hugepages-") && !name.includes("/");

function ports(path: string, container: Container): FieldError[] {
	const names = new Set<string>();
	return each(path, container.ports, (at, port) => {
		const errors: FieldError[] = [];
		if (port.name !== undefined) {
			const reasons = portNameProblems(port.name);
			if (reasons.length > 0) append(errors, problems(`${at}.name`, port.name, reasons));
			else if (names.has(port.name)) errors.push(fieldDuplicate(`${at}.name`, port.name));
			else names.add(port.name);
		}
		if (!port.containerPort) errors.push(fieldRequired(`${at}.containerPort`));
		else append(errors, portNumber(`${at}.containerPort`, port.containerPort));
		if (port.hostPort) append(errors, portNumber(`${at}.hostPort`, port.hostPort));
		append(errors, requiredOneOf(`${at}.protocol`, port.protocol, protocols));
		return errors;
	});
}

const downwardEnv = [
	"metadata.name",
	"metadata.namespace",
	"metadata.uid",
	"spec.nodeName",
	"spec.serviceAccountName",
	"status.hostIP",
	"status.hostIPs",
	"status.podIP",
	"status.podIPs",
];

function fieldPath(path: string, value: string, supported: readonly string[]): FieldError[] {
	if (supported.includes(value) || /^metadata\.(labels|annotations)\['.+'\]$/.test(value)) return [];
	return [fieldNotSupported(path, value, [...supported].sort())];
}

function envSource(path: string, variable: EnvVar, from: EnvVarSource): FieldError[] {
	const errors: FieldError[] = [];
	let sources = 0;
	if (from.fieldRef !== undefined) {
		sources++;
		if (!from.fieldRef.fieldPath) errors.push(fieldRequired(`${path}.fieldRef.fieldPath`));
		else append(errors, fieldPath(`${path}.fieldRef.fieldPath`, from.fieldRef.fieldPath, downwardEnv));
	}
	if (from.resourceFieldRef !== undefined) {
		sources++;
		append(errors, required(`${path}.resourceFieldRef.resource`, from.resourceFieldRef.resource));
	}
	for (const name of ["configMapKeyRef", "secretKeyRef"] as const) {
		const ref = from[name];
		if (ref === undefined) continue;
		sources++;
		if (!ref.key) errors.push(fieldRequired(`${path}.${name}.key`));
		else append(errors, problems(`${path}.${name}.key`, ref.key, configMapKeyProblems(ref.key)));
	}
	if (from.fileKeyRef !== undefined) sources++;
	if (sources === 0) {
		errors.push(
			fieldInvalid(
				path,
				"",
				"must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
			),
		);
	} else if (variable.value) {
		errors.push(fieldInvalid(path, "", "may not be specified when `value` is not empty"));
	} else if (sources > 1) {
		errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
	}
	return errors;
}

function env(path: string, variables: readonly EnvVar[] | undefined): FieldError[] {
	return each(path, variables, (at, variable) => {
		const errors: FieldError[] = [];
		if (!variable.name) errors.push(fieldRequired(`${at}.name`));
		else append(errors, problems(`${at}.name`, variable.name, envNameProblems(variable.name)));
		if (variable.valueFrom !== undefined) append(errors, envSource(`${at}.valueFrom`, variable, variable.valueFrom));
		return errors;
	});
}

function envFrom(path: string, container: Container): FieldError[] {
	return each(path, container.envFrom, (at, source) => {
		const errors: FieldError[] = [];
		if (source.prefix) append(errors, problems(`${at}.prefix`, source.prefix, envNameProblems(source.prefix)));
		const given = (["configMapRef", "secretRef"] as const).filter((name) => source[name] !== undefined);
		for (const name of given) {
			const refName = source[name]?.name;
			if (!refName) errors.push(fieldRequired(`${at}.${name}.name`));
			else append(errors, problems(`${at}.${name}.name`, refName, dns1123SubdomainProblems(refName)));
		}
		if (given.length === 0) errors.push(fieldInvalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
		if (given.length > 1) errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
		return errors;
	});
}

function resourceName(path: string, name: string): FieldError[] {
	const errors = problems(path, name, qualifiedNameProblems(name));
	if (errors.length > 0) return errors;
	if (!name.includes("/") && !standardContainerResources.has(name) && !name.startsWith("hugepages-")) {
		return [
			fieldInvalid(path, name, "must be a standard resource type or fully qualified"),
			fieldInvalid(path, name, "must be a standard resource for containers"),
		];
	}
	return [];
}

/** Amounts of a resource list: not negative, and whole where the resource cannot be divided. */
export function resourceAmounts(path: string, list: Readonly<Record<string, string>> | undefined): FieldError[] {
	return Object.entries(list ?? {}).flatMap(([name, text]) => {
		const quantity = parseQuantity(text);
		if (quantity.nano < 0n) return [fieldInvalid(`${path}[${name}]`, text, "must be greater than or equal to 0")];
		if (name.includes("/") && quantity.nano % 1_000_000_000n !== 0n) {
			return [fieldInvalid(`${path}[${name}]`, text, "must be an integer")];
		}
		return [];
	});
}

export function resources(path: string, requirements: ResourceRequirements | undefined): FieldError[] {
	const limits = requirements?.limits ?? {};
	const requests = requirements?.requests ?? {};
	const errors: FieldError[] = [];
	for (const name of Object.keys(limits)) append(errors, resourceName(`${path}.limits`, name));
	append(errors, resourceAmounts(`${path}.limits`, limits));
	for (const [name, text] of Object.entries(requests)) {
		append(errors, resourceName(`${path}.requests`, name));
		const limit = limits[name];
		if (limit === undefined) {
			if (!overcommittable(name))
				errors.push(fieldRequired(`${path}.limits`, "Limit must be set for non overcommitable resources"));
			continue;
		}
		const order = compareQuantities(parseQuantity(text), parseQuantity(limit));
		if (order !== 0 && !overcommittable(name)) {
			errors.push(fieldInvalid(`${path}.requests`, text, `must be equal to ${name} limit of ${limit}`));
		} else if (order > 0) {
			errors.push(fieldInvalid(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limit}`));
		}
	}
	append(errors, resourceAmounts(`${path}.requests`, requests));
	return errors;
}

interface AnyHandler {
	readonly exec?: { command?: string[] | undefined } | undefined;
	readonly httpGet?: HTTPGetAction | undefined;
	readonly tcpSocket?: { port?: number | string | undefined } | undefined;
	readonly grpc?: { port?: number | undefined } | undefined;
	readonly sleep?: { seconds?: number | undefined } | undefined;
}

function httpGet(path: string, action: HTTPGetAction): FieldError[] {
	return [
		...required(`${path}.path`, action.path),
		...portNumberOrName(`${path}.port`, action.port),
		...oneOf(`${path}.scheme`, action.scheme, ["HTTP", "HTTPS"]),
		...(action.httpHeaders ?? []).flatMap((header) =>
			problems(`${path}.httpHeaders`, header.name, httpHeaderProblems(header.name ?? "")),
		),
	];
}

/** Exactly one way to act. */
function handler(path: string, given: AnyHandler, pod: PodFacts): FieldError[] {
	const checks: Record<string, () => FieldError[]> = {
		exec: () => ((given.exec?.command?.length ?? 0) === 0 ? [fieldRequired(`${path}.exec.command`)] : []),
		httpGet: () => httpGet(`${path}.httpGet`, given.httpGet ?? {}),
		tcpSocket: () => portNumberOrName(`${path}.tcpSocket.port`, given.tcpSocket?.port),
		grpc: () => portNumberOrName(`${path}.grpc.port`, given.grpc?.port),
		sleep: () => {
			const seconds = given.sleep?.seconds ?? 0;
			const grace = pod.gracePeriodSeconds;
			if (grace === undefined || (seconds >= 0 && seconds <= grace)) return [];
			return [
				fieldInvalid(
					`${path}.sleep`,
					seconds,
					`must be non-negative and less than terminationGracePeriodSeconds (${grace})`,
				),
			];
		},
	};
	const names = Object.keys(checks).filter((name) => given[name as keyof AnyHandler] !== undefined);
	const [first, ...others] = names;
	if (first === undefined) return [fieldRequired(path, "must specify a handler type")];
	return [
		...(checks[first]?.() ?? []),
		...others.map((name) => fieldForbidden(`${path}.${name}`, "may not specify more than 1 handler type")),
	];
}

function probe(
	path: string,
	given: Probe | undefined,
	pod: PodFacts,
	kind: "liveness" | "readiness" | "startup",
): FieldError[] {
	if (given === undefined) return [];
	const errors = handler(path, given, pod);
	for (const name of [
		"initialDelaySeconds",
		"timeoutSeconds",
		"periodSeconds",
		"successThreshold",
		"failureThreshold",
	] as const) {
		append(errors, nonNegative(`${path}.${name}`, given[name]));
	}
	append(errors, positive(`${path}.terminationGracePeriodSeconds`, given.terminationGracePeriodSeconds));
	if (kind !== "readiness") {
		if ((given.successThreshold ?? 1) !== 1) {
			errors.push(fieldInvalid(`${path}.successThreshold`, given.successThreshold, "must be 1"));
		}
	} else if (given.terminationGracePeriodSeconds !== undefined) {
		errors.push(
			fieldInvalid(
				`${path}.terminationGracePeriodSeconds`,
				given.terminationGracePeriodSeconds,
				"must not be set for readinessProbes",
			),
		);
	}
	return errors;
}

/** A path below a directory, not leaving it. */
export function localPath(path: string, value: string): FieldError[] {
	if (value.startsWith("/")) return [fieldInvalid(path, value, "must be a relative path")];
	if (value.split("/").includes("..")) return [fieldInvalid(path, value, "must not contain '..'")];
	return [];
}

function mounts(path: string, given: readonly VolumeMount[] | undefined, pod: PodFacts): FieldError[] {
	const paths = new Set<string>();
	return each(path, given, (at, mount) => {
		const errors: FieldError[] = [];
		if (!mount.name) errors.push(fieldRequired(`${at}.name`));
		else if (!pod.volumes.has(mount.name)) {
			errors.push({
				type: "FieldValueNotFound",
				field: `${at}.name`,
				message: `Not found: ${JSON.stringify(mount.name)}`,
			});
		}
		if (!mount.mountPath) errors.push(fieldRequired(`${at}.mountPath`));
		else if (paths.has(mount.mountPath)) {
			errors.push(fieldInvalid(`${at}.mountPath`, mount.mountPath, "must be unique"));
		}
		paths.add(mount.mountPath ?? "");
		if (mount.subPath) append(errors, localPath(`${at}.subPath`, mount.subPath));
		if (mount.subPathExpr) {
			if (mount.subPath)
				errors.push(
					fieldInvalid(`${at}.subPathExpr`, mount.subPathExpr, "subPathExpr and subPath are mutually exclusive"),
				);
			append(errors, localPath(`${at}.subPathExpr`, mount.subPathExpr));
		}
		append(
			errors,
			oneOf(`${at}.mountPropagation`, mount.mountPropagation, ["Bidirectional", "HostToContainer", "None"]),
		);
		return errors;
	});
}

function securityContext(path: string, context: SecurityContext | undefined): FieldError[] {
	if (context === undefined) return [];
	const errors = [
		...nonNegative(`${path}.runAsUser`, context.runAsUser),
		...nonNegative(`${path}.runAsGroup`, context.runAsGroup),
		...oneOf(`${path}.procMount`, context.procMount, ["Default", "Unmasked"]),
	];
	if (context.allowPrivilegeEscalation === false) {
		if (context.privileged) {
			errors.push(
				fieldInvalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
			);
		}
		if (context.capabilities?.add?.some((c) => c === "CAP_SYS_ADMIN")) {
			errors.push(
				fieldInvalid(
					path,
					context,
					"cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
				),
			);
		}
	}
	return errors;
}

/** What holds for containers of every role. */
function common(path: string, container: Container, pod: PodFacts): FieldError[] {
	const errors: FieldError[] = [];
	if (!container.name) errors.push(fieldRequired(`${path}.name`));
	else append(errors, problems(`${path}.name`, container.name, dns1123LabelProblems(container.name)));
	if (!container.image?.trim()) errors.push(fieldRequired(`${path}.image`));
	else if (container.image.trim() !== container.image) {
		errors.push(fieldInvalid(`${path}.image`, container.image, "must not have leading or trailing whitespace"));
	}
	append(
		errors,
		requiredOneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
			"FallbackToLogsOnError",
			"File",
		]),
	);
	append(errors, ports(`${path}.ports`, container));
	append(errors, env(`${path}.env`, container.env));
	append(errors, envFrom(`${path}.envFrom`, container));
	append(errors, mounts(`${path}.volumeMounts`, container.volumeMounts, pod));
	append(errors, requiredOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, pullPolicies));
	append(errors, resources(`${path}.resources`, container.resources));
	append(errors, securityContext(`${path}.securityContext`, container.securityContext));
	return errors;
}

function probes(path: string, container: Container, pod: PodFacts): FieldError[] {
	const errors: FieldError[] = [];
	const { lifecycle } = container;
	if (lifecycle?.postStart !== undefined)
		append(errors, handler(`${path}.lifecycle.postStart`, lifecycle.postStart, pod));
	if (lifecycle?.preStop !== undefined) append(errors, handler(`${path}.lifecycle.preStop`, lifecycle.preStop, pod));
	append(errors, probe(`${path}.livenessProbe`, container.livenessProbe, pod, "liveness"));
	append(errors, probe(`${path}.readinessProbe`, container.readinessProbe, pod, "readiness"));
	append(errors, probe(`${path}.startupProbe`, container.startupProbe, pod, "startup"));
	return errors;
}

function initContainer(path: string, container: Container, pod: PodFacts): FieldError[] {
	const errors = common(path, container, pod);
	append(errors, oneOf(`${path}.restartPolicy`, container.restartPolicy, ["Always"]));
	if (container.restartPolicy === "Always") return [...errors, ...probes(path, container, pod)];
	for (const name of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
		if (container[name] === undefined) continue;
		errors.push(fieldForbidden(`${path}.${name}`, "may not be set for init containers without restartPolicy=Always"));
	}
	return errors;
}

function hostPorts(path: string, containers: readonly Container[]): FieldError[] {
	const seen = new Set<string>();
	const errors: FieldError[] = [];
	for (const [i, container] of containers.entries()) {
		for (const [k, port] of (container.ports ?? []).entries()) {
			if (!port.hostPort) continue;
			const key = `${port.protocol ?? ""}/${port.hostIP ?? ""}/${port.hostPort}`;
			if (seen.has(key)) errors.push(fieldDuplicate(`${path}[${i}].ports[${k}].hostPort`, key));
			seen.add(key);
		}
	}
	return errors;
}

/** All containers of a pod's spec, whose path is `path`. */
export function containers(
	path: string,
	spec: { containers?: Container[] | undefined; initContainers?: Container[] | undefined },
	pod: PodFacts,
): FieldError[] {
	const regular = spec.containers ?? [];
	const init = spec.initContainers ?? [];
	const errors: FieldError[] = [];
	if (regular.length === 0) errors.push(fieldRequired(`${path}.containers`));
	append(
		errors,
		each(`${path}.containers`, regular, (at, container) => [
			...common(at, container, pod),
			...probes(at, container, pod),
			...(container.restartPolicy === undefined
				? []
				: [fieldForbidden(`${at}.restartPolicy`, "may not be set for non-init containers")]),
		]),
	);
	append(
		errors,
		unique(
			regular,
			(c) => c.name,
			(i) => `${path}.containers[${i}].name`,
		),
	);
	append(errors, hostPorts(`${path}.containers`, regular));
	append(
		errors,
		each(`${path}.initContainers`, init, (at, container) => initContainer(at, container, pod)),
	);
	const names = new Set(regular.map((c) => c.name));
	for (const [i, container] of init.entries()) {
		if (container.name && names.has(container.name)) {
			errors.push(fieldDuplicate(`${path}.initContainers[${i}].name`, container.name));
		}
		names.add(container.name);
	}
	return errors;
}
