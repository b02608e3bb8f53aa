/** Pods that Pod Security judges; upstream's verdicts on them are in fixtures/. */
interface Row {
	readonly title: string;
	readonly spec: object;
	readonly annotations?: Readonly<Record<string, string>>;
}

const image = "i";
const hardened = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
const hardPod = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };

/** A pod that level restricted allows, but for what is given. */
const hard = (container: object = {}, spec: object = {}, pod: object = {}) => ({
	securityContext: { ...hardPod, ...pod },
	containers: [{ name: "c", image, securityContext: hardened, ...container }],
	...spec,
});
const withContext = (context: object) => hard({ securityContext: { ...hardened, ...context } });
const volume = (source: object, name = "v") => hard({}, { volumes: [{ name, ...source }] });
/** A plain pod, which level baseline allows, but for what is given. */
const plain = (container: object = {}, spec: object = {}) => ({
	containers: [{ name: "c", image, ...container }],
	...spec,
});

const context = (value: object) => plain({ securityContext: value });
const podContext = (value: object) => plain({}, { securityContext: value });
const appArmor = (name: string) => `container.apparmor.security.beta.kubernetes.io/${name}`;
const seccomp = "seccomp.security.alpha.kubernetes.io/pod";
const seccompOf = (name: string) => `container.seccomp.security.alpha.kubernetes.io/${name}`;
const other = { name: "d", image };

export const pods: readonly Row[] = [
	{ title: "plain", spec: plain() },
	{ title: "hardened", spec: hard() },
	{
		title: "two plain containers",
		spec: plain({}, { initContainers: [{ name: "i", image }], containers: [{ name: "c", image }, other] }),
	},
	{
		title: "hardened beside plain",
		spec: hard({}, { containers: [{ name: "c", image, securityContext: hardened }, other] }),
	},
	{ title: "escalation allowed", spec: withContext({ allowPrivilegeEscalation: true }) },
	{ title: "escalation unsaid", spec: hard({ securityContext: { capabilities: { drop: ["ALL"] } } }) },
	{ title: "windows", spec: { os: { name: "windows" }, containers: [{ name: "c", image }] } },
	{
		title: "windows, non-root",
		spec: { os: { name: "windows" }, securityContext: { runAsNonRoot: true }, containers: [{ name: "c", image }] },
	},
	{
		title: "windows host process",
		spec: {
			hostNetwork: true,
			securityContext: { windowsOptions: { hostProcess: true } },
			containers: [{ name: "c", image }],
		},
	},
	{
		title: "windows host process by container",
		spec: {
			hostNetwork: true,
			containers: [{ name: "c", image, securityContext: { windowsOptions: { hostProcess: true } } }],
		},
	},
	{ title: "AppArmor of the container", spec: context({ appArmorProfile: { type: "Unconfined" } }) },
	{ title: "AppArmor of the pod", spec: podContext({ appArmorProfile: { type: "Unconfined" } }) },
	{
		title: "AppArmor of pod and containers",
		spec: {
			securityContext: { appArmorProfile: { type: "Unconfined" } },
			initContainers: [{ name: "i", image, securityContext: { appArmorProfile: { type: "Unconfined" } } }],
			containers: [{ name: "c", image, securityContext: { appArmorProfile: { type: "Unconfined" } } }],
		},
	},
	{ title: "AppArmor of the runtime", spec: context({ appArmorProfile: { type: "RuntimeDefault" } }) },
	{ title: "AppArmor by annotation", spec: plain(), annotations: { [appArmor("c")]: "unconfined" } },
	{ title: "AppArmor by annotation, allowed", spec: plain(), annotations: { [appArmor("c")]: "localhost/x" } },
	{
		title: "seccomp annotations",
		spec: plain(),
		annotations: { [seccomp]: "unconfined", [seccompOf("c")]: "unconfined", [seccompOf("other")]: "unconfined" },
	},
	{ title: "seccomp annotation, allowed", spec: plain(), annotations: { [seccomp]: "docker/default" } },
	{ title: "added default capability", spec: context({ capabilities: { add: ["CHOWN"] } }) },
	{ title: "added capabilities", spec: context({ capabilities: { add: ["SYS_ADMIN", "NET_ADMIN", "SYS_ADMIN"] } }) },
	{
		title: "added capabilities in two",
		spec: plain(
			{ securityContext: { capabilities: { add: ["NET_RAW"] } } },
			{ initContainers: [{ name: "i", image, securityContext: { capabilities: { add: ["BPF"] } } }] },
		),
	},
	{
		title: "net bind and all dropped",
		spec: withContext({ capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } }),
	},
	{ title: "chown and all dropped", spec: withContext({ capabilities: { drop: ["ALL"], add: ["CHOWN"] } }) },
	{ title: "one dropped", spec: withContext({ capabilities: { drop: ["NET_RAW"] } }) },
	{ title: "one dropped, one added", spec: withContext({ capabilities: { drop: ["NET_RAW"], add: ["KILL"] } }) },
	{ title: "host network", spec: plain({}, { hostNetwork: true }) },
	{ title: "host network with a port", spec: plain({ ports: [{ containerPort: 80 }] }, { hostNetwork: true }) },
	{ title: "all host namespaces", spec: plain({}, { hostNetwork: true, hostPID: true, hostIPC: true }) },
	{ title: "host PID, hardened", spec: hard({}, { hostPID: true }) },
	{ title: "host path", spec: volume({ hostPath: { path: "/" } }) },
	{
		title: "two host paths",
		spec: plain(
			{},
			{
				volumes: [
					{ name: "a", hostPath: { path: "/a" } },
					{ name: "b", hostPath: { path: "/b" } },
				],
			},
		),
	},
	{ title: "host port", spec: plain({ ports: [{ containerPort: 80, hostPort: 8080 }] }) },
	{
		title: "host ports",
		spec: plain(
			{
				ports: [
					{ containerPort: 80, hostPort: 9 },
					{ containerPort: 81, hostPort: 10 },
				],
			},
			{ initContainers: [{ name: "i", image, ports: [{ containerPort: 82, hostPort: 11 }] }] },
		),
	},
	{ title: "probe with a host", spec: plain({ livenessProbe: { httpGet: { port: 80, host: "h" } } }) },
	{
		title: "probes and hooks with hosts",
		spec: plain({
			readinessProbe: { tcpSocket: { port: 80, host: "b" } },
			startupProbe: { httpGet: { port: 80, host: "a" } },
			lifecycle: { postStart: { httpGet: { port: 80, host: "c" } }, preStop: { tcpSocket: { port: 80, host: "a" } } },
		}),
	},
	{ title: "probe without a host", spec: plain({ livenessProbe: { httpGet: { port: 80 } } }) },
	{ title: "privileged", spec: context({ privileged: true }) },
	{
		title: "privileged init container",
		spec: plain({}, { initContainers: [{ name: "i", image, securityContext: { privileged: true } }] }),
	},
	{
		title: "two privileged containers",
		spec: plain(
			{},
			{
				containers: [
					{ name: "c", image, securityContext: { privileged: true } },
					{ name: "d", image, securityContext: { privileged: true } },
				],
			},
		),
	},
	{ title: "unmasked proc", spec: plain({ securityContext: { procMount: "Unmasked" } }, { hostUsers: false }) },
	{ title: "default proc", spec: context({ procMount: "Default" }) },
	{
		title: "unmasked proc, hardened",
		spec: {
			hostUsers: false,
			securityContext: hardPod,
			containers: [{ name: "c", image, securityContext: { ...hardened, procMount: "Unmasked" } }],
		},
	},
	{ title: "SELinux type", spec: context({ seLinuxOptions: { type: "spc_t" } }) },
	{ title: "SELinux allowed type", spec: context({ seLinuxOptions: { type: "container_kvm_t" } }) },
	{ title: "SELinux engine type", spec: context({ seLinuxOptions: { type: "container_engine_t" } }) },
	{ title: "SELinux level", spec: podContext({ seLinuxOptions: { level: "s0" } }) },
	{
		title: "SELinux all",
		spec: {
			securityContext: { seLinuxOptions: { type: "a_t", user: "u" } },
			containers: [{ name: "c", image, securityContext: { seLinuxOptions: { type: "b_t", role: "r" } } }],
		},
	},
	{ title: "seccomp unconfined", spec: context({ seccompProfile: { type: "Unconfined" } }) },
	{ title: "seccomp unconfined by pod", spec: podContext({ seccompProfile: { type: "Unconfined" } }) },
	{
		title: "seccomp unconfined by both",
		spec: {
			securityContext: { ...hardPod, seccompProfile: { type: "Unconfined" } },
			containers: [{ name: "c", image, securityContext: { ...hardened, seccompProfile: { type: "Unconfined" } } }],
		},
	},
	{
		title: "seccomp by containers",
		spec: {
			securityContext: { runAsNonRoot: true },
			containers: [
				{
					name: "c",
					image,
					securityContext: { ...hardened, seccompProfile: { type: "Localhost", localhostProfile: "p" } },
				},
			],
		},
	},
	{
		title: "seccomp by one of two",
		spec: {
			securityContext: { runAsNonRoot: true },
			containers: [
				{ name: "c", image, securityContext: { ...hardened, seccompProfile: { type: "RuntimeDefault" } } },
				{ name: "d", image, securityContext: hardened },
			],
		},
	},
	{
		title: "sysctls of all versions",
		spec: podContext({
			sysctls: [
				"kernel.shm_rmid_forced",
				"net.ipv4.ip_local_reserved_ports",
				"net.ipv4.tcp_keepalive_time",
				"net.ipv4.tcp_rmem",
			].map((name) => ({ name, value: "1" })),
		}),
	},
	{
		title: "unsafe sysctls",
		spec: podContext({
			sysctls: [
				{ name: "kernel.msgmax", value: "1" },
				{ name: "net.core.somaxconn", value: "1" },
			],
		}),
	},
	{ title: "root said not to be", spec: hard({}, {}, { runAsNonRoot: false }) },
	{ title: "root in a container", spec: withContext({ runAsNonRoot: false }) },
	{
		title: "root by both",
		spec: { ...hard({ securityContext: { ...hardened, runAsNonRoot: false } }, {}, { runAsNonRoot: false }) },
	},
	{
		title: "non-root by containers",
		spec: {
			securityContext: { seccompProfile: { type: "RuntimeDefault" } },
			containers: [
				{ name: "c", image, securityContext: { ...hardened, runAsNonRoot: true } },
				{ name: "d", image, securityContext: hardened },
			],
		},
	},
	{ title: "user 0", spec: hard({}, {}, { runAsUser: 0 }) },
	{
		title: "user 0 in containers",
		spec: hard(
			{ securityContext: { ...hardened, runAsUser: 0 } },
			{ initContainers: [{ name: "i", image, securityContext: { ...hardened, runAsUser: 0 } }] },
		),
	},
	{ title: "user 1000", spec: hard({}, {}, { runAsUser: 1000 }) },
	{
		title: "own users",
		spec: {
			hostUsers: false,
			securityContext: { seccompProfile: { type: "RuntimeDefault" }, runAsUser: 0 },
			containers: [{ name: "c", image, securityContext: hardened }],
		},
	},
	{ title: "host users", spec: hard({}, { hostUsers: true }, { runAsUser: 0 }) },
	{
		title: "allowed volumes",
		spec: hard(
			{},
			{
				volumes: [
					{ name: "a", configMap: { name: "x" } },
					{ name: "b", secret: { secretName: "x" } },
					{ name: "c", emptyDir: {} },
					{ name: "d", downwardAPI: {} },
					{ name: "e", projected: { sources: [] } },
					{ name: "f", persistentVolumeClaim: { claimName: "x" } },
					{ name: "g", csi: { driver: "x.y" } },
					{ name: "h", image: { reference: "x" } },
				],
			},
		),
	},
	{ title: "gce disk", spec: volume({ gcePersistentDisk: { pdName: "x" } }) },
	{ title: "aws disk", spec: volume({ awsElasticBlockStore: { volumeID: "x" } }) },
	{ title: "git", spec: volume({ gitRepo: { repository: "x" } }) },
	{ title: "nfs", spec: volume({ nfs: { server: "x", path: "/x" } }) },
	{ title: "iscsi", spec: volume({ iscsi: { targetPortal: "1.2.3.4", iqn: "iqn.2001-04.com.example:x", lun: 0 } }) },
	{ title: "glusterfs", spec: volume({ glusterfs: { endpoints: "x", path: "x" } }) },
	{ title: "rbd", spec: volume({ rbd: { monitors: ["x"], image: "x" } }) },
	{ title: "flex", spec: volume({ flexVolume: { driver: "x/y" } }) },
	{ title: "cinder", spec: volume({ cinder: { volumeID: "x" } }) },
	{ title: "cephfs", spec: volume({ cephfs: { monitors: ["x"] } }) },
	{ title: "flocker", spec: volume({ flocker: { datasetName: "x" } }) },
	{ title: "fc", spec: volume({ fc: { targetWWNs: ["x"], lun: 1 } }) },
	{ title: "azure file", spec: volume({ azureFile: { secretName: "x", shareName: "x" } }) },
	{ title: "vsphere", spec: volume({ vsphereVolume: { volumePath: "x" } }) },
	{ title: "quobyte", spec: volume({ quobyte: { registry: "x:1", volume: "x" } }) },
	{ title: "azure disk", spec: volume({ azureDisk: { diskName: "x", diskURI: "https://blob/x" } }) },
	{ title: "photon", spec: volume({ photonPersistentDisk: { pdID: "x" } }) },
	{ title: "portworx", spec: volume({ portworxVolume: { volumeID: "x" } }) },
	{
		title: "scaleio",
		spec: volume({ scaleIO: { gateway: "x", system: "x", secretRef: { name: "x" }, volumeName: "x" } }),
	},
	{ title: "storageos", spec: volume({ storageos: { volumeName: "x" } }) },
	{
		title: "two kinds of volumes",
		spec: hard(
			{},
			{
				volumes: [
					{ name: "a", nfs: { server: "x", path: "/x" } },
					{ name: "b", hostPath: { path: "/x" } },
					{ name: "c", nfs: { server: "y", path: "/x" } },
				],
			},
		),
	},
	{
		title: "everything at once",
		spec: {
			hostPID: true,
			securityContext: { sysctls: [{ name: "kernel.sem", value: "1" }], runAsUser: 0 },
			volumes: [{ name: "v", hostPath: { path: "/" } }],
			containers: [
				{
					name: "c",
					image,
					ports: [{ containerPort: 1, hostPort: 1 }],
					securityContext: { privileged: true, capabilities: { add: ["ALL"] } },
				},
			],
		},
	},
];

/** Minor versions around which checks change, and one from the future. */
export const versions: readonly string[] = [
	...[0, 7, 8, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 99].map(
		(minor) => `v1.${minor}`,
	),
	"latest",
];
export const judgedLevels = ["baseline", "restricted"] as const;
