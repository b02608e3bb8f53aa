/** Prometheus metrics of a member, under etcd's names where etcd has them. Read when scraped, not when things happen. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { SendBudget } from "../../kit/send-budget.ts";
import type { Member } from "../member/member.ts";

export interface MetricsSource {
	readonly member: Member;
	readonly version: string;
	readonly connections: () => number;
	readonly watchers: () => number;
	readonly sendBudget: SendBudget;
	readonly quotaBytes: number;
	/** Of keys, values and history, as the quota counts them. */
	readonly usedBytes: () => number;
	/** Of the engine's files. */
	readonly fileBytes: () => Promise<number>;
	readonly spaceExceeded: () => boolean;
}

export interface StoreMetrics {
	readonly registry: Registry;
	/** Seconds. */
	observeFsync(seconds: number): void;
	start(source: MetricsSource): void;
}

type Read = (source: MetricsSource) => number | Promise<number>;

const gauges: readonly (readonly [name: string, help: string, read: Read])[] = [
	[
		"etcd_server_has_leader",
		"Whether or not a leader exists. 1 is existence, 0 is not.",
		(s) => Number(s.member.leader !== 0n),
	],
	[
		"etcd_server_is_leader",
		"Whether or not this member is a leader. 1 if is, 0 otherwise.",
		(s) => Number(s.member.status.role === "leader"),
	],
	[
		"etcd_server_is_learner",
		"Whether or not this member is a learner. 1 if is, 0 otherwise.",
		(s) => Number(s.member.conf.learners.includes(s.member.memberId)),
	],
	[
		"etcd_server_proposals_committed_total",
		"The total number of consensus proposals committed.",
		(s) => s.member.status.commitIndex,
	],
	[
		"etcd_server_proposals_applied_total",
		"The total number of consensus proposals applied.",
		(s) => s.member.status.appliedIndex,
	],
	[
		"etcd_server_proposals_pending",
		"The current number of pending proposals to commit.",
		(s) => s.member.load.proposalsPending,
	],
	["etcd_mvcc_current_revision", "The current revision of the store.", (s) => s.member.machine.revision],
	["etcd_debugging_mvcc_current_revision", "The current revision of the store.", (s) => s.member.machine.revision],
	[
		"etcd_debugging_mvcc_compact_revision",
		"The revision of the last compaction in store.",
		(s) => s.member.machine.compactRevision,
	],
	["etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", (s) => s.quotaBytes],
	[
		"etcd_mvcc_db_total_size_in_bytes",
		"Total size of the underlying database physically allocated in bytes.",
		(s) => s.fileBytes(),
	],
	[
		"etcd_mvcc_db_total_size_in_use_in_bytes",
		"Total size of the underlying database logically in use in bytes.",
		(s) => s.usedBytes(),
	],
	["etcd_debugging_mvcc_watcher_total", "Total number of watchers.", (s) => s.watchers()],
	["etcd_debugging_lease_total", "Total number of leases.", (s) => s.member.machine.leases().length],
	["barque_store_raft_term", "The member's Raft term.", (s) => s.member.term],
	[
		"barque_store_machine_pending_bytes",
		"Bytes applied but not yet written to the engine.",
		(s) => s.member.machine.pendingBytes,
	],
	["barque_store_client_connections", "Open connections of the native protocol.", (s) => s.connections()],
	[
		"barque_store_client_send_buffer_bytes",
		"Bytes that clients have not taken yet, of all connections.",
		(s) => s.sendBudget.bytes,
	],
	[
		"barque_store_client_send_buffer_limit_bytes",
		"Bytes that may wait for clients, of all connections; beyond it the slowest are ended.",
		(s) => s.sendBudget.most,
	],
	["barque_store_snapshots_sending", "Snapshots being sent to other members.", (s) => s.member.load.snapshotsSending],
];

const counters: readonly (readonly [name: string, help: string, read: (source: MetricsSource) => number])[] = [
	[
		"etcd_server_leader_changes_seen_total",
		"The number of leader changes seen.",
		(s) => s.member.counters.leaderChanges,
	],
	[
		"etcd_server_proposals_failed_total",
		"The total number of failed proposals seen.",
		(s) => s.member.load.proposalsFailed,
	],
	[
		"etcd_server_slow_apply_total",
		"The total number of slow apply requests (likely overloaded from slow disk).",
		(s) => s.member.counters.slowApplies,
	],
	[
		"etcd_server_slow_read_indexes_total",
		"The total number of pending read indexes not in sync with leader's or timed out read index requests.",
		(s) => s.member.load.readsSlow,
	],
	[
		"etcd_server_read_indexes_failed_total",
		"The total number of failed read indexes seen.",
		(s) => s.member.load.readsFailed,
	],
	[
		"barque_store_commands_applied_total",
		"Commands applied since the member started.",
		(s) => s.member.counters.commandsApplied,
	],
	[
		"barque_store_slow_clients_ended_total",
		"Connections ended because too many bytes waited for slow clients.",
		(s) => s.sendBudget.ended,
	],
	["barque_store_snapshots_sent_total", "Snapshots sent to other members.", (s) => s.member.counters.snapshotsSent],
	[
		"barque_store_snapshots_installed_total",
		"Snapshots of other members installed.",
		(s) => s.member.counters.snapshotsInstalled,
	],
];

export function createStoreMetrics(): StoreMetrics {
	const registry = new Registry();
	const fsync = new Histogram({
		name: "etcd_disk_wal_fsync_duration_seconds",
		help: "The latency distributions of fsync called by WAL.",
		buckets: Array.from({ length: 14 }, (_, i) => 0.0001 * 2 ** i),
		registers: [registry],
	});
	return {
		registry,
		observeFsync: (seconds) => fsync.observe(seconds),
		start(source) {
			// The default, 10 ms, wakes the process a hundred times a second for nothing else.
			collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
			addReads(registry, source);
		},
	};
}

function addReads(registry: Registry, source: MetricsSource): void {
	for (const [name, help, read] of gauges) {
		new Gauge({
			name,
			help,
			registers: [registry],
			async collect() {
				this.set(await read(source));
			},
		});
	}
	for (const [name, help, read] of counters) {
		let seen = 0;
		new Counter({
			name,
			help,
			registers: [registry],
			collect() {
				const now = read(source);
				this.inc(now - seen);
				seen = now;
			},
		});
	}
	const info = new Gauge({
		name: "etcd_server_version",
		help: "Which version is running. 1 for 'server_version' label with current version.",
		labelNames: ["server_version"],
		registers: [registry],
	});
	info.set({ server_version: source.version }, 1);
	new Gauge({
		name: "etcd_debugging_server_alarms",
		help: "Alarms of this member. 1 while the alarm of the 'alarm_type' label is raised, 0 otherwise.",
		labelNames: ["server_id", "alarm_type"],
		registers: [registry],
		collect() {
			const alarm = { server_id: source.member.memberId.toString(16), alarm_type: "NOSPACE" };
			this.set(alarm, Number(source.spaceExceeded()));
		},
	});
	const id = new Gauge({
		name: "etcd_server_id",
		help: "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
		labelNames: ["server_id"],
		registers: [registry],
	});
	id.set({ server_id: source.member.memberId.toString(16) }, 1);
}
