// The field facts of v1: see ../schema.ts for the line format.
export const coreV1 = `
AWSElasticBlockStoreVolumeSource
  volumeID 1 string required
  fsType 2 string
  partition 3 int32
  readOnly 4 bool
Affinity
  nodeAffinity 1 NodeAffinity
  podAffinity 2 PodAffinity
  podAntiAffinity 3 PodAntiAffinity
AppArmorProfile
  type 1 string required
  localhostProfile 2 string ptr
AttachedVolume
  name 1 string required
  devicePath 2 string required
AzureDiskVolumeSource
  diskName 1 string required
  diskURI 2 string required
  cachingMode 3 string ptr
  fsType 4 string ptr
  readOnly 5 bool ptr
  kind 6 string ptr
AzureFilePersistentVolumeSource
  secretName 1 string required
  shareName 2 string required
  readOnly 3 bool
  secretNamespace 4 string ptr
AzureFileVolumeSource
  secretName 1 string required
  shareName 2 string required
  readOnly 3 bool
Binding kind
  metadata 1 meta_v1.ObjectMeta value
  target 2 ObjectReference required value
CSIPersistentVolumeSource
  driver 1 string required
  volumeHandle 2 string required
  readOnly 3 bool
  fsType 4 string
  volumeAttributes 5 map<string>
  controllerPublishSecretRef 6 SecretReference
  nodeStageSecretRef 7 SecretReference
  nodePublishSecretRef 8 SecretReference
  controllerExpandSecretRef 9 SecretReference
  nodeExpandSecretRef 10 SecretReference
CSIVolumeSource
  driver 1 string required
  readOnly 2 bool ptr
  fsType 3 string ptr
  volumeAttributes 4 map<string>
  nodePublishSecretRef 5 LocalObjectReference
Capabilities
  add 1 []string list=atomic
  drop 2 []string list=atomic
CephFSPersistentVolumeSource
  monitors 1 []string required list=atomic
  path 2 string
  user 3 string
  secretFile 4 string
  secretRef 5 SecretReference
  readOnly 6 bool
CephFSVolumeSource
  monitors 1 []string required list=atomic
  path 2 string
  user 3 string
  secretFile 4 string
  secretRef 5 LocalObjectReference
  readOnly 6 bool
CinderPersistentVolumeSource
  volumeID 1 string required
  fsType 2 string
  readOnly 3 bool
  secretRef 4 SecretReference
CinderVolumeSource
  volumeID 1 string required
  fsType 2 string
  readOnly 3 bool
  secretRef 4 LocalObjectReference
ClientIPConfig
  timeoutSeconds 1 int32 ptr
ClusterTrustBundleProjection
  name 1 string ptr
  signerName 2 string ptr
  labelSelector 3 meta_v1.LabelSelector
  path 4 string required
  optional 5 bool ptr
ComponentCondition
  type 1 string required
  status 2 string required
  message 3 string
  error 4 string
ComponentStatus kind
  metadata 1 meta_v1.ObjectMeta value
  conditions 2 []ComponentCondition merge=type list=map:type
ComponentStatusList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ComponentStatus required
ConfigMap kind
  metadata 1 meta_v1.ObjectMeta value
  data 2 map<string>
  binaryData 3 map<bytes>
  immutable 4 bool ptr
ConfigMapEnvSource
  name 1.1 string
  optional 2 bool ptr
ConfigMapKeySelector atomic
  name 1.1 string
  key 2 string required
  optional 3 bool ptr
ConfigMapList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ConfigMap required
ConfigMapNodeConfigSource
  namespace 1 string required
  name 2 string required
  uid 3 string
  resourceVersion 4 string
  kubeletConfigKey 5 string required
ConfigMapProjection
  name 1.1 string
  items 2 []KeyToPath list=atomic
  optional 4 bool ptr
ConfigMapVolumeSource
  name 1.1 string
  items 2 []KeyToPath list=atomic
  defaultMode 3 int32 ptr
  optional 4 bool ptr
Container
  name 1 string required
  image 2 string
  command 3 []string list=atomic
  args 4 []string list=atomic
  workingDir 5 string
  ports 6 []ContainerPort merge=containerPort list=map:containerPort,protocol
  env 7 []EnvVar merge=name list=map:name
  resources 8 ResourceRequirements value
  volumeMounts 9 []VolumeMount merge=mountPath list=map:mountPath
  livenessProbe 10 Probe
  readinessProbe 11 Probe
  lifecycle 12 Lifecycle
  terminationMessagePath 13 string
  imagePullPolicy 14 string
  securityContext 15 SecurityContext
  stdin 16 bool
  stdinOnce 17 bool
  tty 18 bool
  envFrom 19 []EnvFromSource list=atomic
  terminationMessagePolicy 20 string
  volumeDevices 21 []VolumeDevice merge=devicePath list=map:devicePath
  startupProbe 22 Probe
  resizePolicy 23 []ContainerResizePolicy list=atomic
  restartPolicy 24 string ptr
  restartPolicyRules 25 []ContainerRestartRule list=atomic
ContainerExtendedResourceRequest
  containerName 1 string required
  resourceName 2 string required
  requestName 3 string required
ContainerImage
  names 1 []string list=atomic
  sizeBytes 2 int64
ContainerPort
  name 1 string
  hostPort 2 int32
  containerPort 3 int32 required
  protocol 4 string
  hostIP 5 string
ContainerResizePolicy
  resourceName 1 string required
  restartPolicy 2 string required
ContainerRestartRule
  action 1 string required
  exitCodes 2 ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes
  operator 1 string required
  values 2 []int32 list=set
ContainerState
  waiting 1 ContainerStateWaiting
  running 2 ContainerStateRunning
  terminated 3 ContainerStateTerminated
ContainerStateRunning
  startedAt 1 time
ContainerStateTerminated
  exitCode 1 int32 required
  signal 2 int32
  reason 3 string
  message 4 string
  startedAt 5 time
  finishedAt 6 time
  containerID 7 string
ContainerStateWaiting
  reason 1 string
  message 2 string
ContainerStatus
  name 1 string required
  state 2 ContainerState value
  lastState 3 ContainerState value
  ready 4 bool required
  restartCount 5 int32 required
  image 6 string required
  imageID 7 string required
  containerID 8 string
  started 9 bool ptr
  allocatedResources 10 map<quantity>
  resources 11 ResourceRequirements
  volumeMounts 12 []VolumeMountStatus merge=mountPath list=map:mountPath
  user 13 ContainerUser
  allocatedResourcesStatus 14 []ResourceStatus merge=name list=map:name
  stopSignal 15 string ptr
ContainerUser
  linux 1 LinuxContainerUser
DaemonEndpoint
  Port 1 int32 required
DownwardAPIProjection
  items 1 []DownwardAPIVolumeFile list=atomic
DownwardAPIVolumeFile
  path 1 string required
  fieldRef 2 ObjectFieldSelector
  resourceFieldRef 3 ResourceFieldSelector
  mode 4 int32 ptr
DownwardAPIVolumeSource
  items 1 []DownwardAPIVolumeFile list=atomic
  defaultMode 2 int32 ptr
EmptyDirVolumeSource
  medium 1 string
  sizeLimit 2 quantity ptr
EndpointAddress atomic
  ip 1 string required
  targetRef 2 ObjectReference
  hostname 3 string
  nodeName 4 string ptr
EndpointPort atomic
  name 1 string
  port 2 int32 required
  protocol 3 string
  appProtocol 4 string ptr
EndpointSubset
  addresses 1 []EndpointAddress list=atomic
  notReadyAddresses 2 []EndpointAddress list=atomic
  ports 3 []EndpointPort list=atomic
Endpoints kind
  metadata 1 meta_v1.ObjectMeta value
  subsets 2 []EndpointSubset list=atomic
EndpointsList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Endpoints required
EnvFromSource
  prefix 1 string
  configMapRef 2 ConfigMapEnvSource
  secretRef 3 SecretEnvSource
EnvVar
  name 1 string required
  value 2 string
  valueFrom 3 EnvVarSource
EnvVarSource
  fieldRef 1 ObjectFieldSelector
  resourceFieldRef 2 ResourceFieldSelector
  configMapKeyRef 3 ConfigMapKeySelector
  secretKeyRef 4 SecretKeySelector
  fileKeyRef 5 FileKeySelector
EphemeralContainer
  name 1.1 string required
  image 1.2 string
  command 1.3 []string list=atomic
  args 1.4 []string list=atomic
  workingDir 1.5 string
  ports 1.6 []ContainerPort merge=containerPort list=map:containerPort,protocol
  env 1.7 []EnvVar merge=name list=map:name
  resources 1.8 ResourceRequirements value
  volumeMounts 1.9 []VolumeMount merge=mountPath list=map:mountPath
  livenessProbe 1.10 Probe
  readinessProbe 1.11 Probe
  lifecycle 1.12 Lifecycle
  terminationMessagePath 1.13 string
  imagePullPolicy 1.14 string
  securityContext 1.15 SecurityContext
  stdin 1.16 bool
  stdinOnce 1.17 bool
  tty 1.18 bool
  envFrom 1.19 []EnvFromSource list=atomic
  terminationMessagePolicy 1.20 string
  volumeDevices 1.21 []VolumeDevice merge=devicePath list=map:devicePath
  startupProbe 1.22 Probe
  resizePolicy 1.23 []ContainerResizePolicy list=atomic
  restartPolicy 1.24 string ptr
  restartPolicyRules 1.25 []ContainerRestartRule list=atomic
  targetContainerName 2 string
EphemeralVolumeSource
  volumeClaimTemplate 1 PersistentVolumeClaimTemplate
Event kind
  metadata 1 meta_v1.ObjectMeta required value
  involvedObject 2 ObjectReference required value
  reason 3 string
  message 4 string
  source 5 EventSource value
  firstTimestamp 6 time
  lastTimestamp 7 time
  count 8 int32
  type 9 string
  eventTime 10 microtime
  series 11 EventSeries
  action 12 string
  related 13 ObjectReference
  reportingComponent 14 string
  reportingInstance 15 string
EventList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Event required
EventSeries
  count 1 int32
  lastObservedTime 2 microtime
EventSource
  component 1 string
  host 2 string
ExecAction
  command 1 []string list=atomic
FCVolumeSource
  targetWWNs 1 []string list=atomic
  lun 2 int32 ptr
  fsType 3 string
  readOnly 4 bool
  wwids 5 []string list=atomic
FileKeySelector atomic
  volumeName 1 string required
  path 2 string required
  key 3 string required
  optional 4 bool ptr
FlexPersistentVolumeSource
  driver 1 string required
  fsType 2 string
  secretRef 3 SecretReference
  readOnly 4 bool
  options 5 map<string>
FlexVolumeSource
  driver 1 string required
  fsType 2 string
  secretRef 3 LocalObjectReference
  readOnly 4 bool
  options 5 map<string>
FlockerVolumeSource
  datasetName 1 string
  datasetUUID 2 string
GCEPersistentDiskVolumeSource
  pdName 1 string required
  fsType 2 string
  partition 3 int32
  readOnly 4 bool
GRPCAction
  port 1 int32 required
  service 2 string ptr
GitRepoVolumeSource
  repository 1 string required
  revision 2 string
  directory 3 string
GlusterfsPersistentVolumeSource
  endpoints 1 string required
  path 2 string required
  readOnly 3 bool
  endpointsNamespace 4 string
GlusterfsVolumeSource
  endpoints 1 string required
  path 2 string required
  readOnly 3 bool
HTTPGetAction
  path 1 string
  port 2 intorstring required
  host 3 string
  scheme 4 string
  httpHeaders 5 []HTTPHeader list=atomic
HTTPHeader
  name 1 string required
  value 2 string required
HostAlias
  ip 1 string required
  hostnames 2 []string list=atomic
HostIP
  ip 1 string required
HostPathVolumeSource
  path 1 string required
  type 2 string ptr
ISCSIPersistentVolumeSource
  targetPortal 1 string required
  iqn 2 string required
  lun 3 int32 required
  iscsiInterface 4 string
  fsType 5 string
  readOnly 6 bool
  portals 7 []string list=atomic
  chapAuthDiscovery 8 bool
  secretRef 10 SecretReference
  chapAuthSession 11 bool
  initiatorName 12 string
ISCSIVolumeSource
  targetPortal 1 string required
  iqn 2 string required
  lun 3 int32 required
  iscsiInterface 4 string
  fsType 5 string
  readOnly 6 bool
  portals 7 []string list=atomic
  chapAuthDiscovery 8 bool
  secretRef 10 LocalObjectReference
  chapAuthSession 11 bool
  initiatorName 12 string
ImageVolumeSource
  reference 1 string
  pullPolicy 2 string
ImageVolumeStatus
  imageRef 1 string required
KeyToPath
  key 1 string required
  path 2 string required
  mode 3 int32 ptr
Lifecycle
  postStart 1 LifecycleHandler
  preStop 2 LifecycleHandler
  stopSignal 3 string ptr
LifecycleHandler
  exec 1 ExecAction
  httpGet 2 HTTPGetAction
  tcpSocket 3 TCPSocketAction
  sleep 4 SleepAction
LimitRange kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 LimitRangeSpec value
LimitRangeItem
  type 1 string required
  max 2 map<quantity>
  min 3 map<quantity>
  default 4 map<quantity>
  defaultRequest 5 map<quantity>
  maxLimitRequestRatio 6 map<quantity>
LimitRangeList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []LimitRange required
LimitRangeSpec
  limits 1 []LimitRangeItem required list=atomic
LinuxContainerUser
  uid 1 int64 required
  gid 2 int64 required
  supplementalGroups 3 []int64 list=atomic
LoadBalancerIngress
  ip 1 string
  hostname 2 string
  ipMode 3 string ptr
  ports 4 []PortStatus list=atomic
LoadBalancerStatus
  ingress 1 []LoadBalancerIngress list=atomic
LocalObjectReference atomic
  name 1 string
LocalVolumeSource
  path 1 string required
  fsType 2 string ptr
ModifyVolumeStatus
  targetVolumeAttributesClassName 1 string
  status 2 string required
NFSVolumeSource
  server 1 string required
  path 2 string required
  readOnly 3 bool
Namespace kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 NamespaceSpec value
  status 3 NamespaceStatus value
NamespaceCondition
  type 1 string required
  status 2 string required
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
NamespaceList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Namespace required
NamespaceSpec
  finalizers 1 []string list=atomic
NamespaceStatus
  phase 1 string
  conditions 2 []NamespaceCondition merge=type list=map:type
Node kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 NodeSpec value
  status 3 NodeStatus value
NodeAddress
  type 1 string required
  address 2 string required
NodeAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution 2 []PreferredSchedulingTerm list=atomic
NodeAllocatableResourceClaimStatus
  resourceClaimName 1 string required
  containers 2 []string list=set
  resources 3 map<quantity> required
NodeCondition
  type 1 string required
  status 2 string required
  lastHeartbeatTime 3 time
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
NodeConfigSource
  configMap 2 ConfigMapNodeConfigSource
NodeConfigStatus
  assigned 1 NodeConfigSource
  active 2 NodeConfigSource
  lastKnownGood 3 NodeConfigSource
  error 4 string
NodeDaemonEndpoints
  kubeletEndpoint 1 DaemonEndpoint value
NodeFeatures
  supplementalGroupsPolicy 1 bool ptr
NodeList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Node required
NodeRuntimeHandler
  name 1 string
  features 2 NodeRuntimeHandlerFeatures
NodeRuntimeHandlerFeatures
  recursiveReadOnlyMounts 1 bool ptr
  userNamespaces 2 bool ptr
NodeSelector atomic
  nodeSelectorTerms 1 []NodeSelectorTerm required list=atomic
NodeSelectorRequirement
  key 1 string required
  operator 2 string required
  values 3 []string list=atomic
NodeSelectorTerm atomic
  matchExpressions 1 []NodeSelectorRequirement list=atomic
  matchFields 2 []NodeSelectorRequirement list=atomic
NodeSpec
  podCIDR 1 string
  externalID 2 string
  providerID 3 string
  unschedulable 4 bool
  taints 5 []Taint list=atomic
  configSource 6 NodeConfigSource
  podCIDRs 7 []string merge list=set
NodeStatus
  capacity 1 map<quantity>
  allocatable 2 map<quantity>
  phase 3 string
  conditions 4 []NodeCondition merge=type list=map:type
  addresses 5 []NodeAddress merge=type list=map:type
  daemonEndpoints 6 NodeDaemonEndpoints value
  nodeInfo 7 NodeSystemInfo value
  images 8 []ContainerImage list=atomic
  volumesInUse 9 []string list=atomic
  volumesAttached 10 []AttachedVolume list=atomic
  config 11 NodeConfigStatus
  runtimeHandlers 12 []NodeRuntimeHandler list=atomic
  features 13 NodeFeatures
  declaredFeatures 14 []string list=atomic
NodeSwapStatus
  capacity 1 int64 ptr
NodeSystemInfo
  machineID 1 string required
  systemUUID 2 string required
  bootID 3 string required
  kernelVersion 4 string required
  osImage 5 string required
  containerRuntimeVersion 6 string required
  kubeletVersion 7 string required
  kubeProxyVersion 8 string required
  operatingSystem 9 string required
  architecture 10 string required
  swap 11 NodeSwapStatus
ObjectFieldSelector atomic
  apiVersion 1 string
  fieldPath 2 string required
ObjectReference atomic
  kind 1 string
  namespace 2 string
  name 3 string
  uid 4 string
  apiVersion 5 string
  resourceVersion 6 string
  fieldPath 7 string
PersistentVolume kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PersistentVolumeSpec value
  status 3 PersistentVolumeStatus value
PersistentVolumeClaim kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PersistentVolumeClaimSpec value
  status 3 PersistentVolumeClaimStatus value
PersistentVolumeClaimCondition
  type 1 string required
  status 2 string required
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
PersistentVolumeClaimList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []PersistentVolumeClaim required
PersistentVolumeClaimSpec
  accessModes 1 []string list=atomic
  resources 2 VolumeResourceRequirements value
  volumeName 3 string
  selector 4 meta_v1.LabelSelector
  storageClassName 5 string ptr
  volumeMode 6 string ptr
  dataSource 7 TypedLocalObjectReference
  dataSourceRef 8 TypedObjectReference
  volumeAttributesClassName 9 string ptr
PersistentVolumeClaimStatus
  phase 1 string
  accessModes 2 []string list=atomic
  capacity 3 map<quantity>
  conditions 4 []PersistentVolumeClaimCondition merge=type list=map:type
  allocatedResources 5 map<quantity>
  allocatedResourceStatuses 7 map<string> atomic
  currentVolumeAttributesClassName 8 string ptr
  modifyVolumeStatus 9 ModifyVolumeStatus
PersistentVolumeClaimTemplate
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PersistentVolumeClaimSpec required value
PersistentVolumeClaimVolumeSource
  claimName 1 string required
  readOnly 2 bool
PersistentVolumeList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []PersistentVolume required
PersistentVolumeSpec
  capacity 1 map<quantity>
  gcePersistentDisk 2.1 GCEPersistentDiskVolumeSource
  awsElasticBlockStore 2.2 AWSElasticBlockStoreVolumeSource
  hostPath 2.3 HostPathVolumeSource
  glusterfs 2.4 GlusterfsPersistentVolumeSource
  nfs 2.5 NFSVolumeSource
  rbd 2.6 RBDPersistentVolumeSource
  iscsi 2.7 ISCSIPersistentVolumeSource
  cinder 2.8 CinderPersistentVolumeSource
  cephfs 2.9 CephFSPersistentVolumeSource
  fc 2.10 FCVolumeSource
  flocker 2.11 FlockerVolumeSource
  flexVolume 2.12 FlexPersistentVolumeSource
  azureFile 2.13 AzureFilePersistentVolumeSource
  vsphereVolume 2.14 VsphereVirtualDiskVolumeSource
  quobyte 2.15 QuobyteVolumeSource
  azureDisk 2.16 AzureDiskVolumeSource
  photonPersistentDisk 2.17 PhotonPersistentDiskVolumeSource
  portworxVolume 2.18 PortworxVolumeSource
  scaleIO 2.19 ScaleIOPersistentVolumeSource
  local 2.20 LocalVolumeSource
  storageos 2.21 StorageOSPersistentVolumeSource
  csi 2.22 CSIPersistentVolumeSource
  accessModes 3 []string list=atomic
  claimRef 4 ObjectReference atomic
  persistentVolumeReclaimPolicy 5 string
  storageClassName 6 string
  mountOptions 7 []string list=atomic
  volumeMode 8 string ptr
  nodeAffinity 9 VolumeNodeAffinity
  volumeAttributesClassName 10 string ptr
PersistentVolumeStatus
  phase 1 string
  message 2 string
  reason 3 string
  lastPhaseTransitionTime 4 time ptr
PhotonPersistentDiskVolumeSource
  pdID 1 string required
  fsType 2 string
Pod kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PodSpec value
  status 3 PodStatus value
PodAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm list=atomic
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm list=atomic
PodAffinityTerm
  labelSelector 1 meta_v1.LabelSelector
  namespaces 2 []string list=atomic
  topologyKey 3 string required
  namespaceSelector 4 meta_v1.LabelSelector
  matchLabelKeys 5 []string list=atomic
  mismatchLabelKeys 6 []string list=atomic
PodAntiAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm list=atomic
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm list=atomic
PodCertificateProjection
  signerName 1 string required
  keyType 2 string required
  maxExpirationSeconds 3 int32 ptr
  credentialBundlePath 4 string
  keyPath 5 string
  certificateChainPath 6 string
  userAnnotations 7 map<string>
PodCondition
  type 1 string required
  status 2 string required
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
  observedGeneration 7 int64
PodDNSConfig
  nameservers 1 []string list=atomic
  searches 2 []string list=atomic
  options 3 []PodDNSConfigOption list=atomic
PodDNSConfigOption
  name 1 string
  value 2 string ptr
PodExtendedResourceClaimStatus
  requestMappings 1 []ContainerExtendedResourceRequest required list=atomic
  resourceClaimName 2 string required
PodIP
  ip 1 string required
PodList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Pod required
PodLogOptions
  container 1 string
  follow 2 bool
  previous 3 bool
  sinceSeconds 4 int64
  sinceTime 5 time
  timestamps 6 bool
  tailLines 7 int64
  limitBytes 8 int64
  insecureSkipTLSVerifyBackend 9 bool
  stream 10 string
PodOS
  name 1 string required
PodReadinessGate
  conditionType 1 string required
PodResourceClaim
  name 1 string required
  resourceClaimName 3 string ptr
  resourceClaimTemplateName 4 string ptr
PodResourceClaimStatus
  name 1 string required
  resourceClaimName 2 string ptr
PodSchedulingGate
  name 1 string required
PodSchedulingGroup
  podGroupName 1 string ptr
PodSecurityContext
  seLinuxOptions 1 SELinuxOptions
  runAsUser 2 int64 ptr
  runAsNonRoot 3 bool ptr
  supplementalGroups 4 []int64 list=atomic
  fsGroup 5 int64 ptr
  runAsGroup 6 int64 ptr
  sysctls 7 []Sysctl list=atomic
  windowsOptions 8 WindowsSecurityContextOptions
  fsGroupChangePolicy 9 string ptr
  seccompProfile 10 SeccompProfile
  appArmorProfile 11 AppArmorProfile
  supplementalGroupsPolicy 12 string ptr
  seLinuxChangePolicy 13 string ptr
PodSpec
  volumes 1 []Volume merge=name retainKeys list=map:name
  containers 2 []Container required merge=name list=map:name
  restartPolicy 3 string
  terminationGracePeriodSeconds 4 int64 ptr
  activeDeadlineSeconds 5 int64 ptr
  dnsPolicy 6 string
  nodeSelector 7 map<string> atomic
  serviceAccountName 8 string
  serviceAccount 9 string
  nodeName 10 string
  hostNetwork 11 bool
  hostPID 12 bool
  hostIPC 13 bool
  securityContext 14 PodSecurityContext
  imagePullSecrets 15 []LocalObjectReference merge=name list=map:name
  hostname 16 string
  subdomain 17 string
  affinity 18 Affinity
  schedulerName 19 string
  initContainers 20 []Container merge=name list=map:name
  automountServiceAccountToken 21 bool ptr
  tolerations 22 []Toleration list=atomic
  hostAliases 23 []HostAlias merge=ip list=map:ip
  priorityClassName 24 string
  priority 25 int32 ptr
  dnsConfig 26 PodDNSConfig
  shareProcessNamespace 27 bool ptr
  readinessGates 28 []PodReadinessGate list=atomic
  runtimeClassName 29 string ptr
  enableServiceLinks 30 bool ptr
  preemptionPolicy 31 string ptr
  overhead 32 map<quantity>
  topologySpreadConstraints 33 []TopologySpreadConstraint merge=topologyKey list=map:topologyKey,whenUnsatisfiable
  ephemeralContainers 34 []EphemeralContainer merge=name list=map:name
  setHostnameAsFQDN 35 bool ptr
  os 36 PodOS
  hostUsers 37 bool ptr
  schedulingGates 38 []PodSchedulingGate merge=name list=map:name
  resourceClaims 39 []PodResourceClaim merge=name retainKeys list=map:name
  resources 40 ResourceRequirements
  hostnameOverride 41 string ptr
  schedulingGroup 43 PodSchedulingGroup
PodStatus
  phase 1 string
  conditions 2 []PodCondition merge=type list=map:type
  message 3 string
  reason 4 string
  hostIP 5 string
  podIP 6 string
  startTime 7 time ptr
  containerStatuses 8 []ContainerStatus list=atomic
  qosClass 9 string
  initContainerStatuses 10 []ContainerStatus list=atomic
  nominatedNodeName 11 string
  podIPs 12 []PodIP merge=ip list=map:ip
  ephemeralContainerStatuses 13 []ContainerStatus list=atomic
  resize 14 string
  resourceClaimStatuses 15 []PodResourceClaimStatus merge=name retainKeys list=map:name
  hostIPs 16 []HostIP merge=ip list=atomic
  observedGeneration 17 int64
  extendedResourceClaimStatus 18 PodExtendedResourceClaimStatus
  allocatedResources 19 map<quantity>
  resources 20 ResourceRequirements
  nodeAllocatableResourceClaimStatuses 21 []NodeAllocatableResourceClaimStatus list=atomic
PodTemplate kind
  metadata 1 meta_v1.ObjectMeta value
  template 2 PodTemplateSpec value
PodTemplateList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []PodTemplate required
PodTemplateSpec
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PodSpec value
PortStatus
  port 1 int32 required
  protocol 2 string required
  error 3 string ptr
PortworxVolumeSource
  volumeID 1 string required
  fsType 2 string
  readOnly 3 bool
PreferredSchedulingTerm
  weight 1 int32 required
  preference 2 NodeSelectorTerm required value
Probe
  exec 1.1 ExecAction
  httpGet 1.2 HTTPGetAction
  tcpSocket 1.3 TCPSocketAction
  grpc 1.4 GRPCAction
  initialDelaySeconds 2 int32
  timeoutSeconds 3 int32
  periodSeconds 4 int32
  successThreshold 5 int32
  failureThreshold 6 int32
  terminationGracePeriodSeconds 7 int64 ptr
ProjectedVolumeSource
  sources 1 []VolumeProjection list=atomic
  defaultMode 2 int32 ptr
QuobyteVolumeSource
  registry 1 string required
  volume 2 string required
  readOnly 3 bool
  user 4 string
  group 5 string
  tenant 6 string
RBDPersistentVolumeSource
  monitors 1 []string required list=atomic
  image 2 string required
  fsType 3 string
  pool 4 string
  user 5 string
  keyring 6 string
  secretRef 7 SecretReference
  readOnly 8 bool
RBDVolumeSource
  monitors 1 []string required list=atomic
  image 2 string required
  fsType 3 string
  pool 4 string
  user 5 string
  keyring 6 string
  secretRef 7 LocalObjectReference
  readOnly 8 bool
RangeAllocation
  metadata 1 ObjectMeta
  range 2 string
  data 3 bytes
ReplicationController kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 ReplicationControllerSpec value
  status 3 ReplicationControllerStatus value
ReplicationControllerCondition
  type 1 string required
  status 2 string required
  lastTransitionTime 3 time
  reason 4 string
  message 5 string
ReplicationControllerList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ReplicationController required
ReplicationControllerSpec
  replicas 1 int32 ptr
  selector 2 map<string> atomic
  template 3 PodTemplateSpec
  minReadySeconds 4 int32
ReplicationControllerStatus
  replicas 1 int32 required
  fullyLabeledReplicas 2 int32
  observedGeneration 3 int64
  readyReplicas 4 int32
  availableReplicas 5 int32
  conditions 6 []ReplicationControllerCondition merge=type list=map:type
ResourceClaim
  name 1 string required
  request 2 string
ResourceFieldSelector atomic
  containerName 1 string
  resource 2 string required
  divisor 3 quantity
ResourceHealth
  resourceID 1 string required
  health 2 string
  message 6 string
ResourceQuota kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 ResourceQuotaSpec value
  status 3 ResourceQuotaStatus value
ResourceQuotaList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ResourceQuota required
ResourceQuotaSpec
  hard 1 map<quantity>
  scopes 2 []string list=atomic
  scopeSelector 3 ScopeSelector
ResourceQuotaStatus
  hard 1 map<quantity>
  used 2 map<quantity>
ResourceRequirements
  limits 1 map<quantity>
  requests 2 map<quantity>
  claims 3 []ResourceClaim list=map:name
ResourceStatus
  name 1 string required
  resources 2 []ResourceHealth list=map:resourceID
SELinuxOptions
  user 1 string
  role 2 string
  type 3 string
  level 4 string
ScaleIOPersistentVolumeSource
  gateway 1 string required
  system 2 string required
  secretRef 3 SecretReference required value
  sslEnabled 4 bool
  protectionDomain 5 string
  storagePool 6 string
  storageMode 7 string
  volumeName 8 string
  fsType 9 string
  readOnly 10 bool
ScaleIOVolumeSource
  gateway 1 string required
  system 2 string required
  secretRef 3 LocalObjectReference required value
  sslEnabled 4 bool
  protectionDomain 5 string
  storagePool 6 string
  storageMode 7 string
  volumeName 8 string
  fsType 9 string
  readOnly 10 bool
ScopeSelector atomic
  matchExpressions 1 []ScopedResourceSelectorRequirement list=atomic
ScopedResourceSelectorRequirement
  scopeName 1 string required
  operator 2 string required
  values 3 []string list=atomic
SeccompProfile
  type 1 string required
  localhostProfile 2 string ptr
Secret kind
  metadata 1 meta_v1.ObjectMeta value
  data 2 map<bytes>
  type 3 string
  stringData 4 map<string>
  immutable 5 bool ptr
SecretEnvSource
  name 1.1 string
  optional 2 bool ptr
SecretKeySelector atomic
  name 1.1 string
  key 2 string required
  optional 3 bool ptr
SecretList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Secret required
SecretProjection
  name 1.1 string
  items 2 []KeyToPath list=atomic
  optional 4 bool ptr
SecretReference atomic
  name 1 string
  namespace 2 string
SecretVolumeSource
  secretName 1 string
  items 2 []KeyToPath list=atomic
  defaultMode 3 int32 ptr
  optional 4 bool ptr
SecurityContext
  capabilities 1 Capabilities
  privileged 2 bool ptr
  seLinuxOptions 3 SELinuxOptions
  runAsUser 4 int64 ptr
  runAsNonRoot 5 bool ptr
  readOnlyRootFilesystem 6 bool ptr
  allowPrivilegeEscalation 7 bool ptr
  runAsGroup 8 int64 ptr
  procMount 9 string ptr
  windowsOptions 10 WindowsSecurityContextOptions
  seccompProfile 11 SeccompProfile
  appArmorProfile 12 AppArmorProfile
SerializedReference
  reference 1 ObjectReference
Service kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 ServiceSpec value
  status 3 ServiceStatus value
ServiceAccount kind
  metadata 1 meta_v1.ObjectMeta value
  secrets 2 []ObjectReference merge=name list=map:name
  imagePullSecrets 3 []LocalObjectReference list=atomic
  automountServiceAccountToken 4 bool ptr
ServiceAccountList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ServiceAccount required
ServiceAccountTokenProjection
  audience 1 string
  expirationSeconds 2 int64 ptr
  path 3 string required
ServiceList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Service required
ServicePort
  name 1 string
  protocol 2 string
  port 3 int32 required
  targetPort 4 intorstring
  nodePort 5 int32
  appProtocol 6 string ptr
ServiceSpec
  ports 1 []ServicePort merge=port list=map:port,protocol
  selector 2 map<string> atomic
  clusterIP 3 string
  type 4 string
  externalIPs 5 []string list=atomic
  sessionAffinity 7 string
  loadBalancerIP 8 string
  loadBalancerSourceRanges 9 []string list=atomic
  externalName 10 string
  externalTrafficPolicy 11 string
  healthCheckNodePort 12 int32
  publishNotReadyAddresses 13 bool
  sessionAffinityConfig 14 SessionAffinityConfig
  ipFamilyPolicy 17 string ptr
  clusterIPs 18 []string list=atomic
  ipFamilies 19 []string list=atomic
  allocateLoadBalancerNodePorts 20 bool ptr
  loadBalancerClass 21 string ptr
  internalTrafficPolicy 22 string ptr
  trafficDistribution 23 string ptr
ServiceStatus
  loadBalancer 1 LoadBalancerStatus value
  conditions 2 []meta_v1.Condition merge=type list=map:type
SessionAffinityConfig
  clientIP 1 ClientIPConfig
SleepAction
  seconds 1 int64 required
StorageOSPersistentVolumeSource
  volumeName 1 string
  volumeNamespace 2 string
  fsType 3 string
  readOnly 4 bool
  secretRef 5 ObjectReference
StorageOSVolumeSource
  volumeName 1 string
  volumeNamespace 2 string
  fsType 3 string
  readOnly 4 bool
  secretRef 5 LocalObjectReference
Sysctl
  name 1 string required
  value 2 string required
TCPSocketAction
  port 1 intorstring required
  host 2 string
Taint
  key 1 string required
  value 2 string
  effect 3 string required
  timeAdded 4 time ptr
Toleration
  key 1 string
  operator 2 string
  value 3 string
  effect 4 string
  tolerationSeconds 5 int64 ptr
TopologySelectorLabelRequirement
  key 1 string required
  values 2 []string required list=atomic
TopologySelectorTerm atomic
  matchLabelExpressions 1 []TopologySelectorLabelRequirement list=atomic
TopologySpreadConstraint
  maxSkew 1 int32 required
  topologyKey 2 string required
  whenUnsatisfiable 3 string required
  labelSelector 4 meta_v1.LabelSelector
  minDomains 5 int32 ptr
  nodeAffinityPolicy 6 string ptr
  nodeTaintsPolicy 7 string ptr
  matchLabelKeys 8 []string list=atomic
TypedLocalObjectReference atomic
  apiGroup 1 string ptr
  kind 2 string required
  name 3 string required
TypedObjectReference
  apiGroup 1 string ptr
  kind 2 string required
  name 3 string required
  namespace 4 string ptr
Volume
  name 1 string required
  hostPath 2.1 HostPathVolumeSource
  emptyDir 2.2 EmptyDirVolumeSource
  gcePersistentDisk 2.3 GCEPersistentDiskVolumeSource
  awsElasticBlockStore 2.4 AWSElasticBlockStoreVolumeSource
  gitRepo 2.5 GitRepoVolumeSource
  secret 2.6 SecretVolumeSource
  nfs 2.7 NFSVolumeSource
  iscsi 2.8 ISCSIVolumeSource
  glusterfs 2.9 GlusterfsVolumeSource
  persistentVolumeClaim 2.10 PersistentVolumeClaimVolumeSource
  rbd 2.11 RBDVolumeSource
  flexVolume 2.12 FlexVolumeSource
  cinder 2.13 CinderVolumeSource
  cephfs 2.14 CephFSVolumeSource
  flocker 2.15 FlockerVolumeSource
  downwardAPI 2.16 DownwardAPIVolumeSource
  fc 2.17 FCVolumeSource
  azureFile 2.18 AzureFileVolumeSource
  configMap 2.19 ConfigMapVolumeSource
  vsphereVolume 2.20 VsphereVirtualDiskVolumeSource
  quobyte 2.21 QuobyteVolumeSource
  azureDisk 2.22 AzureDiskVolumeSource
  photonPersistentDisk 2.23 PhotonPersistentDiskVolumeSource
  portworxVolume 2.24 PortworxVolumeSource
  scaleIO 2.25 ScaleIOVolumeSource
  projected 2.26 ProjectedVolumeSource
  storageos 2.27 StorageOSVolumeSource
  csi 2.28 CSIVolumeSource
  ephemeral 2.29 EphemeralVolumeSource
  image 2.30 ImageVolumeSource
VolumeDevice
  name 1 string required
  devicePath 2 string required
VolumeMount
  name 1 string required
  readOnly 2 bool
  mountPath 3 string required
  subPath 4 string
  mountPropagation 5 string ptr
  subPathExpr 6 string
  recursiveReadOnly 7 string ptr
VolumeMountStatus
  name 1 string required
  mountPath 2 string required
  readOnly 3 bool
  recursiveReadOnly 4 string ptr
  volumeStatus 5 VolumeStatus
VolumeNodeAffinity
  required 1 NodeSelector
VolumeProjection
  secret 1 SecretProjection
  downwardAPI 2 DownwardAPIProjection
  configMap 3 ConfigMapProjection
  serviceAccountToken 4 ServiceAccountTokenProjection
  clusterTrustBundle 5 ClusterTrustBundleProjection
  podCertificate 6 PodCertificateProjection
VolumeResourceRequirements
  limits 1 map<quantity>
  requests 2 map<quantity>
VolumeStatus
  image 1 ImageVolumeStatus
VsphereVirtualDiskVolumeSource
  volumePath 1 string required
  fsType 2 string
  storagePolicyName 3 string
  storagePolicyID 4 string
WeightedPodAffinityTerm
  weight 1 int32 required
  podAffinityTerm 2 PodAffinityTerm required value
WindowsSecurityContextOptions
  gmsaCredentialSpecName 1 string ptr
  gmsaCredentialSpec 2 string ptr
  runAsUserName 3 string ptr
  hostProcess 4 bool ptr
`;
