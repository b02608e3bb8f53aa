// Upstream's recorded answers to every combination of options, held against a replica of ours.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { startHarness } from "../harness.ts";
import { harnessServer } from "./server.ts";
import { tables } from "./tables.ts";

const upstream = (table: string): Record<string, string> =>
	JSON.parse(readFileSync(path.join(import.meta.dirname, "fixtures", `${table}.json`), "utf8"));

describe("differential tables", () => {
	for (const [table, run] of Object.entries(tables)) {
		it(`answers ${table} as kube-apiserver 1.36.1`, async () => {
			const h = await startHarness({ serviceClusterIpRange: "10.0.0.0/24" });
			try {
				const ours = await run(harnessServer(h));
				const wanted = upstream(table);
				assert.deepEqual(Object.keys(ours), Object.keys(wanted), "the table has other rows than its record");
				const differing = Object.keys(wanted).filter((row) => ours[row] !== wanted[row]);
				const shown = differing.map((row) => `${row}\n    upstream ${wanted[row]}\n    ours     ${ours[row]}`);
				assert.equal(shown.length, 0, `${shown.length} answers differ:\n${shown.join("\n")}`);
			} finally {
				await h.close();
			}
		}).timeout(120_000);
	}
});
