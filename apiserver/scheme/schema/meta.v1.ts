// The field facts of meta.k8s.io/v1: see ../schema.ts for the line format.
export const metaV1 = `
APIGroup kind
  name 1 string required
  versions 2 []GroupVersionForDiscovery required list=atomic
  preferredVersion 3 GroupVersionForDiscovery
  serverAddressByClientCIDRs 4 []ServerAddressByClientCIDR list=atomic
APIGroupList kind
  groups 1 []APIGroup required list=atomic
APIResource
  name 1 string required
  namespaced 2 bool required
  kind 3 string required
  verbs 4 []string required
  shortNames 5 []string list=atomic
  singularName 6 string required
  categories 7 []string list=atomic
  group 8 string
  version 9 string
  storageVersionHash 10 string
APIResourceList kind
  groupVersion 1 string required
  resources 2 []APIResource required list=atomic
APIVersions kind
  versions 1 []string required list=atomic
  serverAddressByClientCIDRs 2 []ServerAddressByClientCIDR required list=atomic
Condition
  type 1 string required
  status 2 string required
  observedGeneration 3 int64
  lastTransitionTime 4 time required
  reason 5 string required
  message 6 string required
CreateOptions
  dryRun 1 []string
  fieldManager 3 string
  fieldValidation 4 string
DeleteOptions kind
  gracePeriodSeconds 1 int64 ptr
  preconditions 2 Preconditions
  orphanDependents 3 bool ptr
  propagationPolicy 4 string ptr
  dryRun 5 []string list=atomic
  ignoreStoreReadErrorWithClusterBreakingPotential 6 bool ptr
FieldSelectorRequirement
  key 1 string required
  operator 2 string required
  values 3 []string list=atomic
GetOptions
  resourceVersion 1 string
GroupResource
  group 1 string required
  resource 2 string required
GroupVersionForDiscovery
  groupVersion 1 string required
  version 2 string required
LabelSelector atomic
  matchLabels 1 map<string>
  matchExpressions 2 []LabelSelectorRequirement list=atomic
LabelSelectorRequirement
  key 1 string required
  operator 2 string required
  values 3 []string list=atomic
ListMeta
  selfLink 1 string
  resourceVersion 2 string
  continue 3 string
  remainingItemCount 4 int64 ptr
  shardInfo 5 ShardInfo
ListOptions
  labelSelector 1 string
  fieldSelector 2 string
  watch 3 bool
  allowWatchBookmarks 9 bool
  resourceVersion 4 string
  resourceVersionMatch 10 string
  timeoutSeconds 5 int64
  limit 7 int64
  continue 8 string
  sendInitialEvents 11 bool
  shardSelector 15 string
ManagedFieldsEntry
  manager 1 string
  operation 2 string
  apiVersion 3 string
  time 4 time ptr
  fieldsType 6 string
  fieldsV1 7 fieldsv1
  subresource 8 string
ObjectMeta
  name 1 string
  generateName 2 string
  namespace 3 string
  selfLink 4 string
  uid 5 string
  resourceVersion 6 string
  generation 7 int64
  creationTimestamp 8 time
  deletionTimestamp 9 time ptr
  deletionGracePeriodSeconds 10 int64 ptr
  labels 11 map<string>
  annotations 12 map<string>
  ownerReferences 13 []OwnerReference merge=uid list=map:uid
  finalizers 14 []string merge list=set
  managedFields 17 []ManagedFieldsEntry list=atomic
OwnerReference atomic
  kind 1 string required
  name 3 string required
  uid 4 string required
  apiVersion 5 string required
  controller 6 bool ptr
  blockOwnerDeletion 7 bool ptr
PartialObjectMetadata
  metadata 1 ObjectMeta value
PartialObjectMetadataList
  metadata 1 ListMeta value
  items 2 []PartialObjectMetadata
Patch
PatchOptions
  dryRun 1 []string
  force 2 bool ptr
  fieldManager 3 string
  fieldValidation 4 string
Preconditions
  uid 1 string ptr
  resourceVersion 2 string ptr
ServerAddressByClientCIDR
  clientCIDR 1 string required
  serverAddress 2 string required
ShardInfo
  selector 1 string required
Status kind
  metadata 1 ListMeta value
  status 2 string
  message 3 string
  reason 4 string
  details 5 StatusDetails
  code 6 int32
StatusCause
  reason 1 string
  message 2 string
  field 3 string
StatusDetails
  name 1 string
  group 2 string
  kind 3 string
  causes 4 []StatusCause list=atomic
  retryAfterSeconds 5 int32
  uid 6 string
TypeMeta
  kind 1 string
  apiVersion 2 string
UpdateOptions
  dryRun 1 []string
  fieldManager 2 string
  fieldValidation 3 string
WatchEvent kind
  type 1 string required
  object 2 raw required
`;
