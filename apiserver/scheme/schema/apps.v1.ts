// The field facts of apps/v1: see ../schema.ts for the line format.
export const appsV1 = `
ControllerRevision kind # An unchangeable snapshot of what a DaemonSet or StatefulSet was at one revision.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  data 2 raw # The snapshot, in its owner's own form.
  revision 3 int64 required # Number of the revision; a higher one is newer.
ControllerRevisionList kind # A list of ControllerRevision objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ControllerRevision required # The objects of the list.
DaemonSet kind # Runs a copy of a pod on every node, or on chosen nodes.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 DaemonSetSpec value # What is wanted of the DaemonSet.
  status 3 DaemonSetStatus value # What is observed of the DaemonSet.
DaemonSetCondition # One aspect of the state of a DaemonSet, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastTransitionTime 3 time # When the status last changed.
  reason 4 string # Why it changed, as one word.
  message 5 string # Why it changed, in words.
DaemonSetList kind # A list of DaemonSet objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []DaemonSet required # The objects of the list.
DaemonSetSpec # What is wanted of a DaemonSet.
  selector 1 meta_v1.LabelSelector required # Chooses the pods that belong to it; it must match the template's labels and cannot change.
  template 2 core_v1.PodTemplateSpec required value # The pod that is run on each node.
  updateStrategy 3 DaemonSetUpdateStrategy value # How pods are replaced when the template changes.
  minReadySeconds 4 int32 # Seconds a new pod must be ready before it counts as available.
  revisionHistoryLimit 6 int32 ptr # How many old revisions are kept for a rollback; 10 by default.
DaemonSetStatus # What is observed of a DaemonSet.
  currentNumberScheduled 1 int32 required # Nodes that run at least one pod of it and should.
  numberMisscheduled 2 int32 required # Nodes that run a pod of it and should not.
  desiredNumberScheduled 3 int32 required # Nodes that should run a pod of it.
  numberReady 4 int32 required # Nodes that should run a pod of it and have one that is ready.
  observedGeneration 5 int64 # Newest generation of the spec that the controller has seen.
  updatedNumberScheduled 6 int32 # Nodes that run a pod of the newest template.
  numberAvailable 7 int32 # Nodes with a pod that has been ready for minReadySeconds.
  numberUnavailable 8 int32 # Nodes that should have an available pod and have none.
  collisionCount 9 int32 ptr # Counts clashes of revision names, to make the next name differ.
  conditions 10 []DaemonSetCondition merge=type list=map:type # Aspects of its state, as last observed.
DaemonSetUpdateStrategy # How pods of a DaemonSet are replaced.
  type 1 string # RollingUpdate, or OnDelete: only when somebody deletes the old pod.
  rollingUpdate 2 RollingUpdateDaemonSet # Settings of a rolling update.
Deployment kind # Keeps a number of pods running and replaces them step by step when their template changes.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 DeploymentSpec value # What is wanted of the Deployment.
  status 3 DeploymentStatus value # What is observed of the Deployment.
DeploymentCondition # One aspect of the state of a Deployment, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  reason 4 string # Why it changed, as one word.
  message 5 string # Why it changed, in words.
  lastUpdateTime 6 time # When the condition was last written.
  lastTransitionTime 7 time # When the status last changed.
DeploymentList kind # A list of Deployment objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Deployment required # The objects of the list.
DeploymentSpec # What is wanted of a Deployment.
  replicas 1 int32 ptr # How many pods are wanted; 1 by default.
  selector 2 meta_v1.LabelSelector required # Chooses the pods that belong to it; it must match the template's labels and cannot change.
  template 3 core_v1.PodTemplateSpec required value # The pod that is wanted.
  strategy 4 DeploymentStrategy retainKeys value # How old pods are replaced by new ones.
  minReadySeconds 5 int32 # Seconds a new pod must be ready before it counts as available.
  revisionHistoryLimit 6 int32 ptr # How many old ReplicaSets are kept for a rollback; 10 by default.
  paused 7 bool # Whether changes of the template wait.
  progressDeadlineSeconds 9 int32 ptr # Seconds without progress after which a rollout counts as failed; 600 by default.
DeploymentStatus # What is observed of a Deployment.
  observedGeneration 1 int64 # Newest generation of the spec that the controller has seen.
  replicas 2 int32 # Pods that belong to it and have not ended.
  updatedReplicas 3 int32 # Pods of the newest template.
  availableReplicas 4 int32 # Pods that have been ready for minReadySeconds.
  unavailableReplicas 5 int32 # Pods that are still missing until all wanted ones are available.
  conditions 6 []DeploymentCondition merge=type list=map:type # Aspects of its state: Available, Progressing, ReplicaFailure.
  readyReplicas 7 int32 # Pods that are ready.
  collisionCount 8 int32 ptr # Counts clashes of ReplicaSet names, to make the next name differ.
  terminatingReplicas 9 int32 ptr # Pods that are being deleted and have not ended.
DeploymentStrategy # How pods of a Deployment are replaced.
  type 1 string # RollingUpdate, or Recreate: all old pods end before a new one is made.
  rollingUpdate 2 RollingUpdateDeployment # Settings of a rolling update.
ReplicaSet kind # Keeps a number of equal pods running.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 ReplicaSetSpec value # What is wanted of the ReplicaSet.
  status 3 ReplicaSetStatus value # What is observed of the ReplicaSet.
ReplicaSetCondition # One aspect of the state of a ReplicaSet, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastTransitionTime 3 time # When the status last changed.
  reason 4 string # Why it changed, as one word.
  message 5 string # Why it changed, in words.
ReplicaSetList kind # A list of ReplicaSet objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ReplicaSet required # The objects of the list.
ReplicaSetSpec # What is wanted of a ReplicaSet.
  replicas 1 int32 ptr # How many pods are wanted; 1 by default.
  selector 2 meta_v1.LabelSelector required # Chooses the pods that belong to it; it must match the template's labels and cannot change.
  template 3 core_v1.PodTemplateSpec value # The pod that is made where one is missing.
  minReadySeconds 4 int32 # Seconds a new pod must be ready before it counts as available.
ReplicaSetStatus # What is observed of a ReplicaSet.
  replicas 1 int32 required # Pods that belong to it and have not ended.
  fullyLabeledReplicas 2 int32 # Pods that have all labels of the template.
  observedGeneration 3 int64 # Newest generation of the spec that the controller has seen.
  readyReplicas 4 int32 # Pods that are ready.
  availableReplicas 5 int32 # Pods that have been ready for minReadySeconds.
  conditions 6 []ReplicaSetCondition merge=type list=map:type # Aspects of its state, as last observed.
  terminatingReplicas 7 int32 ptr # Pods that are being deleted and have not ended.
RollingUpdateDaemonSet # Limits of a DaemonSet's rolling update.
  maxUnavailable 1 intorstring ptr # Most nodes without an available pod at a time, as a number or percentage.
  maxSurge 2 intorstring ptr # Most nodes that run an old and a new pod at a time, as a number or percentage.
RollingUpdateDeployment # Limits of a Deployment's rolling update.
  maxUnavailable 1 intorstring ptr # Most wanted pods that may be missing at a time, as a number or percentage.
  maxSurge 2 intorstring ptr # Most pods beyond the wanted number at a time, as a number or percentage.
RollingUpdateStatefulSetStrategy # Limits of a StatefulSet's rolling update.
  partition 1 int32 ptr # Pods with a lower ordinal than this stay as they are.
  maxUnavailable 2 intorstring ptr # Most pods that may be missing at a time, as a number or percentage.
StatefulSet kind # Runs pods that each keep a name, an ordinal and storage of their own.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 StatefulSetSpec value # What is wanted of the StatefulSet.
  status 3 StatefulSetStatus value # What is observed of the StatefulSet.
StatefulSetCondition # One aspect of the state of a StatefulSet, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastTransitionTime 3 time # When the status last changed.
  reason 4 string # Why it changed, as one word.
  message 5 string # Why it changed, in words.
StatefulSetList kind # A list of StatefulSet objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []StatefulSet required # The objects of the list.
StatefulSetOrdinals # How the pods are numbered.
  start 1 int32 # Number of the first pod; 0 by default.
StatefulSetPersistentVolumeClaimRetentionPolicy # What becomes of the claims made from the templates.
  whenDeleted 1 string # When the StatefulSet is deleted: Retain or Delete.
  whenScaled 2 string # When a pod goes since fewer are wanted: Retain or Delete.
StatefulSetSpec # What is wanted of a StatefulSet.
  replicas 1 int32 ptr # How many pods are wanted; 1 by default.
  selector 2 meta_v1.LabelSelector required # Chooses the pods that belong to it; it must match the template's labels and cannot change.
  template 3 core_v1.PodTemplateSpec required value # The pod that is made for each ordinal.
  volumeClaimTemplates 4 []core_v1.PersistentVolumeClaim list=atomic # Claims that each pod gets, kept for its next life.
  serviceName 5 string # Headless Service that gives the pods their names in DNS.
  podManagementPolicy 6 string # OrderedReady: one after the other; Parallel: all at once.
  updateStrategy 7 StatefulSetUpdateStrategy value # How pods are replaced when the template changes.
  revisionHistoryLimit 8 int32 ptr # How many old revisions are kept for a rollback; 10 by default.
  minReadySeconds 9 int32 # Seconds a new pod must be ready before it counts as available.
  persistentVolumeClaimRetentionPolicy 10 StatefulSetPersistentVolumeClaimRetentionPolicy # Whether claims are deleted with the StatefulSet or with pods.
  ordinals 11 StatefulSetOrdinals # How the pods are numbered.
StatefulSetStatus # What is observed of a StatefulSet.
  observedGeneration 1 int64 # Newest generation of the spec that the controller has seen.
  replicas 2 int32 required # Pods that it made.
  readyReplicas 3 int32 # Pods that are ready.
  currentReplicas 4 int32 # Pods of the revision that is being replaced.
  updatedReplicas 5 int32 # Pods of the newest revision.
  currentRevision 6 string # Name of the revision of the pods not yet updated.
  updateRevision 7 string # Name of the newest revision.
  collisionCount 9 int32 ptr # Counts clashes of revision names, to make the next name differ.
  conditions 10 []StatefulSetCondition merge=type list=map:type # Aspects of its state, as last observed.
  availableReplicas 11 int32 # Pods that have been ready for minReadySeconds.
StatefulSetUpdateStrategy # How pods of a StatefulSet are replaced.
  type 1 string # RollingUpdate, or OnDelete: only when somebody deletes the old pod.
  rollingUpdate 2 RollingUpdateStatefulSetStrategy # Settings of a rolling update.
`;
