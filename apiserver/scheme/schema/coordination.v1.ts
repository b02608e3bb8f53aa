// The field facts of coordination.k8s.io/v1: see ../schema.ts for the line format.
export const coordinationV1 = `
Lease kind
  metadata 1 meta_v1.ObjectMeta
  spec 2 LeaseSpec
LeaseList kind
  metadata 1 meta_v1.ListMeta
  items 2 []Lease required
LeaseSpec
  holderIdentity 1 string
  leaseDurationSeconds 2 int32
  acquireTime 3 microtime
  renewTime 4 microtime
  leaseTransitions 5 int32
  strategy 6 string
  preferredHolder 7 string
`;
