/** Histories recorded by Jepsen of a single register of etcd, with their verdicts. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { skip } from "../../test/skip.ts";
import { type HistoryEvent, type Operation, pairOperations } from "../history.ts";
import {
	checkLinearizable,
	type RegisterInput,
	type RegisterOperation,
	registerModel,
	shrinkHistory,
} from "./linearizability.ts";

const folder = path.resolve(import.meta.dirname, "../../../shared/histories/register");

/** `INFO  jepsen.util - 3	:invoke	:cas	[1 2]`; a process whose operation ended with :info never comes again. */
function parseJepsen(text: string): HistoryEvent[] {
	return text.split("\n").flatMap((line, index): HistoryEvent[] => {
		const match = /jepsen\.util - (\S+)\s+:(\w+)\s+:(\w+)\s+(.*)$/.exec(line);
		if (match === null || match[1] === ":nemesis") return [];
		const [, process = "", type = "", f = "", value = ""] = match;
		return [{ index, time: index, process, type: type as HistoryEvent["type"], f, value }];
	});
}

function toRegister(op: Operation): RegisterOperation[] {
	if (op.type === "fail" && op.f !== "cas") return [];
	const value = String(op.type === "ok" && op.f === "read" ? op.result : op.value);
	const [expected = "", next = ""] = value.replace(/[[\]]/g, "").split(" ");
	const make = (input: RegisterInput): RegisterOperation[] => [
		{ name: `${op.process} ${op.f} ${value} ${op.type}`, input, invoked: op.invoked, completed: op.completed },
	];
	if (op.f === "read") return op.type === "ok" ? make({ kind: "read", value: value === "nil" ? null : value }) : [];
	if (op.f === "write") return make({ kind: "write", value });
	return make({ kind: "cas", expected, value: next, done: op.type !== "fail" });
}

describe("chaos/checkers on recorded histories", () => {
	it("gives Jepsen's verdict for each, and a witness that fails by itself", function () {
		if (!existsSync(folder)) {
			skip(this, `${folder} is not here`);
		}
		this.timeout(60_000);
		const verdicts = JSON.parse(readFileSync(path.join(folder, "verdicts.json"), "utf8")) as Record<string, boolean>;
		const files = readdirSync(folder).filter((file) => file.endsWith(".log"));
		assert.equal(files.length, Object.keys(verdicts).length);
		const model = registerModel();
		for (const file of files) {
			const operations = pairOperations(parseJepsen(readFileSync(path.join(folder, file), "utf8"))).flatMap(toRegister);
			assert.ok(operations.length > 20, file);
			const { verdict } = checkLinearizable(model, operations);
			assert.equal(verdict, verdicts[file] === true ? "linearizable" : "violated", file);
			if (verdict === "linearizable") continue;
			const witness = shrinkHistory(model, operations);
			assert.equal(checkLinearizable(model, witness).verdict, "violated", file);
			assert.ok(witness.length < operations.length / 2, `${file}: ${witness.length} of ${operations.length}`);
		}
	});
});
