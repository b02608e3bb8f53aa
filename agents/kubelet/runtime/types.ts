/** What the kubelet asks of whatever runs containers; the process and the hollow runtime implement it. */

/** Which parts of a security context a runtime can enforce. */
export interface Abilities {
	/** Containers have mounts, users and capabilities of their own. */
	readonly isolation: boolean;
	/** A program can be kept from gaining rights by what it executes. */
	readonly noNewPrivileges: boolean;
	/** User that containers run as unless the pod says otherwise. */
	readonly uid: number;
	readonly gid: number;
}

export interface User {
	readonly uid: number;
	readonly gid: number;
	/** Supplementary groups. */
	readonly groups: readonly number[];
}

/** As whom a program runs and with what rights. */
export interface Privileges {
	/** Undefined: the runtime's own user. */
	readonly user: User | undefined;
	readonly noNewPrivileges: boolean;
	/** Changes to the bounding set in setpriv's words (`-all,+net_bind_service`); undefined: none. */
	readonly capabilities: string | undefined;
	readonly readOnlyRoot: boolean;
	/** All devices. */
	readonly privileged: boolean;
}

export interface ContainerSpec {
	readonly podUid: string;
	readonly namespace: string;
	readonly podName: string;
	readonly name: string;
	/** 0 for the first start, one more for each restart. */
	readonly attempt: number;
	readonly image: string;
	/** Empty: the image's own entry point. */
	readonly command: readonly string[];
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	readonly workingDir: string | undefined;
	readonly privileges: Privileges;
	/** Where each volume's files are on this machine, by mount path. */
	readonly mounts: ReadonlyArray<{ readonly mountPath: string; readonly hostPath: string; readonly readOnly: boolean }>;
	/** Address the pod's servers should listen on. */
	readonly podIp: string;
	/** Declared container ports, for built-in images that listen. */
	readonly ports: readonly number[];
	readonly annotations: Readonly<Record<string, string>>;
	/** Path of the termination message file, as the container sees it. */
	readonly terminationMessagePath: string;
	/** When a container fails without a termination message, the end of its output is used. */
	readonly terminationMessageFromLogs: boolean;
}

export interface Running {
	readonly phase: "running";
	/** ms since the epoch. */
	readonly startedAt: number;
}

export interface Exited {
	readonly phase: "exited";
	readonly startedAt: number;
	readonly finishedAt: number;
	readonly exitCode: number;
	/** Signal number that ended it, 0 otherwise. */
	readonly signal: number;
	/** `Completed`, `Error`, `ContainerStatusUnknown` ... */
	readonly reason: string;
	readonly message: string;
}

export interface RuntimeContainer {
	/** `process://…`. */
	readonly id: string;
	readonly podUid: string;
	readonly name: string;
	readonly attempt: number;
	readonly image: string;
	readonly state: Running | Exited;
}

/** The image cannot be had or run; the container waits with this reason and is tried again with back-off. */
export class ImageError extends Error {
	override name = "ImageError";
	/** `ErrImagePull`, `InvalidImageName`, `ErrImageNeverPull`. */
	readonly reason: string;

	constructor(reason: string, message: string) {
		super(message);
		this.reason = reason;
	}
}

/** The container could not be started (command not found, working directory missing); reason as the API shows it. */
export class StartError extends Error {
	override name = "StartError";
	readonly reason: string;
	readonly exitCode: number;

	constructor(reason: string, message: string, exitCode: number) {
		super(message);
		this.reason = reason;
		this.exitCode = exitCode;
	}
}

export interface ExecResult {
	readonly exitCode: number;
	readonly output: string;
}

/** Where a container's output is: bytes as written, and when which part of them was seen. */
export interface ContainerLog {
	readonly file: string;
	readonly timesFile: string;
}

export interface Runtime {
	readonly name: string;
	/** `containerRuntimeVersion` of the node's info. */
	readonly version: string;
	/** False: probes are answered as successful without being made (simulated containers). */
	readonly probes: boolean;
	readonly abilities: Abilities;
	/** Containers that earlier kubelets on this root directory left; running ones are adopted. */
	recover(): Promise<readonly RuntimeContainer[]>;
	/** Rejects with ImageError. */
	ensureImage(image: string, command: readonly string[]): Promise<{ readonly imageId: string }>;
	/** Rejects with StartError. */
	start(spec: ContainerSpec): Promise<RuntimeContainer>;
	/** SIGTERM, and SIGKILL after `graceMs`; resolves when it has ended. */
	stop(id: string, graceMs: number): Promise<void>;
	get(id: string): RuntimeContainer | undefined;
	/** Runs a command beside the container, with its environment; resolves to exit code 124 after `timeoutMs`. */
	exec(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>;
	log(id: string): ContainerLog | undefined;
	/** Forgets a container that has ended, with its log. */
	remove(id: string): Promise<void>;
	/** Forgets a pod's containers and files. */
	removePod(podUid: string): Promise<void>;
	/** Called with the container's id when it has ended. */
	onExit(listener: (id: string) => void): void;
	/** Ends all containers. */
	close(): Promise<void>;
}
