/** The failures of the key space, with etcd's texts (`api/v3rpc/rpctypes/error.go`). */
import { StoreError } from "../api.ts";

export const compacted = (compactRevision: number) =>
	new StoreError("compacted", "etcdserver: mvcc: required revision has been compacted", { compactRevision });
export const futureRevision = () =>
	new StoreError("future_revision", "etcdserver: mvcc: required revision is a future revision");
export const emptyKey = () => new StoreError("empty_key", "etcdserver: key is not provided");
export const keyNotFound = () => new StoreError("key_not_found", "etcdserver: key not found");
export const valueProvided = () => new StoreError("value_provided", "etcdserver: value is provided");
export const leaseProvided = () => new StoreError("lease_provided", "etcdserver: lease is provided");
export const tooManyOps = () => new StoreError("too_many_ops", "etcdserver: too many operations in txn request");
export const duplicateKey = () => new StoreError("duplicate_key", "etcdserver: duplicate key given in txn request");
export const leaseNotFound = () => new StoreError("lease_not_found", "etcdserver: requested lease not found");
export const leaseExists = () => new StoreError("lease_exists", "etcdserver: lease already exists");
export const leaseTtlTooLarge = () => new StoreError("lease_ttl_too_large", "etcdserver: too large lease TTL");
