/** Workloads by name. */
import { bank, counter, queue, set } from "./collections.ts";
import { kv } from "./kv.ts";
import { election, lock, lockUnfenced } from "./lock.ts";
import { register } from "./register.ts";
import type { KvTarget } from "./target.ts";
import { append, rw } from "./transactions.ts";
import { watch } from "./watch.ts";
import type { Workload } from "./workload.ts";

/** Over a key-value store that speaks etcd's words. */
export const kvWorkloads: ReadonlyMap<string, Workload<KvTarget>> = new Map(
	[register, kv, append, rw, set, counter, bank, queue, watch, lock, lockUnfenced, election].map((each) => [
		each.name,
		each,
	]),
);
