// The field facts of discovery.k8s.io/v1: see ../schema.ts for the line format.
export const discoveryV1 = `
Endpoint # One backend of a Service.
  addresses 1 []string required list=set # Its addresses, which lead to the same place; usually one.
  conditions 2 EndpointConditions value # Whether it is ready, serving and terminating.
  hostname 3 string ptr # Its name in DNS, below that of the Service.
  targetRef 4 core_v1.ObjectReference # The object behind it, usually a Pod.
  deprecatedTopology 5 map<string> # Labels of place from the older API, unused in v1.
  nodeName 6 string ptr # Node it is on.
  zone 7 string ptr # Zone it is in.
  hints 8 EndpointHints # Who should preferably use it.
EndpointConditions # What can be expected of a backend.
  ready 1 bool ptr # Takes new connections; true for all where not-ready addresses are published.
  serving 2 bool ptr # Would be ready if it were not terminating.
  terminating 3 bool ptr # Is being deleted.
EndpointHints # Who should preferably use a backend.
  forZones 1 []ForZone list=atomic # Zones that should use it.
  forNodes 2 []ForNode list=atomic # Nodes that should use it.
EndpointPort atomic # One port of the backends.
  name 1 string ptr # Name of the port, as the Service has it.
  protocol 2 string ptr # TCP, UDP or SCTP; TCP by default.
  port 3 int32 ptr # Number of the port.
  appProtocol 4 string ptr # Protocol spoken on the port, such as kubernetes.io/h2c.
EndpointSlice kind # Some of the backends of a Service.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  endpoints 2 []Endpoint list=atomic # The backends, at most 1000.
  ports 3 []EndpointPort list=atomic # The ports that each of them has.
  addressType 4 string required # Form of the addresses: IPv4, IPv6 or FQDN; it cannot change.
EndpointSliceList kind # A list of EndpointSlice objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []EndpointSlice required # The objects of the list.
ForNode # A node that should use a backend.
  name 1 string required # Name of the node.
ForZone # A zone that should use a backend.
  name 1 string required # Name of the zone.
`;
