// The field facts of v1: see ../schema.ts for the line format.
export const coreV1 = `
AWSElasticBlockStoreVolumeSource # A volume of AWS, by its id; served by a CSI driver today.
  volumeID 1 string required # Id of the volume.
  fsType 2 string # File system of the volume, such as ext4.
  partition 3 int32 # Partition to mount; 0: the whole volume.
  readOnly 4 bool # Whether the volume is mounted read-only.
Affinity # Rules about where a pod may or should run.
  nodeAffinity 1 NodeAffinity # Rules about nodes.
  podAffinity 2 PodAffinity # Rules to run near other pods.
  podAntiAffinity 3 PodAntiAffinity # Rules to run away from other pods.
AppArmorProfile # AppArmor profile of containers.
  type 1 string required # RuntimeDefault, Unconfined or Localhost.
  localhostProfile 2 string ptr # Name of a profile loaded on the node, for Localhost.
AttachedVolume # A volume that is attached to a node.
  name 1 string required # Name of the volume.
  devicePath 2 string required # Device under which the node has it.
AzureDiskVolumeSource # A disk of Azure; served by a CSI driver today.
  diskName 1 string required # Name of the disk.
  diskURI 2 string required # URI of the disk.
  cachingMode 3 string ptr # Caching of the disk: None, ReadOnly or ReadWrite.
  fsType 4 string ptr # File system of the volume, such as ext4.
  readOnly 5 bool ptr # Whether the volume is mounted read-only.
  kind 6 string ptr # Shared, Dedicated or Managed.
AzureFilePersistentVolumeSource # A file share of Azure; served by a CSI driver today.
  secretName 1 string required # Secret with the storage account's name and key.
  shareName 2 string required # Name of the share.
  readOnly 3 bool # Whether the volume is mounted read-only.
  secretNamespace 4 string ptr # Namespace of the Secret; by default the claim's.
AzureFileVolumeSource # A file share of Azure; served by a CSI driver today.
  secretName 1 string required # Secret with the storage account's name and key.
  shareName 2 string required # Name of the share.
  readOnly 3 bool # Whether the volume is mounted read-only.
Binding kind # Binds a pod to a node.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  target 2 ObjectReference required value # The node, as a reference by name.
CSIPersistentVolumeSource # A volume that a CSI driver serves.
  driver 1 string required # Name of the driver.
  volumeHandle 2 string required # Id of the volume, as the driver knows it.
  readOnly 3 bool # Whether the volume is mounted read-only.
  fsType 4 string # File system of the volume, such as ext4.
  volumeAttributes 5 map<string> # Attributes the driver gave the volume.
  controllerPublishSecretRef 6 SecretReference # Secret for attaching the volume to a node.
  nodeStageSecretRef 7 SecretReference # Secret for staging the volume on a node.
  nodePublishSecretRef 8 SecretReference # Secret for mounting the volume for a pod.
  controllerExpandSecretRef 9 SecretReference # Secret for growing the volume.
  nodeExpandSecretRef 10 SecretReference # Secret for growing its file system on a node.
CSIVolumeSource # A volume that a CSI driver makes for the life of a pod.
  driver 1 string required # Name of the driver.
  readOnly 2 bool ptr # Whether the volume is mounted read-only.
  fsType 3 string ptr # File system of the volume, such as ext4.
  volumeAttributes 4 map<string> # Attributes for the driver, in its own words.
  nodePublishSecretRef 5 LocalObjectReference # Secret for mounting the volume.
Capabilities # Capabilities that a container gains and loses.
  add 1 []string list=atomic # Capabilities to add, such as NET_ADMIN; ALL is every one.
  drop 2 []string list=atomic # Capabilities to drop; ALL is every one.
CephFSPersistentVolumeSource # A mount of CephFS; no longer served.
  monitors 1 []string required list=atomic # Addresses of the Ceph monitors.
  path 2 string # Folder to mount as root; / by default.
  user 3 string # Name of the Ceph user; admin by default.
  secretFile 4 string # File with the user's key.
  secretRef 5 SecretReference # Secret with the user's key; goes before secretFile.
  readOnly 6 bool # Whether the volume is mounted read-only.
CephFSVolumeSource # A mount of CephFS; no longer served.
  monitors 1 []string required list=atomic # Addresses of the Ceph monitors.
  path 2 string # Folder to mount as root; / by default.
  user 3 string # Name of the Ceph user; admin by default.
  secretFile 4 string # File with the user's key.
  secretRef 5 LocalObjectReference # Secret with the user's key; goes before secretFile.
  readOnly 6 bool # Whether the volume is mounted read-only.
CinderPersistentVolumeSource # A volume of OpenStack; served by a CSI driver today.
  volumeID 1 string required # Id of the volume.
  fsType 2 string # File system of the volume, such as ext4.
  readOnly 3 bool # Whether the volume is mounted read-only.
  secretRef 4 SecretReference # Secret with access to OpenStack.
CinderVolumeSource # A volume of OpenStack; served by a CSI driver today.
  volumeID 1 string required # Id of the volume.
  fsType 2 string # File system of the volume, such as ext4.
  readOnly 3 bool # Whether the volume is mounted read-only.
  secretRef 4 LocalObjectReference # Secret with access to OpenStack.
ClientIPConfig # Affinity by the address of the client.
  timeoutSeconds 1 int32 ptr # Seconds a client stays with a backend; 10800 by default.
ClusterTrustBundleProjection # Certificates of trust bundles as one file.
  name 1 string ptr # Name of one bundle; excludes signerName.
  signerName 2 string ptr # Takes all bundles of this signer.
  labelSelector 3 meta_v1.LabelSelector # Chooses among the signer's bundles.
  path 4 string required # Name of the file in the volume.
  optional 5 bool ptr # Whether the pod starts where there is no such bundle.
ComponentCondition # State of a component of the control plane.
  type 1 string required # Name of the condition; Healthy.
  status 2 string required # True, False or Unknown.
  message 3 string # What the component said.
  error 4 string # Code of the failure, where there is one.
ComponentStatus kind # State of a component of the control plane; a kind of the past.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  conditions 2 []ComponentCondition merge=type list=map:type # The conditions that were seen.
ComponentStatusList kind # A list of ComponentStatus objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ComponentStatus required # The objects of the list.
ConfigMap kind # Settings as names and values, for pods to read.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  data 2 map<string> # Values that are text.
  binaryData 3 map<bytes> # Values that need not be text.
  immutable 4 bool ptr # Whether the data can no longer be changed.
ConfigMapEnvSource # A ConfigMap whose entries become variables.
  name 1.1 string # Name of the ConfigMap.
  optional 2 bool ptr # Whether the container starts where it does not exist.
ConfigMapKeySelector atomic # One entry of a ConfigMap.
  name 1.1 string # Name of the ConfigMap.
  key 2 string required # The entry.
  optional 3 bool ptr # Whether the container starts where it does not exist.
ConfigMapList kind # A list of ConfigMap objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ConfigMap required # The objects of the list.
ConfigMapNodeConfigSource # A ConfigMap with a kubelet's configuration; no longer used.
  namespace 1 string required # Namespace of the ConfigMap.
  name 2 string required # Name of the ConfigMap.
  uid 3 string # Identity of the ConfigMap.
  resourceVersion 4 string # Version of the ConfigMap.
  kubeletConfigKey 5 string required # Entry with the configuration.
ConfigMapProjection # Entries of a ConfigMap as files in a projected volume.
  name 1.1 string # Name of the ConfigMap.
  items 2 []KeyToPath list=atomic # Entries to show, and under which paths; unset: all by their names.
  optional 4 bool ptr # Whether the pod starts where it does not exist.
ConfigMapVolumeSource # A volume with the entries of a ConfigMap as files.
  name 1.1 string # Name of the ConfigMap.
  items 2 []KeyToPath list=atomic # Entries to show, and under which paths; unset: all by their names.
  defaultMode 3 int32 ptr # Permissions of the files; 0644 by default.
  optional 4 bool ptr # Whether the pod starts where it does not exist.
Container # A program that a pod runs.
  name 1 string required # Name of the container, unique in the pod.
  image 2 string # Image with the program.
  command 3 []string list=atomic # Program and first arguments, in place of the image's entry point; $(NAME) is replaced by the variable.
  args 4 []string list=atomic # Arguments, in place of the image's own; $(NAME) is replaced by the variable.
  workingDir 5 string # Folder the program starts in; by default the image's.
  ports 6 []ContainerPort merge=containerPort list=map:containerPort,protocol # Ports it listens on; only those named here have names, and others can be reached too.
  env 7 []EnvVar merge=name list=map:name # Variables of its environment.
  resources 8 ResourceRequirements value # What it requests and may use.
  volumeMounts 9 []VolumeMount merge=mountPath list=map:mountPath # Where the pod's volumes appear.
  livenessProbe 10 Probe # Tells whether it is alive; it is restarted when not.
  readinessProbe 11 Probe # Tells whether it takes requests; Services leave it out when not.
  lifecycle 12 Lifecycle # What is done after its start and before its end.
  terminationMessagePath 13 string # File in which it leaves its last words; /dev/termination-log by default.
  imagePullPolicy 14 string # When the image is fetched: Always, IfNotPresent or Never.
  securityContext 15 SecurityContext # As whom and with what rights it runs; goes before the pod's.
  stdin 16 bool # Whether its standard input is kept open.
  stdinOnce 17 bool # Whether its standard input is closed after the first attached client.
  tty 18 bool # Whether it has a terminal; needs stdin.
  envFrom 19 []EnvFromSource list=atomic # ConfigMaps and Secrets whose entries become variables.
  terminationMessagePolicy 20 string # File, or FallbackToLogsOnError: the end of its output where it left no words.
  volumeDevices 21 []VolumeDevice merge=devicePath list=map:devicePath # Where the pod's block volumes appear.
  startupProbe 22 Probe # Tells whether it has started; the other probes wait for that.
  resizePolicy 23 []ContainerResizePolicy list=atomic # Whether a change of its resources restarts it.
  restartPolicy 24 string ptr # Its own restart policy; Always makes an init container a sidecar.
  restartPolicyRules 25 []ContainerRestartRule list=atomic # Exit codes for which restartPolicy does not decide.
ContainerExtendedResourceRequest # Which claim serves a container's extended resource.
  containerName 1 string required # Name of the container.
  resourceName 2 string required # Name of the extended resource.
  requestName 3 string required # Name of the request in the claim.
ContainerImage # An image that a node has.
  names 1 []string list=atomic # Names of the image.
  sizeBytes 2 int64 # Size of the image in bytes.
ContainerPort # A port that a container listens on.
  name 1 string # Name that Services may use.
  hostPort 2 int32 # Port of the node that leads to it; 0: none.
  containerPort 3 int32 required # Number of the port.
  protocol 4 string # TCP, UDP or SCTP; TCP by default.
  hostIP 5 string # Address of the node to bind hostPort to.
ContainerResizePolicy # What a change of one resource does.
  resourceName 1 string required # The resource: cpu or memory.
  restartPolicy 2 string required # NotRequired, or RestartContainer.
ContainerRestartRule # What to do about some exit codes.
  action 1 string required # Restart.
  exitCodes 2 ContainerRestartRuleOnExitCodes # Codes for which the rule fits.
ContainerRestartRuleOnExitCodes # Fits by exit code.
  operator 1 string required # In or NotIn.
  values 2 []int32 list=set # The exit codes, at most 255.
ContainerState # What a container is doing: one of the three.
  waiting 1 ContainerStateWaiting # It has not started.
  running 2 ContainerStateRunning # It runs.
  terminated 3 ContainerStateTerminated # It has ended.
ContainerStateRunning # A container that runs.
  startedAt 1 time # When it was started.
ContainerStateTerminated # A container that has ended.
  exitCode 1 int32 required # Exit code of the program.
  signal 2 int32 # Signal that ended it.
  reason 3 string # Why it ended, as one word, such as Completed or Error.
  message 4 string # Its last words.
  startedAt 5 time # When it was started.
  finishedAt 6 time # When it ended.
  containerID 7 string # Id of the container, with that of its runtime.
ContainerStateWaiting # A container that has not started.
  reason 1 string # Why it waits, as one word, such as ImagePullBackOff.
  message 2 string # Why it waits, in words.
ContainerStatus # What is observed of a container.
  name 1 string required # Name of the container.
  state 2 ContainerState value # What it does now.
  lastState 3 ContainerState value # How its run before ended.
  ready 4 bool required # Whether it is ready.
  restartCount 5 int32 required # How often it was started again.
  image 6 string required # Image it runs.
  imageID 7 string required # Id of that image.
  containerID 8 string # Id of the container, with that of its runtime.
  started 9 bool ptr # Whether it has started: its startup probe succeeded.
  allocatedResources 10 map<quantity> # Resources that the node set aside for it.
  resources 11 ResourceRequirements # Requests and limits in force.
  volumeMounts 12 []VolumeMountStatus merge=mountPath list=map:mountPath # Volumes it has.
  user 13 ContainerUser # As whom its first process started.
  allocatedResourcesStatus 14 []ResourceStatus merge=name list=map:name # State of its devices.
  stopSignal 15 string ptr # Signal that asks it to end.
ContainerUser # As whom a container runs.
  linux 1 LinuxContainerUser # The user on Linux.
DaemonEndpoint # Where a daemon listens.
  Port 1 int32 required # Number of the port.
DownwardAPIProjection # Fields of the pod as files in a projected volume.
  items 1 []DownwardAPIVolumeFile list=atomic # The files.
DownwardAPIVolumeFile # One field of the pod as a file.
  path 1 string required # Name of the file in the volume.
  fieldRef 2 ObjectFieldSelector # Field of the pod: metadata or status.
  resourceFieldRef 3 ResourceFieldSelector # Request or limit of a container.
  mode 4 int32 ptr # Permissions of the file.
DownwardAPIVolumeSource # A volume with fields of the pod as files.
  items 1 []DownwardAPIVolumeFile list=atomic # The files.
  defaultMode 2 int32 ptr # Permissions of the files; 0644 by default.
EmptyDirVolumeSource # An empty folder that lives as long as the pod.
  medium 1 string # Empty: the node's disk; Memory: a file system in memory.
  sizeLimit 2 quantity ptr # Most that it may hold.
EndpointAddress atomic # Address of a backend.
  ip 1 string required # The address.
  targetRef 2 ObjectReference # The object behind it, usually a Pod.
  hostname 3 string # Its name in DNS, below that of the Service.
  nodeName 4 string ptr # Node it is on.
EndpointPort atomic # A port of backends.
  name 1 string # Name of the port, as the Service has it.
  port 2 int32 required # Number of the port.
  protocol 3 string # TCP, UDP or SCTP; TCP by default.
  appProtocol 4 string ptr # Protocol spoken on the port, such as kubernetes.io/h2c.
EndpointSubset # Backends with the same ports.
  addresses 1 []EndpointAddress list=atomic # Those that are ready.
  notReadyAddresses 2 []EndpointAddress list=atomic # Those that are not ready.
  ports 3 []EndpointPort list=atomic # The ports.
Endpoints kind # The backends of a Service in the older form; EndpointSlices are the newer one.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  subsets 2 []EndpointSubset list=atomic # The backends, by their ports.
EndpointsList kind # A list of Endpoints objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Endpoints required # The objects of the list.
EnvFromSource # A source of several variables.
  prefix 1 string # Put before each name.
  configMapRef 2 ConfigMapEnvSource # ConfigMap with the variables.
  secretRef 3 SecretEnvSource # Secret with the variables.
EnvVar # A variable of a container's environment.
  name 1 string required # Name of the variable.
  value 2 string # Its value; $(NAME) is replaced by an earlier variable.
  valueFrom 3 EnvVarSource # Where the value comes from; excludes value.
EnvVarSource # Where the value of a variable comes from: one of these.
  fieldRef 1 ObjectFieldSelector # Field of the pod, such as metadata.name or status.podIP.
  resourceFieldRef 2 ResourceFieldSelector # Request or limit of a container.
  configMapKeyRef 3 ConfigMapKeySelector # Entry of a ConfigMap.
  secretKeyRef 4 SecretKeySelector # Entry of a Secret.
  fileKeyRef 5 FileKeySelector # Entry of a file in a volume.
EphemeralContainer # A container added to a running pod, to look into it.
  name 1.1 string required # Name of the container, unique in the pod.
  image 1.2 string # Image with the program.
  command 1.3 []string list=atomic # Program and first arguments, in place of the image's entry point; $(NAME) is replaced by the variable.
  args 1.4 []string list=atomic # Arguments, in place of the image's own; $(NAME) is replaced by the variable.
  workingDir 1.5 string # Folder the program starts in; by default the image's.
  ports 1.6 []ContainerPort merge=containerPort list=map:containerPort,protocol # Ports it listens on; only those named here have names, and others can be reached too.
  env 1.7 []EnvVar merge=name list=map:name # Variables of its environment.
  resources 1.8 ResourceRequirements value # What it requests and may use.
  volumeMounts 1.9 []VolumeMount merge=mountPath list=map:mountPath # Where the pod's volumes appear.
  livenessProbe 1.10 Probe # Tells whether it is alive; it is restarted when not.
  readinessProbe 1.11 Probe # Tells whether it takes requests; Services leave it out when not.
  lifecycle 1.12 Lifecycle # What is done after its start and before its end.
  terminationMessagePath 1.13 string # File in which it leaves its last words; /dev/termination-log by default.
  imagePullPolicy 1.14 string # When the image is fetched: Always, IfNotPresent or Never.
  securityContext 1.15 SecurityContext # As whom and with what rights it runs; goes before the pod's.
  stdin 1.16 bool # Whether its standard input is kept open.
  stdinOnce 1.17 bool # Whether its standard input is closed after the first attached client.
  tty 1.18 bool # Whether it has a terminal; needs stdin.
  envFrom 1.19 []EnvFromSource list=atomic # ConfigMaps and Secrets whose entries become variables.
  terminationMessagePolicy 1.20 string # File, or FallbackToLogsOnError: the end of its output where it left no words.
  volumeDevices 1.21 []VolumeDevice merge=devicePath list=map:devicePath # Where the pod's block volumes appear.
  startupProbe 1.22 Probe # Tells whether it has started; the other probes wait for that.
  resizePolicy 1.23 []ContainerResizePolicy list=atomic # Whether a change of its resources restarts it.
  restartPolicy 1.24 string ptr # Its own restart policy; Always makes an init container a sidecar.
  restartPolicyRules 1.25 []ContainerRestartRule list=atomic # Exit codes for which restartPolicy does not decide.
  targetContainerName 2 string # Container whose processes it sees.
EphemeralVolumeSource # A volume made for the pod from a claim's template.
  volumeClaimTemplate 1 PersistentVolumeClaimTemplate # The claim, owned by the pod.
Event kind # Something that happened to an object, for people to read; not kept for long.
  metadata 1 meta_v1.ObjectMeta required value # Name, namespace, labels and what else every object carries.
  involvedObject 2 ObjectReference required value # Object that it is about.
  reason 3 string # Why it happened, as one word.
  message 4 string # What happened, in words for people.
  source 5 EventSource value # Who reports it.
  firstTimestamp 6 time # When it was first seen.
  lastTimestamp 7 time # When it was last seen.
  count 8 int32 # How often it was seen.
  type 9 string # Normal or Warning.
  eventTime 10 microtime # When it was first seen, in microseconds.
  series 11 EventSeries # How often and until when it happened again.
  action 12 string # What was done about the object.
  related 13 ObjectReference # Second object that it involves.
  reportingComponent 14 string # Component that reports it, such as kubernetes.io/kubelet.
  reportingInstance 15 string # Which instance of the component reports it.
EventList kind # A list of Event objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Event required # The objects of the list.
EventSeries # An event that keeps happening.
  count 1 int32 # How often it has happened so far.
  lastObservedTime 2 microtime # When it was last seen.
EventSource # Who reports an event.
  component 1 string # Name of the component.
  host 2 string # Node of the component.
ExecAction # Runs a command in the container.
  command 1 []string list=atomic # Program and arguments; no shell reads them. Exit code 0 is success.
FCVolumeSource # A volume over Fibre Channel.
  targetWWNs 1 []string list=atomic # Names of the targets.
  lun 2 int32 ptr # Number of the volume at the target.
  fsType 3 string # File system of the volume, such as ext4.
  readOnly 4 bool # Whether the volume is mounted read-only.
  wwids 5 []string list=atomic # Identifiers of the volume; exclude targetWWNs and lun.
FileKeySelector atomic # An entry of a file of variables in a volume.
  volumeName 1 string required # Name of the volume.
  path 2 string required # Path of the file in it.
  key 3 string required # The entry.
  optional 4 bool ptr # Whether the container starts where it does not exist.
FlexPersistentVolumeSource # A volume of a program on the node; CSI replaces it.
  driver 1 string required # Name of the program.
  fsType 2 string # File system of the volume, such as ext4.
  secretRef 3 SecretReference # Secret for the program.
  readOnly 4 bool # Whether the volume is mounted read-only.
  options 5 map<string> # Options for the program.
FlexVolumeSource # A volume of a program on the node; CSI replaces it.
  driver 1 string required # Name of the program.
  fsType 2 string # File system of the volume, such as ext4.
  secretRef 3 LocalObjectReference # Secret for the program.
  readOnly 4 bool # Whether the volume is mounted read-only.
  options 5 map<string> # Options for the program.
FlockerVolumeSource # A volume of Flocker; no longer served.
  datasetName 1 string # Name of the dataset.
  datasetUUID 2 string # Id of the dataset.
GCEPersistentDiskVolumeSource # A disk of Google Cloud; served by a CSI driver today.
  pdName 1 string required # Name of the disk.
  fsType 2 string # File system of the volume, such as ext4.
  partition 3 int32 # Partition to mount; 0: the whole disk.
  readOnly 4 bool # Whether the volume is mounted read-only.
GRPCAction # Asks a server over gRPC whether it is healthy.
  port 1 int32 required # Port of the server.
  service 2 string ptr # Service whose health is asked; empty: the server's.
GitRepoVolumeSource # A folder filled from a git repository; no longer allowed by default.
  repository 1 string required # Address of the repository.
  revision 2 string # Commit to check out.
  directory 3 string # Folder to check out into.
GlusterfsPersistentVolumeSource # A mount of GlusterFS; no longer served.
  endpoints 1 string required # Endpoints object with the servers.
  path 2 string required # Path of the volume.
  readOnly 3 bool # Whether the volume is mounted read-only.
  endpointsNamespace 4 string # Namespace of the Endpoints; by default the claim's.
GlusterfsVolumeSource # A mount of GlusterFS; no longer served.
  endpoints 1 string required # Endpoints object with the servers.
  path 2 string required # Path of the volume.
  readOnly 3 bool # Whether the volume is mounted read-only.
HTTPGetAction # Asks a server over HTTP; a status from 200 to 399 is success.
  path 1 string # Path to ask for.
  port 2 intorstring required # Port, by number or name.
  host 3 string # Host to connect to; by default the pod's address.
  scheme 4 string # HTTP or HTTPS; HTTP by default.
  httpHeaders 5 []HTTPHeader list=atomic # Headers to send.
HTTPHeader # A header of a request.
  name 1 string required # Name of the header.
  value 2 string required # Value of the header.
HostAlias # A line of the pod's hosts file.
  ip 1 string required # The address.
  hostnames 2 []string list=atomic # Names of the address.
HostIP # An address of a node.
  ip 1 string required # The address.
HostPathVolumeSource # A file or folder of the node; whoever may use it may harm the node.
  path 1 string required # Path on the node.
  type 2 string ptr # What has to be there: Directory, File, Socket and others; DirectoryOrCreate and FileOrCreate make it.
ISCSIPersistentVolumeSource # A volume over iSCSI.
  targetPortal 1 string required # Address and port of the target.
  iqn 2 string required # Name of the target.
  lun 3 int32 required # Number of the volume at the target.
  iscsiInterface 4 string # Interface to use; default by default.
  fsType 5 string # File system of the volume, such as ext4.
  readOnly 6 bool # Whether the volume is mounted read-only.
  portals 7 []string list=atomic # More addresses of the target.
  chapAuthDiscovery 8 bool # Whether discovery authenticates by CHAP.
  secretRef 10 SecretReference # Secret with the names and passwords for CHAP.
  chapAuthSession 11 bool # Whether sessions authenticate by CHAP.
  initiatorName 12 string # Name of this side.
ISCSIVolumeSource # A volume over iSCSI.
  targetPortal 1 string required # Address and port of the target.
  iqn 2 string required # Name of the target.
  lun 3 int32 required # Number of the volume at the target.
  iscsiInterface 4 string # Interface to use; default by default.
  fsType 5 string # File system of the volume, such as ext4.
  readOnly 6 bool # Whether the volume is mounted read-only.
  portals 7 []string list=atomic # More addresses of the target.
  chapAuthDiscovery 8 bool # Whether discovery authenticates by CHAP.
  secretRef 10 LocalObjectReference # Secret with the names and passwords for CHAP.
  chapAuthSession 11 bool # Whether sessions authenticate by CHAP.
  initiatorName 12 string # Name of this side.
ImageVolumeSource # A volume with the content of an image.
  reference 1 string # Name of the image.
  pullPolicy 2 string # When the image is fetched: Always, IfNotPresent or Never.
ImageVolumeStatus # State of an image's volume.
  imageRef 1 string required # Digest of the image that is mounted.
KeyToPath # An entry as a file.
  key 1 string required # The entry.
  path 2 string required # Path of the file in the volume, which it must not leave.
  mode 3 int32 ptr # Permissions of the file.
Lifecycle # What is done after a container's start and before its end.
  postStart 1 LifecycleHandler # Done right after the start; a failure ends the container.
  preStop 2 LifecycleHandler # Done before it is asked to end, within its time to end.
  stopSignal 3 string ptr # Signal that asks it to end; needs the pod's os.
LifecycleHandler # One thing to do: one of these.
  exec 1 ExecAction # Runs a command in the container.
  httpGet 2 HTTPGetAction # Asks a server over HTTP.
  tcpSocket 3 TCPSocketAction # No longer used; kept so that old objects stay valid.
  sleep 4 SleepAction # Waits.
LimitRange kind # Limits and defaults for what single pods, containers and claims of a namespace ask for.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 LimitRangeSpec value # What is wanted of the LimitRange.
LimitRangeItem # Limits for one type.
  type 1 string required # Pod, Container or PersistentVolumeClaim.
  max 2 map<quantity> # Most that one may ask for.
  min 3 map<quantity> # Least that one has to ask for.
  default 4 map<quantity> # Limit of containers that have none.
  defaultRequest 5 map<quantity> # Request of containers that have none.
  maxLimitRequestRatio 6 map<quantity> # How many times the request the limit may be.
LimitRangeList kind # A list of LimitRange objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []LimitRange required # The objects of the list.
LimitRangeSpec # What is wanted of a LimitRange.
  limits 1 []LimitRangeItem required list=atomic # The limits, by type.
LinuxContainerUser # As whom a container's first process runs on Linux.
  uid 1 int64 required # Number of the user.
  gid 2 int64 required # Number of the group.
  supplementalGroups 3 []int64 list=atomic # Numbers of further groups.
LoadBalancerIngress # An entrance of a load balancer.
  ip 1 string # Address of the entrance.
  hostname 2 string # Name of the entrance, where it has no address.
  ipMode 3 string ptr # VIP: kept on the node's way; Proxy: sent to the balancer.
  ports 4 []PortStatus list=atomic # State of the Service's ports there.
LoadBalancerStatus # State of a load balancer.
  ingress 1 []LoadBalancerIngress list=atomic # Its entrances.
LocalObjectReference atomic # An object of the same namespace, of a kind that is known.
  name 1 string # Name of the object.
LocalVolumeSource # A disk or folder of one node.
  path 1 string required # Path on the node.
  fsType 2 string ptr # File system of the volume, such as ext4.
ModifyVolumeStatus # State of a change of a claim's attributes.
  targetVolumeAttributesClassName 1 string # Class that is wanted.
  status 2 string required # Pending, InProgress or Infeasible.
NFSVolumeSource # A folder of an NFS server.
  server 1 string required # Name or address of the server.
  path 2 string required # Folder that the server exports.
  readOnly 3 bool # Whether the volume is mounted read-only.
Namespace kind # A space for names, and what policies are set for.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 NamespaceSpec value # What is wanted of the Namespace.
  status 3 NamespaceStatus value # What is observed of the Namespace.
NamespaceCondition # One aspect of the state of a Namespace, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastTransitionTime 4 time # When the status last changed.
  reason 5 string # Why it changed, as one word.
  message 6 string # Why it changed, in words.
NamespaceList kind # A list of Namespace objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Namespace required # The objects of the list.
NamespaceSpec # What is wanted of a namespace.
  finalizers 1 []string list=atomic # Who has to do something before the namespace may go.
NamespaceStatus # What is observed of a namespace.
  phase 1 string # Active or Terminating.
  conditions 2 []NamespaceCondition merge=type list=map:type # What holds up its deletion, where something does.
Node kind # A machine that runs pods.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 NodeSpec value # What is wanted of the Node.
  status 3 NodeStatus value # What is observed of the Node.
NodeAddress # An address of a node.
  type 1 string required # Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.
  address 2 string required # The address.
NodeAffinity # Rules about the nodes a pod may or should run on.
  requiredDuringSchedulingIgnoredDuringExecution 1 NodeSelector # What a node must fulfil when the pod is placed.
  preferredDuringSchedulingIgnoredDuringExecution 2 []PreferredSchedulingTerm list=atomic # What a node should fulfil, by weight.
NodeAllocatableResourceClaimStatus # What a claim takes of a node's own resources.
  resourceClaimName 1 string required # Name of the claim.
  containers 2 []string list=set # Containers that use it.
  resources 3 map<quantity> required # What it takes, by resource.
NodeCondition # One aspect of the state of a Node, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastHeartbeatTime 3 time # When the kubelet last wrote the condition.
  lastTransitionTime 4 time # When the status last changed.
  reason 5 string # Why it changed, as one word.
  message 6 string # Why it changed, in words.
NodeConfigSource # Where a kubelet's configuration comes from; no longer used.
  configMap 2 ConfigMapNodeConfigSource # ConfigMap with the configuration.
NodeConfigStatus # State of a kubelet's configuration; no longer used.
  assigned 1 NodeConfigSource # Configuration that is wanted.
  active 2 NodeConfigSource # Configuration in use.
  lastKnownGood 3 NodeConfigSource # Configuration to go back to.
  error 4 string # What is wrong with the wanted one.
NodeDaemonEndpoints # Where daemons of a node listen.
  kubeletEndpoint 1 DaemonEndpoint value # Where the kubelet listens.
NodeFeatures # What a node's runtime can do.
  supplementalGroupsPolicy 1 bool ptr # Whether it knows supplementalGroupsPolicy.
NodeList kind # A list of Node objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Node required # The objects of the list.
NodeRuntimeHandler # One way of a node to run containers.
  name 1 string # Name of the handler; empty: the default one.
  features 2 NodeRuntimeHandlerFeatures # What it can do.
NodeRuntimeHandlerFeatures # What a runtime handler can do.
  recursiveReadOnlyMounts 1 bool ptr # Whether mounts can be read-only with all below them.
  userNamespaces 2 bool ptr # Whether pods can have users of their own.
NodeSelector atomic # Chooses nodes: one of the terms must hold.
  nodeSelectorTerms 1 []NodeSelectorTerm required list=atomic # The terms.
NodeSelectorRequirement # One condition on a node.
  key 1 string required # Label or field of the node.
  operator 2 string required # In, NotIn, Exists, DoesNotExist, Gt or Lt.
  values 3 []string list=atomic # Values to compare with; one whole number for Gt and Lt.
NodeSelectorTerm atomic # Conditions that must all hold; an empty term takes no node.
  matchExpressions 1 []NodeSelectorRequirement list=atomic # Conditions on labels.
  matchFields 2 []NodeSelectorRequirement list=atomic # Conditions on fields; only metadata.name.
NodeSpec # What is wanted of a node.
  podCIDR 1 string # Range of its pods' addresses.
  externalID 2 string # An id of the machine that older versions had.
  providerID 3 string # Id of the machine at its provider.
  unschedulable 4 bool # Whether no new pods are placed on it.
  taints 5 []Taint list=atomic # What keeps pods away that do not tolerate it.
  configSource 6 NodeConfigSource # Source of the kubelet's configuration in older versions.
  podCIDRs 7 []string merge list=set # Ranges of its pods' addresses, at most one of each family.
NodeStatus # What is observed of a node.
  capacity 1 map<quantity> # What the machine has, by resource.
  allocatable 2 map<quantity> # What pods may have of it, by resource.
  phase 3 string # Phase of the node in older versions; conditions replace it.
  conditions 4 []NodeCondition merge=type list=map:type # Aspects of its state: Ready, MemoryPressure and others.
  addresses 5 []NodeAddress merge=type list=map:type # How it can be reached.
  daemonEndpoints 6 NodeDaemonEndpoints value # Where its daemons listen.
  nodeInfo 7 NodeSystemInfo value # What machine and system it is.
  images 8 []ContainerImage list=atomic # Images it has.
  volumesInUse 9 []string list=atomic # Volumes that its pods use.
  volumesAttached 10 []AttachedVolume list=atomic # Volumes attached to it.
  config 11 NodeConfigStatus # State of the kubelet's configuration in older versions.
  runtimeHandlers 12 []NodeRuntimeHandler list=atomic # Ways it has to run containers.
  features 13 NodeFeatures # What its runtime can do.
  declaredFeatures 14 []string list=atomic # Features that its kubelet says it has.
NodeSwapStatus # Swap of a node.
  capacity 1 int64 ptr # Its size in bytes.
NodeSystemInfo # What machine and system a node is.
  machineID 1 string required # Id of the system, from /etc/machine-id.
  systemUUID 2 string required # Id of the machine, from its firmware.
  bootID 3 string required # Id that is new at each boot.
  kernelVersion 4 string required # Version of the kernel.
  osImage 5 string required # Name of the system.
  containerRuntimeVersion 6 string required # Name and version of the container runtime.
  kubeletVersion 7 string required # Version of the kubelet.
  kubeProxyVersion 8 string required # No longer set.
  operatingSystem 9 string required # The operating system: linux or windows.
  architecture 10 string required # Architecture of the processor, such as amd64.
  swap 11 NodeSwapStatus # Its swap.
ObjectFieldSelector atomic # A field of the pod.
  apiVersion 1 string # Version in which the field is named; v1 by default.
  fieldPath 2 string required # Path of the field, such as metadata.name or metadata.labels['x'].
ObjectReference atomic # Any object, by as much as is known.
  kind 1 string # Kind of the object.
  namespace 2 string # Namespace of the object.
  name 3 string # Name of the object.
  uid 4 string # Identity of the object.
  apiVersion 5 string # Group and version of the object.
  resourceVersion 6 string # Version of the object.
  fieldPath 7 string # Part of the object, such as spec.containers{web}.
PersistentVolume kind # Storage that claims can be bound to.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 PersistentVolumeSpec value # What is wanted of the PersistentVolume.
  status 3 PersistentVolumeStatus value # What is observed of the PersistentVolume.
PersistentVolumeClaim kind # Asks for storage, and stands for it in pods.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 PersistentVolumeClaimSpec value # What is wanted of the PersistentVolumeClaim.
  status 3 PersistentVolumeClaimStatus value # What is observed of the PersistentVolumeClaim.
PersistentVolumeClaimCondition # One aspect of the state of a PersistentVolumeClaim, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastProbeTime 3 time # When the condition was last looked at.
  lastTransitionTime 4 time # When the status last changed.
  reason 5 string # Why it changed, as one word.
  message 6 string # Why it changed, in words.
PersistentVolumeClaimList kind # A list of PersistentVolumeClaim objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []PersistentVolumeClaim required # The objects of the list.
PersistentVolumeClaimSpec # What is wanted of a claim.
  accessModes 1 []string list=atomic # How it is to be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
  resources 2 VolumeResourceRequirements value # How much storage is asked for.
  volumeName 3 string # Volume it is bound to.
  selector 4 meta_v1.LabelSelector # Chooses among volumes by labels.
  storageClassName 5 string ptr # Class of storage; empty: no class; unset: the default one.
  volumeMode 6 string ptr # Filesystem or Block; Filesystem by default.
  dataSource 7 TypedLocalObjectReference # Snapshot or claim that it is filled from.
  dataSourceRef 8 TypedObjectReference # Object that it is filled from, of any kind.
  volumeAttributesClassName 9 string ptr # Class of attributes that can change while it is used.
PersistentVolumeClaimStatus # What is observed of a claim.
  phase 1 string # Pending, Bound or Lost.
  accessModes 2 []string list=atomic # How the volume can be mounted.
  capacity 3 map<quantity> # What the volume has.
  conditions 4 []PersistentVolumeClaimCondition merge=type list=map:type # Aspects of its state, such as Resizing.
  allocatedResources 5 map<quantity> # What is set aside for it, while it grows too.
  allocatedResourceStatuses 7 map<string> atomic # How far its growing is, by resource.
  currentVolumeAttributesClassName 8 string ptr # Class of attributes it has now.
  modifyVolumeStatus 9 ModifyVolumeStatus # State of a change of that class.
PersistentVolumeClaimTemplate # A claim to be made.
  metadata 1 meta_v1.ObjectMeta value # Labels and annotations of the claim.
  spec 2 PersistentVolumeClaimSpec required value # What is wanted of the claim.
PersistentVolumeClaimVolumeSource # The volume that a claim is bound to.
  claimName 1 string required # Name of the claim, in the pod's namespace.
  readOnly 2 bool # Whether the volume is mounted read-only.
PersistentVolumeList kind # A list of PersistentVolume objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []PersistentVolume required # The objects of the list.
PersistentVolumeSpec # What is wanted of a volume.
  capacity 1 map<quantity> # What it has, by resource.
  gcePersistentDisk 2.1 GCEPersistentDiskVolumeSource # A disk of Google Cloud.
  awsElasticBlockStore 2.2 AWSElasticBlockStoreVolumeSource # A volume of AWS.
  hostPath 2.3 HostPathVolumeSource # A folder of the node, for clusters of one node.
  glusterfs 2.4 GlusterfsPersistentVolumeSource # A mount of GlusterFS.
  nfs 2.5 NFSVolumeSource # A folder of an NFS server.
  rbd 2.6 RBDPersistentVolumeSource # A block device of Ceph.
  iscsi 2.7 ISCSIPersistentVolumeSource # A volume over iSCSI.
  cinder 2.8 CinderPersistentVolumeSource # A volume of OpenStack.
  cephfs 2.9 CephFSPersistentVolumeSource # A mount of CephFS.
  fc 2.10 FCVolumeSource # A volume over Fibre Channel.
  flocker 2.11 FlockerVolumeSource # A volume of Flocker.
  flexVolume 2.12 FlexPersistentVolumeSource # A volume of a program on the node.
  azureFile 2.13 AzureFilePersistentVolumeSource # A file share of Azure.
  vsphereVolume 2.14 VsphereVirtualDiskVolumeSource # A disk of vSphere.
  quobyte 2.15 QuobyteVolumeSource # A mount of Quobyte.
  azureDisk 2.16 AzureDiskVolumeSource # A disk of Azure.
  photonPersistentDisk 2.17 PhotonPersistentDiskVolumeSource # A disk of Photon.
  portworxVolume 2.18 PortworxVolumeSource # A volume of Portworx.
  scaleIO 2.19 ScaleIOPersistentVolumeSource # A volume of ScaleIO.
  local 2.20 LocalVolumeSource # A disk or folder of one node.
  storageos 2.21 StorageOSPersistentVolumeSource # A volume of StorageOS.
  csi 2.22 CSIPersistentVolumeSource # A volume that a CSI driver serves.
  accessModes 3 []string list=atomic # How it can be mounted.
  claimRef 4 ObjectReference atomic # Claim that it is bound to.
  persistentVolumeReclaimPolicy 5 string # What becomes of it after its claim: Retain, Delete or Recycle.
  storageClassName 6 string # Class that it belongs to; empty: none.
  mountOptions 7 []string list=atomic # Options for mounting it, such as ro.
  volumeMode 8 string ptr # Filesystem or Block; Filesystem by default.
  nodeAffinity 9 VolumeNodeAffinity # Nodes from which it can be reached.
  volumeAttributesClassName 10 string ptr # Class of attributes that can change while it is used.
PersistentVolumeStatus # What is observed of a volume.
  phase 1 string # Pending, Available, Bound, Released or Failed.
  message 2 string # Why it is in that phase, in words.
  reason 3 string # Why it failed, as one word.
  lastPhaseTransitionTime 4 time ptr # When the phase last changed.
PhotonPersistentDiskVolumeSource # A disk of Photon; no longer served.
  pdID 1 string required # Id of the disk.
  fsType 2 string # File system of the volume, such as ext4.
Pod kind # Containers that run together on one node.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 PodSpec value # What is wanted of the Pod.
  status 3 PodStatus value # What is observed of the Pod.
PodAffinity # Rules to run near other pods.
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm list=atomic # What must hold when the pod is placed; all of them.
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm list=atomic # What should hold, by weight.
PodAffinityTerm # Some pods, and what counts as near them.
  labelSelector 1 meta_v1.LabelSelector # Chooses the pods; unset: none.
  namespaces 2 []string list=atomic # Namespaces of the pods; none: that of this pod.
  topologyKey 3 string required # Label of nodes; the same value counts as near.
  namespaceSelector 4 meta_v1.LabelSelector # Chooses more namespaces by their labels; empty: all.
  matchLabelKeys 5 []string list=atomic # Labels of which the pods must have this pod's values.
  mismatchLabelKeys 6 []string list=atomic # Labels of which the pods must not have this pod's values.
PodAntiAffinity # Rules to run away from other pods.
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm list=atomic # What must not hold when the pod is placed; none of them.
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm list=atomic # What should not hold, by weight.
PodCertificateProjection # A key and a certificate for the pod, as files.
  signerName 1 string required # Signer that is asked for the certificate.
  keyType 2 string required # Kind of the key, such as ED25519 or ECDSAP256.
  maxExpirationSeconds 3 int32 ptr # Longest life of the certificate, in seconds.
  credentialBundlePath 4 string # File with key and certificates together.
  keyPath 5 string # File with the key.
  certificateChainPath 6 string # File with the certificates.
  userAnnotations 7 map<string> # Words for the signer.
PodCondition # One aspect of the state of a Pod, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastProbeTime 3 time # When the condition was last looked at.
  lastTransitionTime 4 time # When the status last changed.
  reason 5 string # Why it changed, as one word.
  message 6 string # Why it changed, in words.
  observedGeneration 7 int64 # Generation of the spec that the condition was judged by.
PodDNSConfig # How the pod's names are resolved, added to what dnsPolicy gives.
  nameservers 1 []string list=atomic # Addresses of name servers.
  searches 2 []string list=atomic # Domains to search names in.
  options 3 []PodDNSConfigOption list=atomic # Options of the resolver.
PodDNSConfigOption # An option of the resolver.
  name 1 string # Name of the option, such as ndots.
  value 2 string ptr # Value of the option.
PodExtendedResourceClaimStatus # The claim made for a pod's extended resources.
  requestMappings 1 []ContainerExtendedResourceRequest required list=atomic # Which request serves which container.
  resourceClaimName 2 string required # Name of the claim.
PodIP # An address of a pod.
  ip 1 string required # The address.
PodList kind # A list of Pod objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Pod required # The objects of the list.
PodLogOptions # Which output of a container is asked for.
  container 1 string # Name of the container; needed where the pod has several.
  follow 2 bool # Keeps the stream open for what is to come.
  previous 3 bool # Output of the run before.
  sinceSeconds 4 int64 # Only the last so many seconds.
  sinceTime 5 time # Only what is newer than this.
  timestamps 6 bool # Begins each line with its time.
  tailLines 7 int64 # Only the last so many lines.
  limitBytes 8 int64 # Ends after so many bytes.
  insecureSkipTLSVerifyBackend 9 bool # Does not check the kubelet's certificate.
  stream 10 string # All, Stdout or Stderr.
PodOS # Operating system of a pod.
  name 1 string required # The operating system: linux or windows.
PodReadinessGate # A condition of its own that a pod needs to be ready.
  conditionType 1 string required # The condition.
PodResourceClaim # A claim for devices that containers refer to.
  name 1 string required # Name for it within the pod.
  resourceClaimName 3 string ptr # Name of a claim that exists.
  resourceClaimTemplateName 4 string ptr # Template that a claim is made from for this pod.
PodResourceClaimStatus # The claim that was made for a pod.
  name 1 string required # Name of it within the pod.
  resourceClaimName 2 string ptr # Name of the claim.
PodSchedulingGate # Keeps a pod from being placed while it is there.
  name 1 string required # Name of the gate.
PodSchedulingGroup # Pods that are placed together.
  podGroupName 1 string ptr # Name of the group.
PodSecurityContext # As whom and with what rights a pod's containers run.
  seLinuxOptions 1 SELinuxOptions # SELinux label of the containers.
  runAsUser 2 int64 ptr # Number of the user; by default the image's.
  runAsNonRoot 3 bool ptr # Whether containers that would run as root are refused.
  supplementalGroups 4 []int64 list=atomic # Numbers of further groups of the first process.
  fsGroup 5 int64 ptr # Group that gets the pod's volumes.
  runAsGroup 6 int64 ptr # Number of the group; by default the runtime's.
  sysctls 7 []Sysctl list=atomic # Kernel settings of the pod.
  windowsOptions 8 WindowsSecurityContextOptions # Settings for Windows.
  fsGroupChangePolicy 9 string ptr # When volumes are given to fsGroup: Always or OnRootMismatch.
  seccompProfile 10 SeccompProfile # System calls that are allowed.
  appArmorProfile 11 AppArmorProfile # AppArmor profile of the containers.
  supplementalGroupsPolicy 12 string ptr # Merge: the image's groups count too; Strict: they do not.
  seLinuxChangePolicy 13 string ptr # How volumes get their SELinux label: MountOption or Recursive.
PodSpec # What is wanted of a pod.
  volumes 1 []Volume merge=name retainKeys list=map:name # Volumes that containers can mount.
  containers 2 []Container required merge=name list=map:name # The containers; at least one.
  restartPolicy 3 string # Always, OnFailure or Never; Always by default.
  terminationGracePeriodSeconds 4 int64 ptr # Seconds containers may take to end; 30 by default.
  activeDeadlineSeconds 5 int64 ptr # Seconds after which the pod is ended as failed.
  dnsPolicy 6 string # ClusterFirst, ClusterFirstWithHostNet, Default or None.
  nodeSelector 7 map<string> atomic # Labels that the node must have.
  serviceAccountName 8 string # Service account that it runs as.
  serviceAccount 9 string # Old name of serviceAccountName.
  nodeName 10 string # Node it runs on; set when it is placed.
  hostNetwork 11 bool # Whether it uses the node's network.
  hostPID 12 bool # Whether it sees the node's processes.
  hostIPC 13 bool # Whether it shares the node's IPC.
  securityContext 14 PodSecurityContext # As whom and with what rights its containers run.
  imagePullSecrets 15 []LocalObjectReference merge=name list=map:name # Secrets for fetching images.
  hostname 16 string # Its host name; by default its own name.
  subdomain 17 string # Headless Service below which it has its name in DNS.
  affinity 18 Affinity # Rules about where it may or should run.
  schedulerName 19 string # Scheduler that places it; default-scheduler by default.
  initContainers 20 []Container merge=name list=map:name # Containers that run before the others, one after the other; those that restart always stay.
  automountServiceAccountToken 21 bool ptr # Whether it gets a token of its service account.
  tolerations 22 []Toleration list=atomic # Taints that do not keep it away.
  hostAliases 23 []HostAlias merge=ip list=map:ip # Lines for its hosts file.
  priorityClassName 24 string # Class that gives its priority.
  priority 25 int32 ptr # Its priority; higher goes first. Set from the class.
  dnsConfig 26 PodDNSConfig # How its names are resolved.
  shareProcessNamespace 27 bool ptr # Whether its containers see each other's processes.
  readinessGates 28 []PodReadinessGate list=atomic # Conditions that it needs, besides its containers, to be ready.
  runtimeClassName 29 string ptr # RuntimeClass that says how it is run.
  enableServiceLinks 30 bool ptr # Whether its containers get variables about Services.
  preemptionPolicy 31 string ptr # Whether it may push others away: PreemptLowerPriority or Never.
  overhead 32 map<quantity> # What running it costs beside its containers.
  topologySpreadConstraints 33 []TopologySpreadConstraint merge=topologyKey list=map:topologyKey,whenUnsatisfiable # How it is spread with others over zones and nodes.
  ephemeralContainers 34 []EphemeralContainer merge=name list=map:name # Containers added while it runs.
  setHostnameAsFQDN 35 bool ptr # Whether its host name is its full name in DNS.
  os 36 PodOS # Operating system it is for.
  hostUsers 37 bool ptr # Whether it shares the node's users; false: it has its own.
  schedulingGates 38 []PodSchedulingGate merge=name list=map:name # What keeps it from being placed.
  resourceClaims 39 []PodResourceClaim merge=name retainKeys list=map:name # Claims for devices.
  resources 40 ResourceRequirements # What all its containers together request and may use.
  hostnameOverride 41 string ptr # Host name in place of all others.
  schedulingGroup 43 PodSchedulingGroup # Group with which it is placed.
PodStatus # What is observed of a pod.
  phase 1 string # Pending, Running, Succeeded, Failed or Unknown.
  conditions 2 []PodCondition merge=type list=map:type # Aspects of its state: PodScheduled, Ready and others.
  message 3 string # Why it is in this state, in words.
  reason 4 string # Why it is in this state, as one word, such as Evicted.
  hostIP 5 string # Address of its node.
  podIP 6 string # Its address.
  startTime 7 time ptr # When its kubelet first saw it.
  containerStatuses 8 []ContainerStatus list=atomic # What is observed of its containers.
  qosClass 9 string # Guaranteed, Burstable or BestEffort.
  initContainerStatuses 10 []ContainerStatus list=atomic # What is observed of its init containers.
  nominatedNodeName 11 string # Node on which others are pushed away for it.
  podIPs 12 []PodIP merge=ip list=map:ip # Its addresses, at most one of each family.
  ephemeralContainerStatuses 13 []ContainerStatus list=atomic # What is observed of its ephemeral containers.
  resize 14 string # Old form of the conditions about a resize.
  resourceClaimStatuses 15 []PodResourceClaimStatus merge=name retainKeys list=map:name # Claims that were made for it.
  hostIPs 16 []HostIP merge=ip list=atomic # Addresses of its node.
  observedGeneration 17 int64 # Newest generation of the spec that its kubelet has seen.
  extendedResourceClaimStatus 18 PodExtendedResourceClaimStatus # Claim made for its extended resources.
  allocatedResources 19 map<quantity> # What its node set aside for it.
  resources 20 ResourceRequirements # Requests and limits in force.
  nodeAllocatableResourceClaimStatuses 21 []NodeAllocatableResourceClaimStatus list=atomic # What its claims take of its node's own resources.
PodTemplate kind # A pod to be made, as an object of its own.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  template 2 PodTemplateSpec value # The pod.
PodTemplateList kind # A list of PodTemplate objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []PodTemplate required # The objects of the list.
PodTemplateSpec # A pod to be made.
  metadata 1 meta_v1.ObjectMeta value # Labels and annotations of the pod.
  spec 2 PodSpec value # What is wanted of the pod.
PortStatus # State of a Service's port at a load balancer.
  port 1 int32 required # Number of the port.
  protocol 2 string required # TCP, UDP or SCTP.
  error 3 string ptr # Why the port is not served, as one word.
PortworxVolumeSource # A volume of Portworx; served by a CSI driver today.
  volumeID 1 string required # Id of the volume.
  fsType 2 string # File system of the volume, such as ext4.
  readOnly 3 bool # Whether the volume is mounted read-only.
PreferredSchedulingTerm # A wish about nodes.
  weight 1 int32 required # How much it counts, from 1 to 100.
  preference 2 NodeSelectorTerm required value # What the node should fulfil.
Probe # How it is found out how a container is.
  exec 1.1 ExecAction # Runs a command in the container.
  httpGet 1.2 HTTPGetAction # Asks a server over HTTP.
  tcpSocket 1.3 TCPSocketAction # Opens a connection.
  grpc 1.4 GRPCAction # Asks a server over gRPC.
  initialDelaySeconds 2 int32 # Seconds after the start before the first try.
  timeoutSeconds 3 int32 # Seconds a try may take; 1 by default.
  periodSeconds 4 int32 # Seconds between tries; 10 by default.
  successThreshold 5 int32 # Successes in a row that count as success; 1 by default.
  failureThreshold 6 int32 # Failures in a row that count as failure; 3 by default.
  terminationGracePeriodSeconds 7 int64 ptr # Seconds the container may take to end after a failure; by default the pod's.
ProjectedVolumeSource # A volume of files from several sources.
  sources 1 []VolumeProjection list=atomic # The sources.
  defaultMode 2 int32 ptr # Permissions of the files; 0644 by default.
QuobyteVolumeSource # A mount of Quobyte; no longer served.
  registry 1 string required # Addresses of the registry.
  volume 2 string required # Name of the volume.
  readOnly 3 bool # Whether the volume is mounted read-only.
  user 4 string # User to mount as.
  group 5 string # Group to mount as.
  tenant 6 string # Tenant of the volume.
RBDPersistentVolumeSource # A block device of Ceph; no longer served.
  monitors 1 []string required list=atomic # Addresses of the Ceph monitors.
  image 2 string required # Name of the device's image.
  fsType 3 string # File system of the volume, such as ext4.
  pool 4 string # Pool of the image; rbd by default.
  user 5 string # Name of the Ceph user; admin by default.
  keyring 6 string # File with the user's key.
  secretRef 7 SecretReference # Secret with the user's key; goes before keyring.
  readOnly 8 bool # Whether the volume is mounted read-only.
RBDVolumeSource # A block device of Ceph; no longer served.
  monitors 1 []string required list=atomic # Addresses of the Ceph monitors.
  image 2 string required # Name of the device's image.
  fsType 3 string # File system of the volume, such as ext4.
  pool 4 string # Pool of the image; rbd by default.
  user 5 string # Name of the Ceph user; admin by default.
  keyring 6 string # File with the user's key.
  secretRef 7 LocalObjectReference # Secret with the user's key; goes before keyring.
  readOnly 8 bool # Whether the volume is mounted read-only.
RangeAllocation # Which numbers or addresses of a range are given away; for the server's own use.
  metadata 1 ObjectMeta # Name, namespace, labels and what else every object carries.
  range 2 string # The range.
  data 3 bytes # A bit for each of them.
ReplicationController kind # Keeps a number of equal pods running; ReplicaSet is its successor.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 ReplicationControllerSpec value # What is wanted of the ReplicationController.
  status 3 ReplicationControllerStatus value # What is observed of the ReplicationController.
ReplicationControllerCondition # One aspect of the state of a ReplicationController, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastTransitionTime 3 time # When the status last changed.
  reason 4 string # Why it changed, as one word.
  message 5 string # Why it changed, in words.
ReplicationControllerList kind # A list of ReplicationController objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ReplicationController required # The objects of the list.
ReplicationControllerSpec # What is wanted of a ReplicationController.
  replicas 1 int32 ptr # How many pods are wanted; 1 by default.
  selector 2 map<string> atomic # Labels of the pods that belong to it; by default those of the template.
  template 3 PodTemplateSpec # The pod that is made where one is missing.
  minReadySeconds 4 int32 # Seconds a new pod must be ready before it counts as available.
ReplicationControllerStatus # What is observed of a ReplicationController.
  replicas 1 int32 required # Pods that belong to it and have not ended.
  fullyLabeledReplicas 2 int32 # Pods that have all labels of the template.
  observedGeneration 3 int64 # Newest generation of the spec that the controller has seen.
  readyReplicas 4 int32 # Pods that are ready.
  availableReplicas 5 int32 # Pods that have been ready for minReadySeconds.
  conditions 6 []ReplicationControllerCondition merge=type list=map:type # Aspects of its state, as last observed.
ResourceClaim # A pod's claim that a container uses.
  name 1 string required # Name of the claim in the pod.
  request 2 string # Only this request of the claim; empty: all.
ResourceFieldSelector atomic # A request or limit of a container.
  containerName 1 string # Name of the container; needed in volumes.
  resource 2 string required # Which one, such as limits.cpu.
  divisor 3 quantity # Unit it is told in; 1 by default.
ResourceHealth # Health of one device.
  resourceID 1 string required # Id of the device.
  health 2 string # Healthy, Unhealthy or Unknown.
  message 6 string # More about its health.
ResourceQuota kind # Limits what all objects of a namespace together may ask for.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 ResourceQuotaSpec value # What is wanted of the ResourceQuota.
  status 3 ResourceQuotaStatus value # What is observed of the ResourceQuota.
ResourceQuotaList kind # A list of ResourceQuota objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ResourceQuota required # The objects of the list.
ResourceQuotaSpec # What is wanted of a quota.
  hard 1 map<quantity> # The limits, by resource; count/pods counts objects.
  scopes 2 []string list=atomic # Counts only objects to which all of these apply.
  scopeSelector 3 ScopeSelector # Counts only objects that fit; like scopes, with values.
ResourceQuotaStatus # What is observed of a quota.
  hard 1 map<quantity> # The limits in force, by resource.
  used 2 map<quantity> # What is used of them, by resource.
ResourceRequirements # What a container or pod requests and may use.
  limits 1 map<quantity> # Most that it may use, by resource.
  requests 2 map<quantity> # Least that it needs, by resource; by default its limits.
  claims 3 []ResourceClaim list=map:name # Claims for devices that it uses.
ResourceStatus # State of the devices of one resource.
  name 1 string required # Name of the resource.
  resources 2 []ResourceHealth list=map:resourceID # Health of each device.
SELinuxOptions # An SELinux label.
  user 1 string # User part of the label.
  role 2 string # Role part of the label.
  type 3 string # Type part of the label.
  level 4 string # Level part of the label.
ScaleIOPersistentVolumeSource # A volume of ScaleIO; no longer served.
  gateway 1 string required # Address of the gateway.
  system 2 string required # Name of the storage system.
  secretRef 3 SecretReference required value # Secret with access to the gateway.
  sslEnabled 4 bool # Whether the gateway is spoken to over TLS.
  protectionDomain 5 string # Protection domain of the storage.
  storagePool 6 string # Pool of the storage.
  storageMode 7 string # ThickProvisioned or ThinProvisioned.
  volumeName 8 string # Name of the volume.
  fsType 9 string # File system of the volume, such as ext4.
  readOnly 10 bool # Whether the volume is mounted read-only.
ScaleIOVolumeSource # A volume of ScaleIO; no longer served.
  gateway 1 string required # Address of the gateway.
  system 2 string required # Name of the storage system.
  secretRef 3 LocalObjectReference required value # Secret with access to the gateway.
  sslEnabled 4 bool # Whether the gateway is spoken to over TLS.
  protectionDomain 5 string # Protection domain of the storage.
  storagePool 6 string # Pool of the storage.
  storageMode 7 string # ThickProvisioned or ThinProvisioned.
  volumeName 8 string # Name of the volume.
  fsType 9 string # File system of the volume, such as ext4.
  readOnly 10 bool # Whether the volume is mounted read-only.
ScopeSelector atomic # Scopes of a quota with values.
  matchExpressions 1 []ScopedResourceSelectorRequirement list=atomic # Conditions, all of which must hold.
ScopedResourceSelectorRequirement # One condition on a scope.
  scopeName 1 string required # The scope, such as PriorityClass.
  operator 2 string required # In, NotIn, Exists or DoesNotExist.
  values 3 []string list=atomic # Values to compare with; none for Exists and DoesNotExist.
SeccompProfile # System calls that are allowed.
  type 1 string required # RuntimeDefault, Unconfined or Localhost.
  localhostProfile 2 string ptr # File of a profile on the node, for Localhost.
Secret kind # Small data that few should see, such as keys and passwords.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  data 2 map<bytes> # Values in base64.
  type 3 string # What it is for, such as kubernetes.io/tls; it cannot change.
  stringData 4 map<string> # Values as text; written into data, never read back.
  immutable 5 bool ptr # Whether the data can no longer be changed.
SecretEnvSource # A Secret whose entries become variables.
  name 1.1 string # Name of the Secret.
  optional 2 bool ptr # Whether the container starts where it does not exist.
SecretKeySelector atomic # One entry of a Secret.
  name 1.1 string # Name of the Secret.
  key 2 string required # The entry.
  optional 3 bool ptr # Whether the container starts where it does not exist.
SecretList kind # A list of Secret objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Secret required # The objects of the list.
SecretProjection # Entries of a Secret as files in a projected volume.
  name 1.1 string # Name of the Secret.
  items 2 []KeyToPath list=atomic # Entries to show, and under which paths; unset: all by their names.
  optional 4 bool ptr # Whether the pod starts where it does not exist.
SecretReference atomic # A Secret of any namespace.
  name 1 string # Name of the Secret.
  namespace 2 string # Namespace of the Secret.
SecretVolumeSource # A volume with the entries of a Secret as files.
  secretName 1 string # Name of the Secret.
  items 2 []KeyToPath list=atomic # Entries to show, and under which paths; unset: all by their names.
  defaultMode 3 int32 ptr # Permissions of the files; 0644 by default.
  optional 4 bool ptr # Whether the pod starts where it does not exist.
SecurityContext # As whom and with what rights a container runs; goes before the pod's.
  capabilities 1 Capabilities # Capabilities it gains and loses.
  privileged 2 bool ptr # Whether it may do all that root on the node may.
  seLinuxOptions 3 SELinuxOptions # SELinux label of the container.
  runAsUser 4 int64 ptr # Number of the user; by default the image's.
  runAsNonRoot 5 bool ptr # Whether it is refused where it would run as root.
  readOnlyRootFilesystem 6 bool ptr # Whether its own files cannot be written.
  allowPrivilegeEscalation 7 bool ptr # Whether a process may get more rights than the one that started it.
  runAsGroup 8 int64 ptr # Number of the group; by default the runtime's.
  procMount 9 string ptr # How /proc is mounted: Default or Unmasked.
  windowsOptions 10 WindowsSecurityContextOptions # Settings for Windows.
  seccompProfile 11 SeccompProfile # System calls that are allowed.
  appArmorProfile 12 AppArmorProfile # AppArmor profile of the container.
SerializedReference # A reference to an object, as a kind of its own.
  reference 1 ObjectReference # The object.
Service kind # One address and name for a set of pods.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 ServiceSpec value # What is wanted of the Service.
  status 3 ServiceStatus value # What is observed of the Service.
ServiceAccount kind # A name that programs in pods act under.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  secrets 2 []ObjectReference merge=name list=map:name # Secrets that its pods may use.
  imagePullSecrets 3 []LocalObjectReference list=atomic # Secrets for fetching images of its pods.
  automountServiceAccountToken 4 bool ptr # Whether its pods get a token; a pod's own word goes before.
ServiceAccountList kind # A list of ServiceAccount objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ServiceAccount required # The objects of the list.
ServiceAccountTokenProjection # A token of the pod's service account, as a file.
  audience 1 string # Who the token is meant for; by default the API server.
  expirationSeconds 2 int64 ptr # Seconds it is valid; renewed in time. At least 600, 3600 by default.
  path 3 string required # Name of the file in the volume.
ServiceList kind # A list of Service objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Service required # The objects of the list.
ServicePort # A port of a Service.
  name 1 string # Name of the port; needed where there are several.
  protocol 2 string # TCP, UDP or SCTP; TCP by default.
  port 3 int32 required # Number of the port at the Service.
  targetPort 4 intorstring # Port of the pods, by number or name; by default the same.
  nodePort 5 int32 # Port of every node that leads to it; given by the server where wanted.
  appProtocol 6 string ptr # Protocol spoken on the port, such as kubernetes.io/h2c.
ServiceSpec # What is wanted of a Service.
  ports 1 []ServicePort merge=port list=map:port,protocol # The ports.
  selector 2 map<string> atomic # Labels of the pods behind it; none: somebody else keeps its endpoints.
  clusterIP 3 string # Its address; None: it has none, and DNS answers with the pods' (headless).
  type 4 string # ClusterIP, NodePort, LoadBalancer or ExternalName.
  externalIPs 5 []string list=atomic # More addresses for which nodes take its traffic.
  sessionAffinity 7 string # None, or ClientIP: a client stays with a pod.
  loadBalancerIP 8 string # Address wished for at the load balancer; not used by all.
  loadBalancerSourceRanges 9 []string list=atomic # Networks from which the load balancer may be used.
  externalName 10 string # Name in DNS that it is an alias of, for ExternalName.
  externalTrafficPolicy 11 string # Cluster, or Local: a node serves traffic from outside by its own pods only.
  healthCheckNodePort 12 int32 # Port of nodes that tells balancers whether there are such pods.
  publishNotReadyAddresses 13 bool # Whether pods that are not ready are found too.
  sessionAffinityConfig 14 SessionAffinityConfig # Settings of sessionAffinity.
  ipFamilyPolicy 17 string ptr # SingleStack, PreferDualStack or RequireDualStack.
  clusterIPs 18 []string list=atomic # Its addresses, at most one of each family; the first is clusterIP.
  ipFamilies 19 []string list=atomic # Families of the addresses: IPv4, IPv6.
  allocateLoadBalancerNodePorts 20 bool ptr # Whether a LoadBalancer gets ports of nodes.
  loadBalancerClass 21 string ptr # Which implementation serves a LoadBalancer.
  internalTrafficPolicy 22 string ptr # Cluster, or Local: a node serves traffic from inside by its own pods only.
  trafficDistribution 23 string ptr # Which endpoints are preferred, such as PreferSameZone.
ServiceStatus # What is observed of a Service.
  loadBalancer 1 LoadBalancerStatus value # State of its load balancer.
  conditions 2 []meta_v1.Condition merge=type list=map:type # Aspects of its state, as last observed.
SessionAffinityConfig # Settings of a Service's affinity.
  clientIP 1 ClientIPConfig # Affinity by the address of the client.
SleepAction # Waits.
  seconds 1 int64 required # How many seconds.
StorageOSPersistentVolumeSource # A volume of StorageOS; no longer served.
  volumeName 1 string # Name of the volume.
  volumeNamespace 2 string # Namespace of the volume in StorageOS.
  fsType 3 string # File system of the volume, such as ext4.
  readOnly 4 bool # Whether the volume is mounted read-only.
  secretRef 5 ObjectReference # Secret with access to StorageOS.
StorageOSVolumeSource # A volume of StorageOS; no longer served.
  volumeName 1 string # Name of the volume.
  volumeNamespace 2 string # Namespace of the volume in StorageOS.
  fsType 3 string # File system of the volume, such as ext4.
  readOnly 4 bool # Whether the volume is mounted read-only.
  secretRef 5 LocalObjectReference # Secret with access to StorageOS.
Sysctl # A kernel setting.
  name 1 string required # Name of the setting.
  value 2 string required # Value of the setting.
TCPSocketAction # Opens a connection; that it opens is success.
  port 1 intorstring required # Port, by number or name.
  host 2 string # Host to connect to; by default the pod's address.
Taint # Keeps pods away from a node that do not tolerate it.
  key 1 string required # Name of the taint.
  value 2 string # Value of the taint.
  effect 3 string required # NoSchedule, PreferNoSchedule, or NoExecute: running pods go too.
  timeAdded 4 time ptr # When it was put on the node.
Toleration # A taint that does not keep a pod away.
  key 1 string # Name of the taint; empty with Exists: all taints.
  operator 2 string # Exists, or Equal: the value must be the same. Equal by default.
  value 3 string # Value of the taint.
  effect 4 string # Effect of the taint; empty: all.
  tolerationSeconds 5 int64 ptr # How long NoExecute is tolerated; unset: for ever.
TopologySelectorLabelRequirement # Values that a label may have.
  key 1 string required # The label.
  values 2 []string required list=atomic # The values, one of which it must have.
TopologySelectorTerm atomic # Conditions on labels, all of which must hold.
  matchLabelExpressions 1 []TopologySelectorLabelRequirement list=atomic # The conditions.
TopologySpreadConstraint # How pods are spread over zones, nodes or the like.
  maxSkew 1 int32 required # How much the numbers of pods may differ.
  topologyKey 2 string required # Label of nodes; the same value is one place.
  whenUnsatisfiable 3 string required # DoNotSchedule, or ScheduleAnyway: it is only a wish.
  labelSelector 4 meta_v1.LabelSelector # Chooses the pods that are counted.
  minDomains 5 int32 ptr # Fewest places there should be; with fewer, empty ones are assumed.
  nodeAffinityPolicy 6 string ptr # Whether nodes the pod cannot run on are left out: Honor or Ignore.
  nodeTaintsPolicy 7 string ptr # Whether nodes with taints it does not tolerate are left out: Honor or Ignore.
  matchLabelKeys 8 []string list=atomic # Labels of which the counted pods must have this pod's values.
TypedLocalObjectReference atomic # An object of the same namespace, by kind and name.
  apiGroup 1 string ptr # Group of the kind; empty: core.
  kind 2 string required # Kind of the object.
  name 3 string required # Name of the object.
TypedObjectReference # An object of any namespace, by kind and name.
  apiGroup 1 string ptr # Group of the kind; empty: core.
  kind 2 string required # Kind of the object.
  name 3 string required # Name of the object.
  namespace 4 string ptr # Namespace of the object; by default the same.
Volume # Files that a pod's containers can mount: one of the sources.
  name 1 string required # Name of the volume, unique in the pod.
  hostPath 2.1 HostPathVolumeSource # A file or folder of the node.
  emptyDir 2.2 EmptyDirVolumeSource # An empty folder that lives as long as the pod.
  gcePersistentDisk 2.3 GCEPersistentDiskVolumeSource # A disk of Google Cloud.
  awsElasticBlockStore 2.4 AWSElasticBlockStoreVolumeSource # A volume of AWS.
  gitRepo 2.5 GitRepoVolumeSource # A folder filled from a git repository.
  secret 2.6 SecretVolumeSource # The entries of a Secret as files.
  nfs 2.7 NFSVolumeSource # A folder of an NFS server.
  iscsi 2.8 ISCSIVolumeSource # A volume over iSCSI.
  glusterfs 2.9 GlusterfsVolumeSource # A mount of GlusterFS.
  persistentVolumeClaim 2.10 PersistentVolumeClaimVolumeSource # The volume that a claim is bound to.
  rbd 2.11 RBDVolumeSource # A block device of Ceph.
  flexVolume 2.12 FlexVolumeSource # A volume of a program on the node.
  cinder 2.13 CinderVolumeSource # A volume of OpenStack.
  cephfs 2.14 CephFSVolumeSource # A mount of CephFS.
  flocker 2.15 FlockerVolumeSource # A volume of Flocker.
  downwardAPI 2.16 DownwardAPIVolumeSource # Fields of the pod as files.
  fc 2.17 FCVolumeSource # A volume over Fibre Channel.
  azureFile 2.18 AzureFileVolumeSource # A file share of Azure.
  configMap 2.19 ConfigMapVolumeSource # The entries of a ConfigMap as files.
  vsphereVolume 2.20 VsphereVirtualDiskVolumeSource # A disk of vSphere.
  quobyte 2.21 QuobyteVolumeSource # A mount of Quobyte.
  azureDisk 2.22 AzureDiskVolumeSource # A disk of Azure.
  photonPersistentDisk 2.23 PhotonPersistentDiskVolumeSource # A disk of Photon.
  portworxVolume 2.24 PortworxVolumeSource # A volume of Portworx.
  scaleIO 2.25 ScaleIOVolumeSource # A volume of ScaleIO.
  projected 2.26 ProjectedVolumeSource # Files from several sources.
  storageos 2.27 StorageOSVolumeSource # A volume of StorageOS.
  csi 2.28 CSIVolumeSource # A volume that a CSI driver makes for the pod.
  ephemeral 2.29 EphemeralVolumeSource # A volume made for the pod from a claim's template.
  image 2.30 ImageVolumeSource # The content of an image.
VolumeDevice # Where a block volume appears in a container.
  name 1 string required # Name of the volume, which is a claim.
  devicePath 2 string required # Path of the device in the container.
VolumeMount # Where a volume appears in a container.
  name 1 string required # Name of the volume.
  readOnly 2 bool # Whether it cannot be written through this mount.
  mountPath 3 string required # Path in the container; without a colon.
  subPath 4 string # Part of the volume that appears; all by default.
  mountPropagation 5 string ptr # Whether later mounts are passed on: None, HostToContainer or Bidirectional.
  subPathExpr 6 string # Like subPath, with variables as $(NAME).
  recursiveReadOnly 7 string ptr # Whether readOnly holds for what is mounted below: Disabled, IfPossible or Enabled.
VolumeMountStatus # A volume that a container has.
  name 1 string required # Name of the volume.
  mountPath 2 string required # Path in the container.
  readOnly 3 bool # Whether it cannot be written.
  recursiveReadOnly 4 string ptr # Whether what is mounted below cannot either.
  volumeStatus 5 VolumeStatus # More about the volume.
VolumeNodeAffinity # Nodes from which a volume can be reached.
  required 1 NodeSelector # What a node must fulfil.
VolumeProjection # One source of a projected volume: one of these.
  secret 1 SecretProjection # Entries of a Secret.
  downwardAPI 2 DownwardAPIProjection # Fields of the pod.
  configMap 3 ConfigMapProjection # Entries of a ConfigMap.
  serviceAccountToken 4 ServiceAccountTokenProjection # A token of the pod's service account.
  clusterTrustBundle 5 ClusterTrustBundleProjection # Certificates of trust bundles.
  podCertificate 6 PodCertificateProjection # A key and a certificate for the pod.
VolumeResourceRequirements # How much storage a claim asks for.
  limits 1 map<quantity> # Most storage it may get.
  requests 2 map<quantity> # Least storage it needs.
VolumeStatus # More about a volume.
  image 1 ImageVolumeStatus # State of an image's volume.
VsphereVirtualDiskVolumeSource # A disk of vSphere; served by a CSI driver today.
  volumePath 1 string required # Path of the disk.
  fsType 2 string # File system of the volume, such as ext4.
  storagePolicyName 3 string # Name of the storage policy.
  storagePolicyID 4 string # Id of the storage policy.
WeightedPodAffinityTerm # A wish to be near some pods, or away from them.
  weight 1 int32 required # How much it counts, from 1 to 100.
  podAffinityTerm 2 PodAffinityTerm required value # The pods, and what counts as near them.
WindowsSecurityContextOptions # Rights of a container on Windows.
  gmsaCredentialSpecName 1 string ptr # Name of the group account's credentials.
  gmsaCredentialSpec 2 string ptr # The group account's credentials themselves.
  runAsUserName 3 string ptr # Name of the user.
  hostProcess 4 bool ptr # Whether it runs as a process of the node.
`;
