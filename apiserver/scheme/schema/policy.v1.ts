// The field facts of policy/v1: see ../schema.ts for the line format.
export const policyV1 = `
Eviction kind # Asks for a pod to be deleted as long as its disruption budgets allow that.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  deleteOptions 2 meta_v1.DeleteOptions # How the pod is deleted.
PodDisruptionBudget kind # Limits how many pods of a set may be down by choice at a time.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 PodDisruptionBudgetSpec value # What is wanted of the PodDisruptionBudget.
  status 3 PodDisruptionBudgetStatus value # What is observed of the PodDisruptionBudget.
PodDisruptionBudgetList kind # A list of PodDisruptionBudget objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []PodDisruptionBudget required # The objects of the list.
PodDisruptionBudgetSpec # What is wanted of a disruption budget.
  minAvailable 1 intorstring ptr # How many pods must stay up, as a number or percentage; excludes maxUnavailable.
  selector 2 meta_v1.LabelSelector # Chooses the pods that are protected.
  maxUnavailable 3 intorstring ptr # How many pods may be down, as a number or percentage; excludes minAvailable.
  unhealthyPodEvictionPolicy 4 string ptr # When pods that are not ready may be evicted: IfHealthyBudget or AlwaysAllow.
PodDisruptionBudgetStatus # What is observed of a disruption budget.
  observedGeneration 1 int64 # Newest generation of the spec that the counts are for.
  disruptedPods 2 map<time> # Pods whose eviction was allowed and not yet seen, with its time.
  disruptionsAllowed 3 int32 # How many pods may be evicted now.
  currentHealthy 4 int32 # Pods that are healthy.
  desiredHealthy 5 int32 # Pods that must be healthy at least.
  expectedPods 6 int32 # Pods that the budget counts.
  conditions 7 []meta_v1.Condition merge=type list=map:type # Aspects of its state: DisruptionAllowed.
`;
