// The field facts of discovery.k8s.io/v1: see ../schema.ts for the line format.
export const discoveryV1 = `
Endpoint
  addresses 1 []string required list=set
  conditions 2 EndpointConditions
  hostname 3 string
  targetRef 4 core_v1.ObjectReference
  deprecatedTopology 5 map<string>
  nodeName 6 string
  zone 7 string
  hints 8 EndpointHints
EndpointConditions
  ready 1 bool
  serving 2 bool
  terminating 3 bool
EndpointHints
  forZones 1 []ForZone list=atomic
  forNodes 2 []ForNode list=atomic
EndpointPort atomic
  name 1 string
  protocol 2 string
  port 3 int32
  appProtocol 4 string
EndpointSlice kind
  metadata 1 meta_v1.ObjectMeta
  endpoints 2 []Endpoint list=atomic
  ports 3 []EndpointPort list=atomic
  addressType 4 string required
EndpointSliceList kind
  metadata 1 meta_v1.ListMeta
  items 2 []EndpointSlice required
ForNode
  name 1 string required
ForZone
  name 1 string required
`;
