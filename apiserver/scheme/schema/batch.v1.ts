// The field facts of batch/v1: see ../schema.ts for the line format.
export const batchV1 = `
CronJob kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 CronJobSpec required value
  status 3 CronJobStatus value
CronJobList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []CronJob required
CronJobSpec
  schedule 1 string required
  startingDeadlineSeconds 2 int64 ptr
  concurrencyPolicy 3 string
  suspend 4 bool ptr
  jobTemplate 5 JobTemplateSpec required value
  successfulJobsHistoryLimit 6 int32 ptr
  failedJobsHistoryLimit 7 int32 ptr
  timeZone 8 string ptr
CronJobStatus
  active 1 []core_v1.ObjectReference list=atomic
  lastScheduleTime 4 time ptr
  lastSuccessfulTime 5 time ptr
Job kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 JobSpec value
  status 3 JobStatus value
JobCondition
  type 1 string required
  status 2 string required
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
JobList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Job required
JobSpec
  parallelism 1 int32 ptr
  completions 2 int32 ptr
  activeDeadlineSeconds 3 int64 ptr
  selector 4 meta_v1.LabelSelector
  manualSelector 5 bool ptr
  template 6 core_v1.PodTemplateSpec required value
  backoffLimit 7 int32 ptr
  ttlSecondsAfterFinished 8 int32 ptr
  completionMode 9 string ptr
  suspend 10 bool ptr
  podFailurePolicy 11 PodFailurePolicy
  backoffLimitPerIndex 12 int32 ptr
  maxFailedIndexes 13 int32 ptr
  podReplacementPolicy 14 string ptr
  managedBy 15 string ptr
  successPolicy 16 SuccessPolicy
JobStatus
  conditions 1 []JobCondition merge=type list=atomic
  startTime 2 time ptr
  completionTime 3 time ptr
  active 4 int32
  succeeded 5 int32
  failed 6 int32
  completedIndexes 7 string
  uncountedTerminatedPods 8 UncountedTerminatedPods
  ready 9 int32 ptr
  failedIndexes 10 string ptr
  terminating 11 int32 ptr
JobTemplateSpec
  metadata 1 meta_v1.ObjectMeta value
  spec 2 JobSpec value
PodFailurePolicy
  rules 1 []PodFailurePolicyRule required list=atomic
PodFailurePolicyOnExitCodesRequirement
  containerName 1 string ptr
  operator 2 string required
  values 3 []int32 required list=set
PodFailurePolicyOnPodConditionsPattern
  type 1 string required
  status 2 string
PodFailurePolicyRule
  action 1 string required
  onExitCodes 2 PodFailurePolicyOnExitCodesRequirement
  onPodConditions 3 []PodFailurePolicyOnPodConditionsPattern list=atomic
SuccessPolicy
  rules 1 []SuccessPolicyRule required list=atomic
SuccessPolicyRule
  succeededIndexes 1 string ptr
  succeededCount 2 int32 ptr
UncountedTerminatedPods
  succeeded 1 []string list=set
  failed 2 []string list=set
`;
