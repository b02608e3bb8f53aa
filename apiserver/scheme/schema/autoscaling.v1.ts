// The field facts of autoscaling/v1: see ../schema.ts for the line format.
export const autoscalingV1 = `
CrossVersionObjectReference atomic # An object of the same namespace, by kind and name.
  kind 1 string required # Kind of the object.
  name 2 string required # Name of the object.
  apiVersion 3 string # Group and version of the object.
HorizontalPodAutoscaler kind # Changes how many pods a workload has, by their load.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 HorizontalPodAutoscalerSpec required value # What is wanted of the HorizontalPodAutoscaler.
  status 3 HorizontalPodAutoscalerStatus value # What is observed of the HorizontalPodAutoscaler.
HorizontalPodAutoscalerList kind # A list of HorizontalPodAutoscaler objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []HorizontalPodAutoscaler required # The objects of the list.
HorizontalPodAutoscalerSpec # What is wanted of an autoscaler.
  scaleTargetRef 1 CrossVersionObjectReference required value # The workload whose replicas are changed.
  minReplicas 2 int32 ptr # Fewest pods it may go down to; 1 by default.
  maxReplicas 3 int32 required # Most pods it may go up to.
  targetCPUUtilizationPercentage 4 int32 ptr # Wanted mean use of CPU, in percent of what pods request.
HorizontalPodAutoscalerStatus # What is observed of an autoscaler.
  observedGeneration 1 int64 ptr # Newest generation of the spec that the controller has seen.
  lastScaleTime 2 time ptr # When the number of pods was last changed.
  currentReplicas 3 int32 required # Pods there are, as last seen.
  desiredReplicas 4 int32 required # Pods there should be, as last computed.
  currentCPUUtilizationPercentage 5 int32 ptr # Mean use of CPU, in percent of what pods request.
Scale kind # How many replicas a workload has and should have.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 ScaleSpec value # What is wanted of the Scale.
  status 3 ScaleStatus value # What is observed of the Scale.
ScaleSpec # What is wanted of a scale.
  replicas 1 int32 # How many pods are wanted.
ScaleStatus # What is observed of a scale.
  replicas 1 int32 required # How many pods there are.
  selector 2 string # Selector of the pods, as text.
`;
