/**
 * Which functions of the product ran, as V8 counts them: so that a hunt can tell whether it still goes down the paths on
 * which safety depends, without a line of the product knowing of it.
 */
import { Session } from "node:inspector/promises";

/** Functions that a hunt must reach, by source file without its ending; a name that no longer exists counts as never reached. */
export const wantedFunctions: Readonly<Record<string, readonly string[]>> = {
	"store/raft/raft": [
		"#becomePreCandidate",
		"#rejectAppend",
		"#onReject",
		"#restore",
		"#answerStale",
		"#beginTransfer",
		"#checkQuorum",
		"#onReadIndex",
		"#failReads",
		"reportSnapshot",
		"reportUnreachable",
		"compact",
	],
	"store/raft/persist": ["voidAfter"],
	"store/raft/tracker": ["maybeDecrease", "becomeProbe", "becomeReplicate", "becomeSnapshot"],
	"store/raft/readindex": ["confirm", "fail", "answered"],
	"store/wal/wal": ["#cut", "#fail", "#release"],
	"store/wal/recover": ["snapshot", "checkComplete"],
	"store/wal/scan": ["judgeTail", "findLaterGroup", "resemblesHeader"],
	"store/member/member": ["transferLeadership", "close", "fail"],
	"store/member/submissions": ["appendReceived", "repeatForwards", "refused"],
	"store/member/applier": ["#waitForEngine", "#unapplied"],
	"store/member/marks": ["#mark"],
	"store/member/snapshots": ["send", "receive", "#install"],
	"store/member/incarnations": ["#writeDown", "lossBetween"],
	"store/member/bootstrap": ["askToBegin", "mayBegin"],
	"store/member/proposals": ["requeue", "termApplied", "expire", "failSent"],
	"store/member/reads": ["retryAll", "expire", "applied"],
	"store/member/duties": ["#revoke", "#tick", "#compact"],
	"store/member/keepalives": ["#send"],
	"store/member/recovery": ["reconcile", "installedButNotMarked"],
	"store/machine/install": ["prepareSnapshot", "finish"],
	"store/machine/snapshot": ["readSnapshot", "writeSnapshot"],
	"store/machine/sessions": ["record", "#acknowledge", "decodeSession", "restore"],
	"store/machine/compactor": ["#run", "pin"],
	"store/lease/lessor": ["renew", "revoke", "isExpired", "expired"],
	"store/watch/hub": [
		"#serveFromHistory",
		"#serveFromRecent",
		"#endCompacted",
		"#wakeFuture",
		"#pause",
		"#resume",
		"reset",
	],
	"store/client/client": ["#backOff", "#openNewSession", "#dropSession"],
	"store/client/watcher": ["#place", "#deliver"],
	"store/client/endpoints": ["#lost", "#failed"],
};

export interface Coverage {
	/** `file: function` for each wanted one that ran since the last call. */
	reached(): Promise<ReadonlySet<string>>;
	stop(): void;
}

export function wantedPaths(): string[] {
	return Object.entries(wantedFunctions).flatMap(([file, names]) => names.map((name) => `${file}: ${name}`));
}

export async function startCoverage(): Promise<Coverage> {
	const session = new Session();
	session.connect();
	await session.post("Profiler.enable");
	await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
	return {
		async reached() {
			const seen = new Set<string>();
			// Sets the counts back to 0.
			const { result } = await session.post("Profiler.takePreciseCoverage");
			for (const script of result) {
				const file = Object.keys(wantedFunctions).find((each) => isFile(script.url, each));
				if (file === undefined) continue;
				for (const { functionName, ranges } of script.functions) {
					if ((ranges[0]?.count ?? 0) > 0) seen.add(`${file}: ${functionName}`);
				}
			}
			return seen;
		},
		stop: () => session.disconnect(),
	};
}

function isFile(url: string, file: string): boolean {
	return url.endsWith(`/${file}.ts`) || url.endsWith(`/${file}.js`);
}
