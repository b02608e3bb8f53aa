// The field facts of authorization.k8s.io/v1: see ../schema.ts for the line format.
export const authorizationV1 = `
FieldSelectorAttributes # Field selector of the request in question.
  rawSelector 1 string # The selector as it stands in a query.
  requirements 2 []meta_v1.FieldSelectorRequirement list=atomic # The selector taken apart; excludes rawSelector.
LabelSelectorAttributes # Label selector of the request in question.
  rawSelector 1 string # The selector as it stands in a query.
  requirements 2 []meta_v1.LabelSelectorRequirement list=atomic # The selector taken apart; excludes rawSelector.
LocalSubjectAccessReview kind # Asks whether somebody may do something in one namespace.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 SubjectAccessReviewSpec required value # What is asked.
  status 3 SubjectAccessReviewStatus value # The answer, filled in by the server.
NonResourceAttributes # A request for a path outside of resources.
  path 1 string # Path of the request.
  verb 2 string # Method of the request, in lower case.
NonResourceRule # Paths that may be asked for.
  verbs 1 []string required list=atomic # Methods that are permitted; * is all.
  nonResourceURLs 2 []string list=atomic # The paths, with * as last step for all below.
ResourceAttributes # A request for a resource.
  namespace 1 string # Namespace of the request; empty: all, or none for cluster-wide kinds.
  verb 2 string # What is asked: get, list, create and others; * is all.
  group 3 string # Group of the resource; * is all.
  version 4 string # Version of the resource; * is all.
  resource 5 string # The resource; * is all.
  subresource 6 string # The subresource; empty is none.
  name 7 string # Name of the object; empty is all.
  fieldSelector 8 FieldSelectorAttributes # Field selector the request is limited to.
  labelSelector 9 LabelSelectorAttributes # Label selector the request is limited to.
ResourceRule # Resources that may be used.
  verbs 1 []string required list=atomic # Verbs that are permitted; * is all.
  apiGroups 2 []string list=atomic # Groups of the resources; * is all.
  resources 3 []string list=atomic # The resources; * is all.
  resourceNames 4 []string list=atomic # Names of the objects; none means all.
SelfSubjectAccessReview kind # Asks whether the caller may do something.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 SelfSubjectAccessReviewSpec required value # What is asked.
  status 3 SubjectAccessReviewStatus value # The answer, filled in by the server.
SelfSubjectAccessReviewSpec # The request in question; one of the two forms.
  resourceAttributes 1 ResourceAttributes # A request for a resource.
  nonResourceAttributes 2 NonResourceAttributes # A request for another path.
SelfSubjectRulesReview kind # Asks for all that the caller may do in a namespace.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 SelfSubjectRulesReviewSpec required value # What is asked.
  status 3 SubjectRulesReviewStatus value # The answer, filled in by the server.
SelfSubjectRulesReviewSpec # Where the question is asked.
  namespace 1 string # Namespace in question.
SubjectAccessReview kind # Asks whether somebody may do something.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 SubjectAccessReviewSpec required value # What is asked.
  status 3 SubjectAccessReviewStatus value # The answer, filled in by the server.
SubjectAccessReviewSpec # The request in question, and who makes it.
  resourceAttributes 1 ResourceAttributes # A request for a resource.
  nonResourceAttributes 2 NonResourceAttributes # A request for another path.
  user 3 string # Name of the user.
  groups 4 []string list=atomic # Groups the user is in.
  extra 5 map<[]string> # More that the authenticator says of the user.
  uid 6 string # Identity of the user.
SubjectAccessReviewStatus # Whether it is permitted.
  allowed 1 bool required # Whether it may be done.
  reason 2 string # Why, in words for people.
  evaluationError 3 string # What went wrong while judging; the answer may still stand.
  denied 4 bool # Whether it was forbidden outright, whatever others say.
SubjectRulesReviewStatus # What may be done, as far as rules can be listed.
  resourceRules 1 []ResourceRule required list=atomic # Permissions on resources.
  nonResourceRules 2 []NonResourceRule required list=atomic # Permissions on other paths.
  incomplete 3 bool required # Whether there may be more than is listed.
  evaluationError 4 string # What went wrong while listing.
`;
