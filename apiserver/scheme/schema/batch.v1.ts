// The field facts of batch/v1: see ../schema.ts for the line format.
export const batchV1 = `
CronJob kind
  metadata 1 meta_v1.ObjectMeta
  spec 2 CronJobSpec required
  status 3 CronJobStatus
CronJobList kind
  metadata 1 meta_v1.ListMeta
  items 2 []CronJob required
CronJobSpec
  schedule 1 string required
  startingDeadlineSeconds 2 int64
  concurrencyPolicy 3 string
  suspend 4 bool
  jobTemplate 5 JobTemplateSpec required
  successfulJobsHistoryLimit 6 int32
  failedJobsHistoryLimit 7 int32
  timeZone 8 string
CronJobStatus
  active 1 []core_v1.ObjectReference list=atomic
  lastScheduleTime 4 time
  lastSuccessfulTime 5 time
Job kind
  metadata 1 meta_v1.ObjectMeta
  spec 2 JobSpec
  status 3 JobStatus
JobCondition
  type 1 string required
  status 2 string required
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 string
  message 6 string
JobList kind
  metadata 1 meta_v1.ListMeta
  items 2 []Job required
JobSpec
  parallelism 1 int32
  completions 2 int32
  activeDeadlineSeconds 3 int64
  selector 4 meta_v1.LabelSelector
  manualSelector 5 bool
  template 6 core_v1.PodTemplateSpec required
  backoffLimit 7 int32
  ttlSecondsAfterFinished 8 int32
  completionMode 9 string
  suspend 10 bool
  podFailurePolicy 11 PodFailurePolicy
  backoffLimitPerIndex 12 int32
  maxFailedIndexes 13 int32
  podReplacementPolicy 14 string
  managedBy 15 string
  successPolicy 16 SuccessPolicy
JobStatus
  conditions 1 []JobCondition merge=type list=atomic
  startTime 2 time
  completionTime 3 time
  active 4 int32
  succeeded 5 int32
  failed 6 int32
  completedIndexes 7 string
  uncountedTerminatedPods 8 UncountedTerminatedPods
  ready 9 int32
  failedIndexes 10 string
  terminating 11 int32
JobTemplateSpec
  metadata 1 meta_v1.ObjectMeta
  spec 2 JobSpec
PodFailurePolicy
  rules 1 []PodFailurePolicyRule required list=atomic
PodFailurePolicyOnExitCodesRequirement
  containerName 1 string
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
  succeededIndexes 1 string
  succeededCount 2 int32
UncountedTerminatedPods
  succeeded 1 []string list=set
  failed 2 []string list=set
`;
