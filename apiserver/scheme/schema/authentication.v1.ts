// The field facts of authentication.k8s.io/v1: see ../schema.ts for the line format.
export const authenticationV1 = `
BoundObjectReference # Object that a token is bound to, and ends with.
  kind 1 string # Pod, Secret or Node.
  apiVersion 2 string # Version of the object.
  name 3 string # Name of the object.
  uid 4 string # Identity of the object.
SelfSubjectReview kind # Tells who the server takes the caller for.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  status 2 SelfSubjectReviewStatus value # The answer, filled in by the server.
SelfSubjectReviewStatus # Who the caller is.
  userInfo 1 UserInfo value # The caller's name, groups and more.
TokenRequest kind # Asks for a token of a service account.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 TokenRequestSpec value # What is asked.
  status 3 TokenRequestStatus value # The answer, filled in by the server.
TokenRequestSpec # What the token should be.
  audiences 1 []string list=atomic # Who the token is meant for; empty: the API server.
  boundObjectRef 3 BoundObjectReference # Object without which the token is no longer valid.
  expirationSeconds 4 int64 ptr # Seconds the token should be valid; at least 600, 3600 by default.
TokenRequestStatus # The token that was made.
  token 1 string # The token itself: a secret.
  expirationTimestamp 2 time # When the token ends.
TokenReview kind # Asks who a token belongs to.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 TokenReviewSpec required value # What is asked.
  status 3 TokenReviewStatus value # The answer, filled in by the server.
TokenReviewSpec # The token in question.
  token 1 string required # The token to look at.
  audiences 2 []string list=atomic # Who it should be meant for; empty: the API server.
TokenReviewStatus # What the token is.
  authenticated 1 bool # Whether the token is valid.
  user 2 UserInfo value # Whose token it is.
  error 3 string # Why it could not be looked at.
  audiences 4 []string list=atomic # Those of the asked audiences that it is meant for.
UserInfo # A user as the server knows it.
  username 1 string # Name of the user.
  uid 2 string # Identity that lasts longer than the name.
  groups 3 []string list=atomic # Groups the user is in.
  extra 4 map<[]string> # More that the authenticator says of the user.
`;
