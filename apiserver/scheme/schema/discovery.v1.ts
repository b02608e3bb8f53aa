// The field facts of discovery.k8s.io/v1: see ../schema.ts for the line format.
export const discoveryV1 = `
Endpoint
  addresses 1 []string required list=set
  conditions 2 EndpointConditions value
  hostname 3 string ptr
  targetRef 4 core_v1.ObjectReference
  deprecatedTopology 5 map<string>
  nodeName 6 string ptr
  zone 7 string ptr
  hints 8 EndpointHints
EndpointConditions
  ready 1 bool ptr
  serving 2 bool ptr
  terminating 3 bool ptr
EndpointHints
  forZones 1 []ForZone list=atomic
  forNodes 2 []ForNode list=atomic
EndpointPort atomic
  name 1 string ptr
  protocol 2 string ptr
  port 3 int32 ptr
  appProtocol 4 string ptr
EndpointSlice kind
  metadata 1 meta_v1.ObjectMeta value
  endpoints 2 []Endpoint list=atomic
  ports 3 []EndpointPort list=atomic
  addressType 4 string required
EndpointSliceList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []EndpointSlice required
ForNode
  name 1 string required
ForZone
  name 1 string required
`;
