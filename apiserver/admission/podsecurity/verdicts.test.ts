import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { takeAppArmorAnnotations } from "../../scheme/defaults/apparmor.ts";
import { applyDefaults } from "../../scheme/defaults/defaults.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { Pod } from "../../scheme/types.gen.ts";
import { evaluate, tellDetails } from "./evaluate.ts";
import { parseVersion } from "./policy.ts";
import { judgedLevels, pods, versions } from "./testing/pods.ts";

type Level = (typeof judgedLevels)[number];
/** By level, the verdicts that change from one version to the next: the version, and what it forbids ("": nothing). */
type Verdicts = Readonly<Record<Level, readonly (readonly [version: string, details: string])[]>>;

/** Upstream's (kube-apiserver 1.36.1). */
const recorded: Readonly<Record<string, Verdicts>> = JSON.parse(
	readFileSync(new URL("fixtures/verdicts-1.36.json", import.meta.url), "utf8"),
);

function verdict(pod: Pod, level: Level, version: string): string {
	const parsed = parseVersion(version);
	assert.ok("version" in parsed);
	return tellDetails(
		evaluate({ level, version: parsed.version }, { metadata: pod.metadata ?? {}, spec: pod.spec ?? {} }),
	);
}

describe("Pod Security judges as upstream, by level and version", () => {
	for (const { title, spec, annotations } of pods) {
		it(title, () => {
			const object = {
				apiVersion: "v1",
				kind: "Pod",
				metadata: { name: "p", annotations },
				spec: structuredClone(spec),
			};
			applyDefaults(object as unknown as KubeObject);
			takeAppArmorAnnotations(object as Pod);
			const verdicts = (level: Level) =>
				versions
					.map((version) => [version, verdict(object as Pod, level, version)] as const)
					.filter(([, text], i, all) => text !== all[i - 1]?.[1]);
			assert.deepEqual({ baseline: verdicts("baseline"), restricted: verdicts("restricted") }, recorded[title]);
		});
	}
	it("has recorded something else for each level and for old and new versions", () => {
		const all = Object.values(recorded);
		assert.ok(all.some((v) => v.baseline.length > 1) && all.some((v) => v.restricted.length > 3));
		assert.ok(all.every((v) => judgedLevels.every((level) => v[level][0]?.[0] === "v1.0")));
	});
});
