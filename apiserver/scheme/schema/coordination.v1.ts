// The field facts of coordination.k8s.io/v1: see ../schema.ts for the line format.
export const coordinationV1 = `
Lease kind # Says who holds something, and until when without a sign of life.
  metadata 1 meta_v1.ObjectMeta value # Name, namespace, labels and what else every object carries.
  spec 2 LeaseSpec value # What is wanted of the Lease.
LeaseList kind # A list of Lease objects.
  metadata 1 meta_v1.ListMeta value # What every list carries: its version, and where the next page begins.
  items 2 []Lease required # The objects of the list.
LeaseSpec # Who holds a lease, and how long.
  holderIdentity 1 string ptr # Who holds the lease; empty: nobody.
  leaseDurationSeconds 2 int32 ptr # Seconds after renewTime when others may take it.
  acquireTime 3 microtime ptr # When the present holder took it.
  renewTime 4 microtime ptr # When the holder last gave a sign of life.
  leaseTransitions 5 int32 ptr # How often the holder has changed.
  strategy 6 string ptr # How the holder is chosen where several candidates coordinate.
  preferredHolder 7 string ptr # Who should take the lease over when the holder gives it up.
`;
