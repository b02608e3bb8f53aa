// The field facts of rbac.authorization.k8s.io/v1: see ../schema.ts for the line format.
export const rbacV1 = `
AggregationRule # How a ClusterRole is made up of others.
  clusterRoleSelectors 1 []meta_v1.LabelSelector list=atomic # Choose the ClusterRoles whose rules are taken over.
ClusterRole kind # Permissions for the whole cluster, or to be granted in namespaces.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  rules 2 []PolicyRule list=atomic # What is permitted.
  aggregationRule 3 AggregationRule # Has the rules filled from other ClusterRoles; own ones are overwritten.
ClusterRoleBinding kind # Grants a ClusterRole in the whole cluster.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  subjects 2 []Subject list=atomic # Who gets the role.
  roleRef 3 RoleRef required value # The role that is granted; it cannot change.
ClusterRoleBindingList kind # A list of ClusterRoleBinding objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ClusterRoleBinding required # The objects of the list.
ClusterRoleList kind # A list of ClusterRole objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []ClusterRole required # The objects of the list.
PolicyRule # Verbs on resources or paths that are permitted.
  verbs 1 []string required list=atomic # What may be done: get, list, create and others; * is all.
  apiGroups 2 []string list=atomic # Groups of the resources; the empty one is core, * is all.
  resources 3 []string list=atomic # Resources, and subresources as pods/log; * is all.
  resourceNames 4 []string list=atomic # Names of the objects; none means all.
  nonResourceURLs 5 []string list=atomic # Paths outside of resources, such as /healthz or /logs/*.
Role kind # Permissions within one namespace.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  rules 2 []PolicyRule list=atomic # What is permitted in the namespace.
RoleBinding kind # Grants a Role or ClusterRole in one namespace.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  subjects 2 []Subject list=atomic # Who gets the role.
  roleRef 3 RoleRef required value # The role that is granted; it cannot change.
RoleBindingList kind # A list of RoleBinding objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []RoleBinding required # The objects of the list.
RoleList kind # A list of Role objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Role required # The objects of the list.
RoleRef atomic # The role of a binding.
  apiGroup 1 string # Group of the role, rbac.authorization.k8s.io.
  kind 2 string required # Role or ClusterRole.
  name 3 string required # Name of the role.
Subject atomic # Somebody who gets a role.
  kind 1 string required # User, Group or ServiceAccount.
  apiGroup 2 string # Group of the subject; empty for a ServiceAccount.
  name 3 string required # Name of the user, group or account.
  namespace 4 string # Namespace of a ServiceAccount.
`;
