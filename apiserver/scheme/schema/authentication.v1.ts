// The field facts of authentication.k8s.io/v1: see ../schema.ts for the line format.
export const authenticationV1 = `
BoundObjectReference
  kind 1 string
  apiVersion 2 string
  name 3 string
  uid 4 string
SelfSubjectReview kind
  metadata 1 meta_v1.ObjectMeta value
  status 2 SelfSubjectReviewStatus value
SelfSubjectReviewStatus
  userInfo 1 UserInfo value
TokenRequest kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 TokenRequestSpec value
  status 3 TokenRequestStatus value
TokenRequestSpec
  audiences 1 []string list=atomic
  boundObjectRef 3 BoundObjectReference
  expirationSeconds 4 int64 ptr
TokenRequestStatus
  token 1 string
  expirationTimestamp 2 time
TokenReview kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 TokenReviewSpec required value
  status 3 TokenReviewStatus value
TokenReviewSpec
  token 1 string required
  audiences 2 []string list=atomic
TokenReviewStatus
  authenticated 1 bool
  user 2 UserInfo value
  error 3 string
  audiences 4 []string list=atomic
UserInfo
  username 1 string
  uid 2 string
  groups 3 []string list=atomic
  extra 4 map<[]string>
`;
