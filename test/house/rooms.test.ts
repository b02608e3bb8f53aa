import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { arrows, layers } from "./rooms.ts";
import { checkFile, checkTree } from "./rules.ts";

/** The plan once more, as docs/ARCHITECTURE.md draws it: rooms from the ground up; those beside each other share a line. */
const rooms = [["kit"], ["store"], ["apiserver"], ["agents"], ["cluster"], ["chaos", "bench"], ["bin"]];
const order = rooms.flat();
const height = (room: string) => rooms.findIndex((line) => line.includes(room));
const pairs = order.flatMap((from) => order.filter((to) => to !== from).map((to) => [from, to] as const));
const backward = pairs.filter(([from, to]) => height(from) <= height(to));

const ways = (target: string) => [
	`import { x } from "${target}";`,
	`import type { x } from "${target}";`,
	`export { x } from "${target}";`,
	`export type * from "${target}";`,
	`const x = await import("${target}");`,
	`import "${target}";`,
	`new Worker(new URL("${target}", import.meta.url));`,
	`import {\n\tx,\n} from "${target}";`,
];

const messages = (file: string, text: string) => checkFile(file, text).map((violation) => violation.message);

/** A file below the room that has a place in the plan. */
const homeOf = (room: string, folder = layers[room]?.flat().at(-1)) =>
	folder === undefined ? `${room}/planted.ts` : `${room}/${folder}/planted.ts`;

describe("house rules: an arrow that runs back", () => {
	for (const [from, to] of backward) {
		it(`from ${from} to ${to} is refused`, () => {
			for (const home of new Set([`${from}/planted.ts`, homeOf(from)])) {
				const target = path.posix.relative(path.posix.dirname(home), homeOf(to));
				for (const text of ways(target)) assert.match(messages(home, text)[0] ?? "", /may not import/, text);
			}
		});
	}

	for (const from of [...order, "index.ts"]) {
		it(`from ${from} to test, and to bin, is refused`, () => {
			const home = from === "index.ts" ? from : `${from}/planted.ts`;
			const up = from === "index.ts" ? "./" : "../";
			for (const text of ways(`${up}test/barque.ts`)) assert.match(messages(home, text)[0] ?? "", /may not import/);
			if (from === "bin") return;
			for (const text of ways(`${up}bin/main.ts`)) assert.match(messages(home, text)[0] ?? "", /may not import/);
		});
	}

	it("past a room's face is refused", () => {
		const inner: readonly (readonly [string, string])[] = [
			["apiserver/storage/a.ts", "../../store/raft/raft.ts"],
			["agents/kubelet/a.ts", "../../apiserver/server.ts"],
			["agents/kubelet/a.ts", "../../store/api.ts"],
			["cluster/a.ts", "../store/member/member.ts"],
			["cluster/a.ts", "../apiserver/server.ts"],
			["chaos/a.ts", "../store/raft/raft.ts"],
			["chaos/sim/a.ts", "../../apiserver/client/rest.ts"],
			["index.ts", "./store/api.ts"],
		];
		for (const [file, target] of inner) {
			assert.match(
				messages(file, `import type { x } from "${target}";`)[0] ?? "",
				/may not import/,
				`${file} ${target}`,
			);
		}
	});

	for (const [room, lines] of Object.entries(layers)) {
		const folders = lines.flat();
		const level = (folder: string) => lines.findIndex((line) => line.includes(folder));
		for (const from of folders) {
			for (const to of folders) {
				if (from === to) continue;
				const refused = level(to) >= level(from);
				it(`from ${room}/${from} to ${room}/${to} is ${refused ? "refused" : "a way down"}`, () => {
					for (const text of ways(`../${to}/planted.ts`)) {
						const found = messages(`${room}/${from}/planted.ts`, text);
						if (refused) assert.match(found[0] ?? "", /stands beside or above/, text);
						else assert.deepEqual(found, [], text);
					}
				});
			}
		}
	}

	it("has the order of folders that the plan draws", () => {
		const drawn: Readonly<Record<string, readonly string[]>> = {
			store: ["raft", "wal", "member", "process"],
			apiserver: ["machinery", "scheme", "storage", "registry"],
			agents: ["shell", "controller-manager"],
		};
		for (const [room, folders] of Object.entries(drawn)) {
			const at = folders.map((folder) => layers[room]!.findIndex((line) => line.includes(folder)));
			assert.deepEqual([...at].sort(), at, room);
			assert.equal(new Set(at).size, at.length, room);
		}
		const besides = [
			["store", "machine", "watch"],
			["apiserver", "registry", "http"],
			["apiserver", "scheme", "machinery"],
		] as const;
		for (const [room, upper, lower] of besides) {
			const text = `import type { x } from "../${upper}/types.ts";`;
			assert.match(messages(`${room}/${lower}/planted.ts`, text)[0] ?? "", /stands beside or above/);
		}
	});

	it("is told of a room or folder that nobody gave a place", () => {
		assert.match(messages("attic/a.ts", "")[0] ?? "", /attic\/ has no place/);
		assert.match(messages("store/attic/a.ts", "")[0] ?? "", /store\/attic\/ has no place/);
	});
});

describe("house rules: import circles", () => {
	let root: string;
	beforeEach(() => {
		root = mkdtempSync(path.join(tmpdir(), "barque-house-"));
	});
	afterEach(() => rmSync(root, { recursive: true, force: true }));

	function plant(files: Readonly<Record<string, string>>): string[] {
		for (const [file, text] of Object.entries(files)) {
			mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
			writeFileSync(path.join(root, file), text);
		}
		return checkTree(root).map(({ message }) => message);
	}

	it("finds two files whose types know each other", () => {
		const found = plant({
			"kit/a.ts": 'import type { B } from "./b.ts";',
			"kit/b.ts": 'import type { A } from "./a.ts";',
		});
		assert.equal(found.length, 1);
		assert.match(found[0]!, /import circle of kit\/a.ts, kit\/b.ts: .*kit\/a.ts imports kit\/b.ts/);
	});

	it("finds a circle through files of the room and of a folder", () => {
		const found = plant({
			"store/api.ts": 'export type * from "./client/client.ts";',
			"store/client/client.ts": 'import type { Api } from "../api.ts";',
		});
		assert.match(found.join("\n"), /import circle of store\/api.ts, store\/client/);
	});

	it("finds two folders that know each other through files that do not", () => {
		const found = plant({
			"cluster/one/a.ts": 'import type { B } from "../two/b.ts";',
			"cluster/one/c.ts": "",
			"cluster/two/b.ts": "",
			"cluster/two/d.ts": 'import type { C } from "../one/c.ts";',
		});
		assert.match(found.join("\n"), /import circle of cluster\/one, cluster\/two/);
	});

	it("finds a circle below a folder, of any length", () => {
		const found = plant({
			"apiserver/registry/a.ts": 'import { x } from "./deep/b.ts";',
			"apiserver/registry/deep/b.ts": 'import { x } from "../c.ts";',
			"apiserver/registry/c.ts": 'import type { X } from "./a.ts";',
		});
		assert.equal(found.length, 1);
		assert.match(found[0]!, /registry\/a.ts, apiserver\/registry\/c.ts, apiserver\/registry\/deep/);
	});

	it("lets tests look at the program, not the program at tests", () => {
		assert.deepEqual(plant({ "kit/a.ts": "", "kit/a.test.ts": 'import { x } from "./a.ts";' }), []);
		assert.match(plant({ "kit/a.ts": 'import type { X } from "./a.test.ts";' }).join("\n"), /it is the tests'/);
	});
});

describe("house rules: every room", () => {
	const root = path.resolve(import.meta.dirname, "..", "..");
	const known = Object.keys(arrows).filter((prefix) => prefix.split("/").length === 2 && prefix.endsWith("/"));
	const names = known.map((prefix) => prefix.slice(0, -1));

	it("is compiled, tested and, but for test, packed", () => {
		const include = (file: string) =>
			(JSON.parse(readFileSync(path.join(root, file), "utf8")) as { include: string[] }).include;
		assert.deepEqual(include("tsconfig.json").sort(), [...names, "index.ts"].sort());
		assert.deepEqual(
			include("tsconfig.build.json").sort(),
			[...names.filter((name) => name !== "test"), "index.ts"].sort(),
		);
		const specs = /\{([\w,]+)\}\/\*\*\/\*\.test\.ts/.exec(readFileSync(path.join(root, "bin", "dev.js"), "utf8"));
		assert.deepEqual(specs?.[1]?.split(",").sort(), [...names].sort());
	});

	it("has an entry that names no room above it", () => {
		assert.deepEqual(names.filter((name) => name !== "test").sort(), [...order].sort());
	});
});
