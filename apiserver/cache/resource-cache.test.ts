import assert from "node:assert/strict";
import process from "node:process";
import { seededRandom } from "../../kit/random.ts";
import { Entry } from "./entry.ts";
import { ResourceCache, type StartPoint } from "./resource-cache.ts";
import { everything, type Selection } from "./selection.ts";
import type { EventEncoder, WatchEnd, Watcher, WatchSink } from "./watcher.ts";

const entry = (path: string, value: string, revision: number) =>
	new Entry(`/r/${path}`, Buffer.from(value), revision, 0n);

/** Values are `label:node`. */
const readFacts = (bytes: Buffer) => {
	const [label = "", node = ""] = bytes.toString().split(":");
	return { labels: { l: label }, fields: { node } };
};

let encoded = 0;
const encoder: EventEncoder = {
	id: "text",
	event(type, at, revision) {
		encoded++;
		return Buffer.from(`${type} ${at.key.slice(3)} ${at.bytes} ${revision}`);
	},
	bookmark: (revision, end) => Buffer.from(`BOOKMARK ${revision}${end ? " end" : ""}`),
};

class Sink implements WatchSink {
	readonly frames: string[] = [];
	ended: WatchEnd | undefined;
	/** Frames it takes before it is full. */
	room = Number.POSITIVE_INFINITY;
	write(frame: Buffer): boolean {
		this.frames.push(frame.toString());
		return --this.room > 0;
	}
	end(reason: WatchEnd): void {
		this.ended = reason;
	}
}

const live: StartPoint = { after: undefined, initial: false, announceInitialEnd: false };
const later: (() => void)[] = [];
const runLater = () => {
	while (later.length > 0) later.shift()?.();
};

function makeCache(limits: { events?: number; bytes?: number } = {}) {
	later.length = 0;
	const cache = new ResourceCache({
		prefix: "/r/",
		readFacts,
		trigger: "node",
		limits: { events: 100, bytes: 1 << 20, framed: 16, ...limits },
		later: (work) => later.push(work),
	});
	cache.replace([], 1);
	return cache;
}

function put(cache: ResourceCache, path: string, value: string, revision: number) {
	cache.apply(`/r/${path}`, entry(path, value, revision), revision);
	cache.progress(revision);
}

function remove(cache: ResourceCache, path: string, revision: number) {
	cache.apply(`/r/${path}`, undefined, revision);
	cache.progress(revision);
}

function open(cache: ResourceCache, start: StartPoint = live, selection: Selection = everything) {
	const sink = new Sink();
	const watcher = cache.watch({ selection, encoder, sink, bookmarks: true }, start);
	if (watcher !== undefined) cache.run(watcher);
	return { sink, watcher: watcher as Watcher };
}

describe("cache/resource-cache", () => {
	it("sends events live, from a revision, and after the current objects", () => {
		const cache = makeCache();
		put(cache, "a/x", "1:", 2);
		put(cache, "a/y", "1:", 3);
		put(cache, "a/x", "2:", 4);
		const now = open(cache);
		const resumed = open(cache, { ...live, after: 2 });
		const initial = open(cache, { after: undefined, initial: true, announceInitialEnd: true });
		remove(cache, "a/y", 5);
		assert.deepEqual(now.sink.frames, ["DELETED a/y 1: 5"]);
		assert.deepEqual(resumed.sink.frames, ["ADDED a/y 1: 3", "MODIFIED a/x 2: 4", "DELETED a/y 1: 5"]);
		assert.deepEqual(initial.sink.frames, ["ADDED a/x 2: 4", "ADDED a/y 1: 3", "BOOKMARK 4 end", "DELETED a/y 1: 5"]);
	});

	it("turns crossing a selector's border into ADDED and DELETED", () => {
		const cache = makeCache();
		const selection = {
			...everything,
			matches: (f: { labels: Readonly<Record<string, string>> }) => f.labels["l"] === "in",
		};
		const { sink } = open(cache, live, selection);
		put(cache, "a/x", "out:", 2);
		put(cache, "a/x", "in:", 3);
		put(cache, "a/x", "in:", 4);
		put(cache, "a/x", "out:", 5);
		remove(cache, "a/x", 6);
		assert.deepEqual(sink.frames, ["ADDED a/x in: 3", "MODIFIED a/x in: 4", "DELETED a/x in: 5"]);
	});

	it("keeps to namespace, name and trigger value", () => {
		const cache = makeCache();
		const inA = open(cache, live, { scope: "a/", exact: false, matches: undefined });
		const one = open(cache, live, { scope: "b/x", exact: true, matches: undefined });
		const onNode = open(cache, live, {
			scope: "",
			exact: false,
			matches: (f) => f.fields["node"] === "n1",
			trigger: "n1",
		});
		put(cache, "a/x", "v:n1", 2);
		put(cache, "b/x", "v:n2", 3);
		put(cache, "b/xy", "v:n2", 4);
		put(cache, "a/x", "v:n2", 5);
		put(cache, "b/x", "v:n1", 6);
		assert.deepEqual(inA.sink.frames, ["ADDED a/x v:n1 2", "MODIFIED a/x v:n2 5"]);
		assert.deepEqual(one.sink.frames, ["ADDED b/x v:n2 3", "MODIFIED b/x v:n1 6"]);
		assert.deepEqual(onNode.sink.frames, ["ADDED a/x v:n1 2", "DELETED a/x v:n1 5", "ADDED b/x v:n1 6"]);
	});

	it("encodes an event once for all who watch in the same form", () => {
		const cache = makeCache();
		const watchers = Array.from({ length: 50 }, () => open(cache));
		encoded = 0;
		put(cache, "a/x", "1:", 2);
		assert.equal(encoded, 1);
		for (const { sink } of watchers) assert.equal(sink.frames.length, 1);
	});

	it("lets a slow watcher catch up from the history, and ends one that it outran", () => {
		const cache = makeCache({ events: 10 });
		const slow = open(cache);
		const stuck = open(cache);
		slow.sink.room = 1;
		stuck.sink.room = 1;
		for (let revision = 2; revision <= 8; revision++) put(cache, "a/x", `${revision}:`, revision);
		assert.equal(slow.sink.frames.length, 1);
		slow.sink.room = Number.POSITIVE_INFINITY;
		cache.drained(slow.watcher);
		runLater();
		assert.equal(slow.sink.frames.length, 7);
		for (let revision = 9; revision <= 30; revision++) put(cache, "a/x", `${revision}:`, revision);
		assert.equal(slow.sink.frames.length, 29);
		cache.drained(stuck.watcher);
		assert.equal(stuck.sink.ended?.kind, "too_old");
		assert.equal(cache.watcherCount, 1);
	});

	it("bounds the history by bytes, and refuses to start below it", () => {
		const cache = makeCache({ bytes: 4000 });
		for (let revision = 2; revision <= 60; revision++) put(cache, "a/x", "v".repeat(200), revision);
		assert.ok(cache.historyBytes <= 4000);
		assert.ok(cache.floor > 40);
		assert.equal(
			cache.watch({ selection: everything, encoder, sink: new Sink(), bookmarks: false }, { ...live, after: 3 }),
			undefined,
		);
	});

	it("sends bookmarks to live watchers only, and none below what they asked from", () => {
		const cache = makeCache();
		put(cache, "a/x", "1:", 2);
		const { sink, watcher } = open(cache);
		cache.progress(9);
		assert.equal(watcher.bookmark(), true);
		assert.deepEqual(sink.frames, ["BOOKMARK 9"]);
		const ahead = open(cache, { ...live, after: 20 });
		assert.equal(ahead.watcher.bookmark(), false);
		put(cache, "a/x", "2:", 15);
		put(cache, "a/x", "3:", 21);
		assert.deepEqual(ahead.sink.frames, ["MODIFIED a/x 3: 21"]);
	});

	it("knows the state at a revision while it is pinned or unchanged", () => {
		const cache = makeCache();
		put(cache, "a/x", "1:", 2);
		cache.pin();
		cache.progress(5);
		assert.equal(cache.at(4)?.size, 1);
		put(cache, "a/y", "1:", 6);
		assert.equal(cache.at(2)?.size, 1);
		assert.equal(cache.at(4), undefined);
		assert.equal(cache.at(6)?.size, 2);
		cache.compacted(3);
		assert.equal(cache.at(2), undefined);
	});

	it("tells each watcher what a replay of all events tells (random)", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? 4711);
		console.log(`    seed ${seed}`);
		const random = seededRandom(seed);
		const cache = makeCache({ events: 2000 });
		const watchers: { sink: Sink; watcher: Watcher; state: Map<string, string>; seen: number; label: string }[] = [];
		const model = new Map<string, string>();
		for (let revision = 2; revision < 900; revision++) {
			const path = `${"ab"[random.int(2)]}/${random.int(12)}`;
			if (random.int(4) === 0) {
				remove(cache, path, revision);
				model.delete(path);
			} else {
				const value = `${"xyz"[random.int(3)]}:n${random.int(3)}`;
				put(cache, path, value, revision);
				model.set(path, value);
			}
			if (random.int(30) === 0) {
				const label = "xyz"[random.int(3)] as string;
				const selection = {
					...everything,
					matches: (f: { labels: Readonly<Record<string, string>> }) => f.labels["l"] === label,
				};
				const opened = open(cache, { after: undefined, initial: true, announceInitialEnd: false }, selection);
				opened.sink.room = 5 + random.int(10);
				watchers.push({ ...opened, state: new Map(), seen: 0, label });
			}
			for (const w of watchers) {
				if (random.int(5) !== 0) continue;
				w.sink.room = 1 + random.int(20);
				cache.drained(w.watcher);
				runLater();
			}
		}
		for (const w of watchers) {
			w.sink.room = Number.POSITIVE_INFINITY;
			cache.drained(w.watcher);
			runLater();
			for (const frame of w.sink.frames) {
				const [type, path = "", value = ""] = frame.split(" ");
				assert.equal(w.state.has(path), type !== "ADDED", frame);
				if (type === "DELETED") w.state.delete(path);
				else w.state.set(path, value);
			}
			const expected = [...model].filter(([, value]) => value.startsWith(w.label));
			assert.deepEqual([...w.state].sort(), expected.sort());
		}
	});
});
