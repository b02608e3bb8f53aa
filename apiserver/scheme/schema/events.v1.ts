// The field facts of events.k8s.io/v1: see ../schema.ts for the line format.
export const eventsV1 = `
Event kind # Something that happened to an object, for people to read; not kept for long.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  eventTime 2 microtime required # When it was first seen.
  series 3 EventSeries # How often and until when it happened again.
  reportingController 4 string # Component that reports it, such as kubernetes.io/kubelet.
  reportingInstance 5 string # Which instance of the component reports it.
  action 6 string # What was done about the object.
  reason 7 string # Why it was done, as one word.
  regarding 8 core_v1.ObjectReference value # Object that it is about.
  related 9 core_v1.ObjectReference # Second object that it involves.
  note 10 string # What happened, in words for people.
  type 11 string # Normal or Warning.
  deprecatedSource 12 core_v1.EventSource value # Reporter, as core's Event says it.
  deprecatedFirstTimestamp 13 time # First time, as core's Event says it.
  deprecatedLastTimestamp 14 time # Last time, as core's Event says it.
  deprecatedCount 15 int32 # How often, as core's Event says it.
EventList kind # A list of Event objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Event required # The objects of the list.
EventSeries # An event that keeps happening.
  count 1 int32 required # How often it has happened so far.
  lastObservedTime 2 microtime required # When it was last seen.
`;
