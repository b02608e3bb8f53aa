/** Runs one command on the state. Expected failures come back as StoreErrors and changed nothing. */
import { StoreError } from "../api.ts";
import type { Change } from "../mvcc/keyspace.ts";
import { deleteKeys, executeDelete, executePut, executeTxn } from "../mvcc/write.ts";
import type { Entry } from "../raft/types.ts";
import type { State } from "./state.ts";
import type { Command, CommandHeader, CommandResult } from "./types.ts";

export interface Executed {
	readonly outcome: CommandResult | StoreError;
	readonly changes: readonly Change[];
	/** Something changed, so the command must not be run twice. */
	readonly effective: boolean;
}

const noChanges: readonly Change[] = [];

export function execute(state: State, entry: Entry, header: CommandHeader, command: Command): Executed {
	try {
		return run(state, entry, header, command);
	} catch (error) {
		if (!(error instanceof StoreError)) throw error;
		return { outcome: error, changes: noChanges, effective: false };
	}
}

function written(outcome: CommandResult, changes: readonly Change[]): Executed {
	return { outcome, changes, effective: changes.length > 0 };
}

const done = (outcome: CommandResult): Executed => ({ outcome, changes: noChanges, effective: true });
const nothing = (outcome: CommandResult): Executed => ({ outcome, changes: noChanges, effective: false });

function run(state: State, entry: Entry, header: CommandHeader, command: Command): Executed {
	const { space, lessor, sessions } = state;
	const now = state.time.active;
	const leaseExists = (id: bigint) => lessor.has(id);
	switch (command.kind) {
		case "put": {
			const { result, changes } = executePut(space, leaseExists, command);
			return written({ kind: "put", result }, changes);
		}
		case "delete": {
			const { result, changes } = executeDelete(space, command);
			return written({ kind: "delete", result }, changes);
		}
		case "txn": {
			const { result, changes } = executeTxn(space, leaseExists, command);
			return written({ kind: "txn", result }, changes);
		}
		case "compact":
			space.compact(command.revision);
			return done({ kind: "compact" });
		case "lease_grant": {
			const id = command.id === 0n ? chooseLeaseId(header, entry.index, leaseExists) : command.id;
			const ttl = lessor.grant(id, command.ttl, now);
			return done({ kind: "lease_grant", result: { id, ttl } });
		}
		case "lease_revoke": {
			// Renewed or revoked in between: the expiry found nothing to do.
			if (command.expired && !lessor.isExpired(command.id, now)) return nothing({ kind: "lease_revoke" });
			const changes = deleteKeys(space, lessor.revoke(command.id));
			return { outcome: { kind: "lease_revoke" }, changes, effective: true };
		}
		case "lease_keepalive": {
			const result = command.ids.map((id) => ({ id, ttl: lessor.renew(id, now) }));
			return nothing({ kind: "lease_keepalive", result });
		}
		case "session_open":
			if (header.session === 0n) throw new StoreError("invalid_argument", "etcdserver: session id is not provided");
			sessions.open(header.session, entry.index, now, command.limits);
			return nothing({ kind: "session_open" });
		case "session_close":
			sessions.close(header.session);
			return nothing({ kind: "session_close" });
		case "tick":
			return nothing({ kind: "tick" });
	}
}

/** A positive 63-bit id spread over its range, a function of the entry alone. */
function chooseLeaseId(header: CommandHeader, index: number, taken: (id: bigint) => boolean): bigint {
	let id = BigInt.asUintN(63, header.requestId ^ (BigInt(index) * 0x9e3779b97f4a7c15n));
	while (id === 0n || taken(id)) id = BigInt.asUintN(63, id + 1n);
	return id;
}
