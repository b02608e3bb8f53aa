// The field facts of events.k8s.io/v1: see ../schema.ts for the line format.
export const eventsV1 = `
Event kind
  metadata 1 meta_v1.ObjectMeta value
  eventTime 2 microtime required
  series 3 EventSeries
  reportingController 4 string
  reportingInstance 5 string
  action 6 string
  reason 7 string
  regarding 8 core_v1.ObjectReference value
  related 9 core_v1.ObjectReference
  note 10 string
  type 11 string
  deprecatedSource 12 core_v1.EventSource value
  deprecatedFirstTimestamp 13 time
  deprecatedLastTimestamp 14 time
  deprecatedCount 15 int32
EventList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Event required
EventSeries
  count 1 int32 required
  lastObservedTime 2 microtime required
`;
