// The field facts of authorization.k8s.io/v1: see ../schema.ts for the line format.
export const authorizationV1 = `
FieldSelectorAttributes
  rawSelector 1 string
  requirements 2 []meta_v1.FieldSelectorRequirement list=atomic
LabelSelectorAttributes
  rawSelector 1 string
  requirements 2 []meta_v1.LabelSelectorRequirement list=atomic
LocalSubjectAccessReview kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 SubjectAccessReviewSpec required value
  status 3 SubjectAccessReviewStatus value
NonResourceAttributes
  path 1 string
  verb 2 string
NonResourceRule
  verbs 1 []string required list=atomic
  nonResourceURLs 2 []string list=atomic
ResourceAttributes
  namespace 1 string
  verb 2 string
  group 3 string
  version 4 string
  resource 5 string
  subresource 6 string
  name 7 string
  fieldSelector 8 FieldSelectorAttributes
  labelSelector 9 LabelSelectorAttributes
ResourceRule
  verbs 1 []string required list=atomic
  apiGroups 2 []string list=atomic
  resources 3 []string list=atomic
  resourceNames 4 []string list=atomic
SelfSubjectAccessReview kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 SelfSubjectAccessReviewSpec required value
  status 3 SubjectAccessReviewStatus value
SelfSubjectAccessReviewSpec
  resourceAttributes 1 ResourceAttributes
  nonResourceAttributes 2 NonResourceAttributes
SelfSubjectRulesReview kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 SelfSubjectRulesReviewSpec required value
  status 3 SubjectRulesReviewStatus value
SelfSubjectRulesReviewSpec
  namespace 1 string
SubjectAccessReview kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 SubjectAccessReviewSpec required value
  status 3 SubjectAccessReviewStatus value
SubjectAccessReviewSpec
  resourceAttributes 1 ResourceAttributes
  nonResourceAttributes 2 NonResourceAttributes
  user 3 string
  groups 4 []string list=atomic
  extra 5 map<[]string>
  uid 6 string
SubjectAccessReviewStatus
  allowed 1 bool required
  reason 2 string
  evaluationError 3 string
  denied 4 bool
SubjectRulesReviewStatus
  resourceRules 1 []ResourceRule required list=atomic
  nonResourceRules 2 []NonResourceRule required list=atomic
  incomplete 3 bool required
  evaluationError 4 string
`;
