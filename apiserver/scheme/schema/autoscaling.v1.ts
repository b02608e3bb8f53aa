// The field facts of autoscaling/v1: see ../schema.ts for the line format.
export const autoscalingV1 = `
CrossVersionObjectReference atomic
  kind 1 string required
  name 2 string required
  apiVersion 3 string
HorizontalPodAutoscaler kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 HorizontalPodAutoscalerSpec required value
  status 3 HorizontalPodAutoscalerStatus value
HorizontalPodAutoscalerList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []HorizontalPodAutoscaler required
HorizontalPodAutoscalerSpec
  scaleTargetRef 1 CrossVersionObjectReference required value
  minReplicas 2 int32 ptr
  maxReplicas 3 int32 required
  targetCPUUtilizationPercentage 4 int32 ptr
HorizontalPodAutoscalerStatus
  observedGeneration 1 int64 ptr
  lastScaleTime 2 time ptr
  currentReplicas 3 int32 required
  desiredReplicas 4 int32 required
  currentCPUUtilizationPercentage 5 int32 ptr
Scale kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 ScaleSpec value
  status 3 ScaleStatus value
ScaleSpec
  replicas 1 int32
ScaleStatus
  replicas 1 int32 required
  selector 2 string
`;
