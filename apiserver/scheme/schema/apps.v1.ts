// The field facts of apps/v1: see ../schema.ts for the line format.
export const appsV1 = `
ControllerRevision kind
  metadata 1 meta_v1.ObjectMeta value
  data 2 raw
  revision 3 int64 required
ControllerRevisionList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ControllerRevision required
DaemonSet kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 DaemonSetSpec value
  status 3 DaemonSetStatus value
DaemonSetCondition
  type 1 string required
  status 2 string required
  lastTransitionTime 3 time
  reason 4 string
  message 5 string
DaemonSetList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []DaemonSet required
DaemonSetSpec
  selector 1 meta_v1.LabelSelector required
  template 2 core_v1.PodTemplateSpec required value
  updateStrategy 3 DaemonSetUpdateStrategy value
  minReadySeconds 4 int32
  revisionHistoryLimit 6 int32 ptr
DaemonSetStatus
  currentNumberScheduled 1 int32 required
  numberMisscheduled 2 int32 required
  desiredNumberScheduled 3 int32 required
  numberReady 4 int32 required
  observedGeneration 5 int64
  updatedNumberScheduled 6 int32
  numberAvailable 7 int32
  numberUnavailable 8 int32
  collisionCount 9 int32 ptr
  conditions 10 []DaemonSetCondition merge=type list=map:type
DaemonSetUpdateStrategy
  type 1 string
  rollingUpdate 2 RollingUpdateDaemonSet
Deployment kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 DeploymentSpec value
  status 3 DeploymentStatus value
DeploymentCondition
  type 1 string required
  status 2 string required
  reason 4 string
  message 5 string
  lastUpdateTime 6 time
  lastTransitionTime 7 time
DeploymentList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Deployment required
DeploymentSpec
  replicas 1 int32 ptr
  selector 2 meta_v1.LabelSelector required
  template 3 core_v1.PodTemplateSpec required value
  strategy 4 DeploymentStrategy retainKeys value
  minReadySeconds 5 int32
  revisionHistoryLimit 6 int32 ptr
  paused 7 bool
  progressDeadlineSeconds 9 int32 ptr
DeploymentStatus
  observedGeneration 1 int64
  replicas 2 int32
  updatedReplicas 3 int32
  availableReplicas 4 int32
  unavailableReplicas 5 int32
  conditions 6 []DeploymentCondition merge=type list=map:type
  readyReplicas 7 int32
  collisionCount 8 int32 ptr
  terminatingReplicas 9 int32 ptr
DeploymentStrategy
  type 1 string
  rollingUpdate 2 RollingUpdateDeployment
ReplicaSet kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 ReplicaSetSpec value
  status 3 ReplicaSetStatus value
ReplicaSetCondition
  type 1 string required
  status 2 string required
  lastTransitionTime 3 time
  reason 4 string
  message 5 string
ReplicaSetList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ReplicaSet required
ReplicaSetSpec
  replicas 1 int32 ptr
  selector 2 meta_v1.LabelSelector required
  template 3 core_v1.PodTemplateSpec value
  minReadySeconds 4 int32
ReplicaSetStatus
  replicas 1 int32 required
  fullyLabeledReplicas 2 int32
  observedGeneration 3 int64
  readyReplicas 4 int32
  availableReplicas 5 int32
  conditions 6 []ReplicaSetCondition merge=type list=map:type
  terminatingReplicas 7 int32 ptr
RollingUpdateDaemonSet
  maxUnavailable 1 intorstring ptr
  maxSurge 2 intorstring ptr
RollingUpdateDeployment
  maxUnavailable 1 intorstring ptr
  maxSurge 2 intorstring ptr
RollingUpdateStatefulSetStrategy
  partition 1 int32 ptr
  maxUnavailable 2 intorstring ptr
StatefulSet kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 StatefulSetSpec value
  status 3 StatefulSetStatus value
StatefulSetCondition
  type 1 string required
  status 2 string required
  lastTransitionTime 3 time
  reason 4 string
  message 5 string
StatefulSetList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []StatefulSet required
StatefulSetOrdinals
  start 1 int32
StatefulSetPersistentVolumeClaimRetentionPolicy
  whenDeleted 1 string
  whenScaled 2 string
StatefulSetSpec
  replicas 1 int32 ptr
  selector 2 meta_v1.LabelSelector required
  template 3 core_v1.PodTemplateSpec required value
  volumeClaimTemplates 4 []core_v1.PersistentVolumeClaim list=atomic
  serviceName 5 string
  podManagementPolicy 6 string
  updateStrategy 7 StatefulSetUpdateStrategy value
  revisionHistoryLimit 8 int32 ptr
  minReadySeconds 9 int32
  persistentVolumeClaimRetentionPolicy 10 StatefulSetPersistentVolumeClaimRetentionPolicy
  ordinals 11 StatefulSetOrdinals
StatefulSetStatus
  observedGeneration 1 int64
  replicas 2 int32 required
  readyReplicas 3 int32
  currentReplicas 4 int32
  updatedReplicas 5 int32
  currentRevision 6 string
  updateRevision 7 string
  collisionCount 9 int32 ptr
  conditions 10 []StatefulSetCondition merge=type list=map:type
  availableReplicas 11 int32
StatefulSetUpdateStrategy
  type 1 string
  rollingUpdate 2 RollingUpdateStatefulSetStrategy
`;
