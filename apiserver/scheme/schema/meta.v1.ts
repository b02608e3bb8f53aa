// The field facts of meta.k8s.io/v1: see ../schema.ts for the line format.
export const metaV1 = `
APIGroup kind # A group of the API and the versions it is served in.
  name 1 string required # Name of the group; empty for the core group.
  versions 2 []GroupVersionForDiscovery required list=atomic # Versions in which the group is served.
  preferredVersion 3 GroupVersionForDiscovery # Version that clients should use when they have no reason for another.
  serverAddressByClientCIDRs 4 []ServerAddressByClientCIDR list=atomic # Addresses of the server by the client's network.
APIGroupList kind # All groups that the server has.
  groups 1 []APIGroup required list=atomic # The groups, core excepted.
APIResource # One resource of a group and version, and what can be done with it.
  name 1 string required # Plural name, as in paths; pods/log is a subresource.
  namespaced 2 bool required # Whether objects live in namespaces.
  kind 3 string required # Kind of the resource's objects.
  verbs 4 []string required # Verbs the resource answers: get, list, watch, create and others.
  shortNames 5 []string list=atomic # Short names for command lines, such as po.
  singularName 6 string required # Name of one object, such as pod.
  categories 7 []string list=atomic # Groups of resources it belongs to on command lines, such as all.
  group 8 string # Group of the objects' kind; empty means that of the list.
  version 9 string # Version of the objects' kind; empty means that of the list.
  storageVersionHash 10 string # Mark of the form in which objects are stored.
APIResourceList kind # The resources of one group and version.
  groupVersion 1 string required # Group and version that the list is about.
  resources 2 []APIResource required list=atomic # The resources, subresources included.
APIVersions kind # Versions of the core group.
  versions 1 []string required list=atomic # Versions in which the core group is served.
  serverAddressByClientCIDRs 2 []ServerAddressByClientCIDR required list=atomic # Addresses of the server by the client's network.
Condition # One aspect of an object's state, as last observed.
  type 1 string required # Name of the condition, in camel case.
  status 2 string required # True, False or Unknown.
  observedGeneration 3 int64 # Generation of the spec that the condition was judged by.
  lastTransitionTime 4 time required # When the status last changed.
  reason 5 string required # Short camel-case reason for the last change.
  message 6 string required # The reason in words for people.
CreateOptions # How an object is created.
  dryRun 1 []string # All: answer as if done, and store nothing.
  fieldManager 3 string # Who the set fields are recorded under.
  fieldValidation 4 string # What happens with unknown fields: Ignore, Warn or Strict.
DeleteOptions kind # How an object is deleted.
  gracePeriodSeconds 1 int64 ptr # Seconds the object may take to end; 0 deletes it at once.
  preconditions 2 Preconditions # What must hold of the object for the deletion to happen.
  orphanDependents 3 bool ptr # Old form of propagationPolicy: true leaves dependents behind.
  propagationPolicy 4 string ptr # What happens to dependents: Orphan, Background or Foreground.
  dryRun 5 []string list=atomic # All: answer as if done, and delete nothing.
  ignoreStoreReadErrorWithClusterBreakingPotential 6 bool ptr # Deletes an object that can no longer be read, without any of its safeguards.
FieldSelectorRequirement # One condition on a field.
  key 1 string required # Path of the field, such as metadata.name.
  operator 2 string required # In, NotIn, Exists or DoesNotExist.
  values 3 []string list=atomic # Values to compare with; none for Exists and DoesNotExist.
GetOptions # How an object is read.
  resourceVersion 1 string # How new the answer has to be; 0 takes any.
GroupResource # A resource by group and name.
  group 1 string required # Group of the resource.
  resource 2 string required # Plural name of the resource.
GroupVersionForDiscovery # A group's version as discovery names it.
  groupVersion 1 string required # Group and version as one word, such as apps/v1.
  version 2 string required # The version alone, such as v1.
LabelSelector atomic # Chooses objects by labels; both parts must hold, and an empty one takes all.
  matchLabels 1 map<string> # Labels and the values they must have.
  matchExpressions 2 []LabelSelectorRequirement list=atomic # Conditions on labels, all of which must hold.
LabelSelectorRequirement # One condition on a label.
  key 1 string required # Label that the condition is about.
  operator 2 string required # In, NotIn, Exists or DoesNotExist.
  values 3 []string list=atomic # Values to compare with; none for Exists and DoesNotExist.
ListMeta # What every list carries.
  selfLink 1 string # No longer set.
  resourceVersion 2 string # Version of the store that the list shows; a watch goes on from it.
  continue 3 string # Token to ask for the next page; empty on the last one.
  remainingItemCount 4 int64 ptr # How many objects come on later pages, where that is known.
  shardInfo 5 ShardInfo # Which part of the objects the list shows, where it is not all.
ListOptions # How objects are listed or watched.
  labelSelector 1 string # Takes only objects with these labels.
  fieldSelector 2 string # Takes only objects with these values of fields.
  watch 3 bool # Streams changes instead of a list.
  allowWatchBookmarks 9 bool # Lets the server send bookmarks, which tell how far a watch has come.
  resourceVersion 4 string # Version to list at or to watch from.
  resourceVersionMatch 10 string # How resourceVersion is meant: Exact or NotOlderThan.
  timeoutSeconds 5 int64 # Ends the call after this many seconds.
  limit 7 int64 # Most objects on a page.
  continue 8 string # Token of the page before, for the next one.
  sendInitialEvents 11 bool # Begins a watch with the present objects and a bookmark after them.
  shardSelector 15 string # Takes only the part of the objects that falls to one shard.
ManagedFieldsEntry # The fields that one manager set.
  manager 1 string # Name of the manager.
  operation 2 string # How it set them: Apply or Update.
  apiVersion 3 string # Version of the object in which the fields are named.
  time 4 time ptr # When the entry last changed.
  fieldsType 6 string # Form of fieldsV1; FieldsV1 is the only one.
  fieldsV1 7 fieldsv1 # The fields, as a tree of their names.
  subresource 8 string # Subresource through which they were set, such as status.
ObjectMeta # What every object carries.
  name 1 string # Name, unique among its kind in the namespace; it cannot change.
  generateName 2 string # Beginning of a name that the server completes when name is empty.
  namespace 3 string # Namespace of the object; it cannot change.
  selfLink 4 string # No longer set.
  uid 5 string # Identity that no other object ever has, given by the server.
  resourceVersion 6 string # Version of the object; a write that names an old one is refused.
  generation 7 int64 # Counts changes of what is wanted.
  creationTimestamp 8 time # When the object was created, by the server's clock.
  deletionTimestamp 9 time ptr # When the object will go; set by the server when deletion was asked for.
  deletionGracePeriodSeconds 10 int64 ptr # Seconds it was given to end, once deletion was asked for.
  labels 11 map<string> # Names and values that selectors choose by.
  annotations 12 map<string> # Names and values for tools and people; nothing selects by them.
  ownerReferences 13 []OwnerReference merge=uid list=map:uid # Objects it depends on; it is collected when all of them are gone.
  finalizers 14 []string merge list=set # Who has to do something before the object may go.
  managedFields 17 []ManagedFieldsEntry list=atomic # Which manager set which fields.
OwnerReference atomic # An object that another one depends on, in the same namespace or in none.
  kind 1 string required # Kind of the owner.
  name 3 string required # Name of the owner.
  uid 4 string required # Identity of the owner.
  apiVersion 5 string required # Group and version of the owner.
  controller 6 bool ptr # Whether it is the one owner that controls the object.
  blockOwnerDeletion 7 bool ptr # Whether a foreground deletion of the owner waits for the object.
PartialObjectMetadata # An object reduced to its metadata.
  metadata 1 ObjectMeta value # Name, namespace, labels and what else every object carries.
PartialObjectMetadataList # Objects reduced to their metadata.
  metadata 1 ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []PartialObjectMetadata # The objects of the list.
Patch # A change of an object in the form that its content type names.
PatchOptions # How an object is patched.
  dryRun 1 []string # All: answer as if done, and store nothing.
  force 2 bool ptr # Takes fields over from other managers when applying.
  fieldManager 3 string # Who the set fields are recorded under; needed when applying.
  fieldValidation 4 string # What happens with unknown fields: Ignore, Warn or Strict.
Preconditions # What must hold of an object for a change to happen.
  uid 1 string ptr # Identity that the object must have.
  resourceVersion 2 string ptr # Version that the object must have.
ServerAddressByClientCIDR # Which address of the server fits a client's network.
  clientCIDR 1 string required # Network of the client.
  serverAddress 2 string required # Address to use from there.
ShardInfo # Part of a collection that a list shows.
  selector 1 string required # Expression that chooses the part.
Status kind # The outcome of a request that returns no object.
  metadata 1 ListMeta value # What every list carries: its version, and where the next page begins.
  status 2 string # Success or Failure.
  message 3 string # What happened, in words for people.
  reason 4 string # What happened, as a word for programs, such as NotFound.
  details 5 StatusDetails # More about the reason, as far as it is known.
  code 6 int32 # HTTP status code of the answer.
StatusCause # One of several causes of a failure.
  reason 1 string # The cause as a word for programs.
  message 2 string # The cause in words for people.
  field 3 string # Path of the field that caused it.
StatusDetails # What a failure was about.
  name 1 string # Name of the object.
  group 2 string # Group of the object's kind.
  kind 3 string # Kind, or resource, of the object.
  causes 4 []StatusCause list=atomic # The causes, field by field for an invalid object.
  retryAfterSeconds 5 int32 # Seconds to wait before the request is sent again.
  uid 6 string # Identity of the object.
TypeMeta # Kind and version that an object says it has.
  kind 1 string # Kind of the object.
  apiVersion 2 string # Group and version of the object.
UpdateOptions # How an object is updated.
  dryRun 1 []string # All: answer as if done, and store nothing.
  fieldManager 2 string # Who the set fields are recorded under.
  fieldValidation 3 string # What happens with unknown fields: Ignore, Warn or Strict.
WatchEvent kind # One change that a watch tells.
  type 1 string required # ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
  object 2 raw required # The object after the change, or as it was before its deletion; a Status for ERROR.
`;
