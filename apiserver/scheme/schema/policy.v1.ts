// The field facts of policy/v1: see ../schema.ts for the line format.
export const policyV1 = `
Eviction kind
  metadata 1 meta_v1.ObjectMeta value
  deleteOptions 2 meta_v1.DeleteOptions
PodDisruptionBudget kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 PodDisruptionBudgetSpec value
  status 3 PodDisruptionBudgetStatus value
PodDisruptionBudgetList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []PodDisruptionBudget required
PodDisruptionBudgetSpec
  minAvailable 1 intorstring ptr
  selector 2 meta_v1.LabelSelector
  maxUnavailable 3 intorstring ptr
  unhealthyPodEvictionPolicy 4 string ptr
PodDisruptionBudgetStatus
  observedGeneration 1 int64
  disruptedPods 2 map<time>
  disruptionsAllowed 3 int32
  currentHealthy 4 int32
  desiredHealthy 5 int32
  expectedPods 6 int32
  conditions 7 []meta_v1.Condition merge=type list=map:type
`;
