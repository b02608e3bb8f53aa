// The field facts of rbac.authorization.k8s.io/v1: see ../schema.ts for the line format.
export const rbacV1 = `
AggregationRule
  clusterRoleSelectors 1 []meta_v1.LabelSelector list=atomic
ClusterRole kind
  metadata 1 meta_v1.ObjectMeta value
  rules 2 []PolicyRule list=atomic
  aggregationRule 3 AggregationRule
ClusterRoleBinding kind
  metadata 1 meta_v1.ObjectMeta value
  subjects 2 []Subject list=atomic
  roleRef 3 RoleRef required value
ClusterRoleBindingList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ClusterRoleBinding required
ClusterRoleList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []ClusterRole required
PolicyRule
  verbs 1 []string required list=atomic
  apiGroups 2 []string list=atomic
  resources 3 []string list=atomic
  resourceNames 4 []string list=atomic
  nonResourceURLs 5 []string list=atomic
Role kind
  metadata 1 meta_v1.ObjectMeta value
  rules 2 []PolicyRule list=atomic
RoleBinding kind
  metadata 1 meta_v1.ObjectMeta value
  subjects 2 []Subject list=atomic
  roleRef 3 RoleRef required value
RoleBindingList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []RoleBinding required
RoleList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Role required
RoleRef atomic
  apiGroup 1 string
  kind 2 string required
  name 3 string required
Subject atomic
  kind 1 string required
  apiGroup 2 string
  name 3 string required
  namespace 4 string
`;
