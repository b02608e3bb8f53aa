// The field facts of coordination.k8s.io/v1: see ../schema.ts for the line format.
export const coordinationV1 = `
Lease kind
  metadata 1 meta_v1.ObjectMeta value
  spec 2 LeaseSpec value
LeaseList kind
  metadata 1 meta_v1.ListMeta value
  items 2 []Lease required
LeaseSpec
  holderIdentity 1 string ptr
  leaseDurationSeconds 2 int32 ptr
  acquireTime 3 microtime ptr
  renewTime 4 microtime ptr
  leaseTransitions 5 int32 ptr
  strategy 6 string ptr
  preferredHolder 7 string ptr
`;
