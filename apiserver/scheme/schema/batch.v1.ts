// The field facts of batch/v1: see ../schema.ts for the line format.
export const batchV1 = `
CronJob kind # Makes a Job at the times of a schedule.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 CronJobSpec required value # What is wanted of the CronJob.
  status 3 CronJobStatus value # What is observed of the CronJob.
CronJobList kind # A list of CronJob objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []CronJob required # The objects of the list.
CronJobSpec # What is wanted of a CronJob.
  schedule 1 string required # Times in cron's form: minute, hour, day of month, month, day of week.
  startingDeadlineSeconds 2 int64 ptr # Seconds after its time within which a missed run may still start.
  concurrencyPolicy 3 string # When the run before has not ended: Allow, Forbid (skip) or Replace (end it).
  suspend 4 bool ptr # Whether no further runs are started.
  jobTemplate 5 JobTemplateSpec required value # The Job that is made each time.
  successfulJobsHistoryLimit 6 int32 ptr # How many Jobs that succeeded are kept; 3 by default.
  failedJobsHistoryLimit 7 int32 ptr # How many Jobs that failed are kept; 1 by default.
  timeZone 8 string ptr # Time zone of the schedule, such as Europe/Zurich; by default the controller's.
CronJobStatus # What is observed of a CronJob.
  active 1 []core_v1.ObjectReference list=atomic # Jobs of it that are running.
  lastScheduleTime 4 time ptr # Time of the schedule for which a Job was last made.
  lastSuccessfulTime 5 time ptr # When a Job of it last succeeded.
Job kind # Runs pods until enough of them have succeeded.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 JobSpec value # What is wanted of the Job.
  status 3 JobStatus value # What is observed of the Job.
JobCondition # One aspect of the state of a Job, as last observed.
  type 1 string required # Name of the condition.
  status 2 string required # True, False or Unknown.
  lastProbeTime 3 time # When the condition was last looked at.
  lastTransitionTime 4 time # When the status last changed.
  reason 5 string # Why it changed, as one word.
  message 6 string # Why it changed, in words.
JobList kind # A list of Job objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Job required # The objects of the list.
JobSpec # What is wanted of a Job.
  parallelism 1 int32 ptr # Most pods that run at the same time; 1 by default.
  completions 2 int32 ptr # How many pods have to succeed; unset: one success ends the Job.
  activeDeadlineSeconds 3 int64 ptr # Seconds after which the Job is ended as failed.
  selector 4 meta_v1.LabelSelector # Chooses its pods; the server sets it unless manualSelector is true.
  manualSelector 5 bool ptr # Whether selector is yours to set.
  template 6 core_v1.PodTemplateSpec required value # The pod that is run; it must not restart always.
  backoffLimit 7 int32 ptr # How many failures make the Job fail; 6 by default.
  ttlSecondsAfterFinished 8 int32 ptr # Seconds after its end when the Job is deleted.
  completionMode 9 string ptr # NonIndexed, or Indexed: each pod has a number and each number must succeed.
  suspend 10 bool ptr # Whether its pods are ended and no new ones made.
  podFailurePolicy 11 PodFailurePolicy # Which failures of pods count, which are ignored, and which fail the Job.
  backoffLimitPerIndex 12 int32 ptr # How many failures make one index fail, in an Indexed Job.
  maxFailedIndexes 13 int32 ptr # How many failed indexes make the Job fail.
  podReplacementPolicy 14 string ptr # When a pod is replaced: TerminatingOrFailed, or Failed: only once it has ended.
  managedBy 15 string ptr # Controller that runs this Job in place of the built-in one.
  successPolicy 16 SuccessPolicy # When an Indexed Job counts as succeeded before all indexes have.
JobStatus # What is observed of a Job.
  conditions 1 []JobCondition merge=type list=atomic # Aspects of its state: Complete, Failed, Suspended and others.
  startTime 2 time ptr # When its first pods were allowed to start, or were again after a suspension.
  completionTime 3 time ptr # When it succeeded.
  active 4 int32 # Pods that are waiting or running.
  succeeded 5 int32 # Pods that succeeded.
  failed 6 int32 # Pods that failed.
  completedIndexes 7 string # Indexes that succeeded, such as 1,3-5.
  uncountedTerminatedPods 8 UncountedTerminatedPods # Pods that ended and are not in the counts yet.
  ready 9 int32 ptr # Pods that are ready.
  failedIndexes 10 string ptr # Indexes that failed for good, such as 1,3-5.
  terminating 11 int32 ptr # Pods that are being deleted and have not ended.
JobTemplateSpec # The Job that a CronJob makes.
  metadata 1 meta_v1.ObjectMeta value # Labels and annotations of the Jobs.
  spec 2 JobSpec value # What is wanted of the Jobs.
PodFailurePolicy # What to do about failed pods, by the first rule that fits.
  rules 1 []PodFailurePolicyRule required list=atomic # The rules, in the order in which they are tried.
PodFailurePolicyOnExitCodesRequirement # Fits by the exit codes of containers.
  containerName 1 string ptr # Container whose code counts; unset: any of them.
  operator 2 string required # In: one of the values; NotIn: none of them.
  values 3 []int32 required list=set # Exit codes; 0 is not allowed with In.
PodFailurePolicyOnPodConditionsPattern # Fits by a condition of the pod.
  type 1 string required # Condition that the pod must have.
  status 2 string # Status the condition must have; True by default.
PodFailurePolicyRule # One rule about failed pods.
  action 1 string required # FailJob, FailIndex, Ignore or Count.
  onExitCodes 2 PodFailurePolicyOnExitCodesRequirement # Exit codes for which the rule fits.
  onPodConditions 3 []PodFailurePolicyOnPodConditionsPattern list=atomic # Conditions for any of which the rule fits.
SuccessPolicy # When a Job counts as succeeded early.
  rules 1 []SuccessPolicyRule required list=atomic # The rules; one that holds is enough.
SuccessPolicyRule # One way for a Job to succeed early.
  succeededIndexes 1 string ptr # Indexes that have to succeed, such as 0,2-4; unset: any.
  succeededCount 2 int32 ptr # How many of those have to succeed; unset: all.
UncountedTerminatedPods # Pods that ended and are not counted yet, by uid.
  succeeded 1 []string list=set # Those that succeeded.
  failed 2 []string list=set # Those that failed.
`;
