// Lists and watches through a real server: selectors, pages, freshness, resumption.
import assert from "node:assert/strict";
import { request } from "undici";
import { decodeObject } from "../scheme/codec/codec.ts";
import { parseYamlText } from "../scheme/codec/yaml-text.ts";
import { type Harness, startHarness } from "../testing/harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, labels: Record<string, string> = {}, data: Record<string, string> = {}) => ({
	apiVersion: "v1",
	kind: "ConfigMap",
	metadata: { name, labels },
	data,
});
const names = (list: { items: { metadata: { name: string } }[] }) => list.items.map((item) => item.metadata.name);
const compactAll = async (h: Harness) => {
	await h.store.compact({ revision: await h.store.currentRevision() });
};

describe("registry/lists", () => {
	let h: Harness;
	before(async () => {
		h = await startHarness();
		for (let i = 0; i < 25; i++) {
			await h.call("POST", maps, { body: configMap(`m${String(i).padStart(2, "0")}`, { even: String(i % 2 === 0) }) });
		}
	});
	after(() => h.close());

	it("selects by labels and fields", async () => {
		assert.equal(names((await h.call("GET", `${maps}?labelSelector=even%3Dtrue`)).body).length, 13);
		assert.equal(names((await h.call("GET", `${maps}?labelSelector=even+notin+(true)`)).body).length, 12);
		assert.deepEqual(names((await h.call("GET", `${maps}?fieldSelector=metadata.name%3Dm03`)).body), ["m03"]);
		assert.deepEqual(names((await h.call("GET", "/api/v1/configmaps?fieldSelector=metadata.name%3Dm03")).body), [
			"m03",
		]);
		const bad = await h.call("GET", `${maps}?fieldSelector=data.x%3Dy`);
		assert.equal(bad.status, 400);
		const worse = await h.call("GET", `${maps}?labelSelector=%3D%3D`);
		assert.equal(worse.status, 400);
	});

	it("pages over one revision, whatever is written meanwhile", async () => {
		const first = (await h.call("GET", `${maps}?limit=10`)).body;
		assert.equal(first.items.length, 10);
		assert.equal(first.metadata.remainingItemCount, 15);
		await h.call("DELETE", `${maps}/m15`);
		await h.call("POST", maps, { body: configMap("m10a") });
		const second = (await h.call("GET", `${maps}?limit=10&continue=${first.metadata.continue}`)).body;
		assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
		assert.equal(second.metadata.remainingItemCount, 5);
		assert.ok(names(second).includes("m15") && !names(second).includes("m10a"));
		const third = (await h.call("GET", `${maps}?limit=10&continue=${second.metadata.continue}`)).body;
		assert.equal(third.metadata.continue, undefined);
		assert.equal(first.items.length + second.items.length + third.items.length, 25);
		await h.call("POST", maps, { body: configMap("m15", { even: "false" }) });
		await h.call("DELETE", `${maps}/m10a`);
		const odd = (await h.call("GET", `${maps}?limit=5&labelSelector=even%3Dfalse`)).body;
		assert.equal(odd.items.length, 5);
		assert.equal(odd.metadata.remainingItemCount, undefined);
	});

	it("continues on a replica that has no snapshot, from the store, until that is compacted", async () => {
		const other = await startHarness({}, h);
		try {
			const first = (await h.call("GET", `${maps}?limit=10`)).body;
			await h.call("PATCH", `${maps}/m20`, { type: "application/merge-patch+json", body: { data: { late: "1" } } });
			const path = `${maps}?limit=10&continue=${first.metadata.continue}`;
			const second = (await other.call("GET", path)).body;
			assert.deepEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
			assert.equal(second.metadata.remainingItemCount, 5);
			const whole = (await other.call("GET", `${maps}?continue=${first.metadata.continue}`)).body;
			assert.equal(whole.items.length, 15);
			assert.equal(whole.items.find((i: { metadata: { name: string } }) => i.metadata.name === "m20").data, undefined);
			await compactAll(h);
			const expired = await other.call("GET", path);
			assert.equal(expired.status, 410);
			assert.equal(expired.body.reason, "Expired");
			assert.match(
				expired.body.message,
				/^The provided continue parameter is too old to display a consistent list result/,
			);
			const on = (await other.call("GET", `${maps}?limit=10&continue=${expired.body.metadata.continue}`)).body;
			assert.equal(names(on)[0], "m10");
		} finally {
			await other.close();
		}
	});

	it("writes lists of several chunks in every form, the same objects in each", async () => {
		const path = "/api/v1/namespaces/kube-public/configmaps";
		for (let i = 0; i < 120; i++) {
			await h.call("POST", path, { body: configMap(`big${i}`, {}, { filler: "x".repeat(2000) }) });
		}
		const plain = await h.call("GET", path);
		assert.ok(plain.text.length > 3 * (64 << 10));
		const pretty = await h.call("GET", `${path}?pretty=true`);
		assert.deepEqual(pretty.body, plain.body);
		assert.equal(pretty.text, `${JSON.stringify(pretty.body, undefined, 2)}\n`);
		const yaml = await h.call("GET", path, { accept: "application/yaml" });
		assert.deepEqual(parseYamlText(yaml.text).value, plain.body);
		const raw = await request(h.server.url + path, {
			dispatcher: await h.client("reader", ["system:masters"]),
			headers: { accept: "application/vnd.kubernetes.protobuf" },
		});
		const bytes = Buffer.from(await raw.body.arrayBuffer());
		const { object } = decodeObject(bytes, "application/vnd.kubernetes.protobuf", { fieldValidation: "Ignore" });
		const named = (object["items"] as { metadata: { name: string } }[]).map((item) => item.metadata.name);
		assert.deepEqual(named, names(plain.body));
	});

	it("refuses continue tokens that are not its own", async () => {
		for (const token of ["!!!", "eyJ2IjoibWV0YSJ9", Buffer.from("[]").toString("base64url")]) {
			const answer = await h.call("GET", `${maps}?limit=2&continue=${encodeURIComponent(token)}`);
			assert.equal(answer.status, 400, token);
			assert.match(answer.body.message, /^invalid continue token: continue key is not valid: /);
		}
	});

	it("keeps to upstream's rules for resourceVersion", async () => {
		const revision = Number((await h.call("GET", maps)).body.metadata.resourceVersion);
		assert.equal((await h.call("GET", `${maps}?resourceVersion=0&limit=2`)).body.items.length, 25);
		const exact = await h.call("GET", `${maps}?resourceVersion=${revision}&resourceVersionMatch=Exact`);
		assert.equal(exact.body.metadata.resourceVersion, String(revision));
		const old = await h.call("GET", `${maps}?resourceVersion=2&resourceVersionMatch=Exact`);
		assert.equal(old.status, 410);
		const forbidden = await h.call("GET", `${maps}?resourceVersionMatch=Exact`);
		assert.equal(forbidden.status, 422);
		assert.match(
			forbidden.body.message,
			/resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
		);
		const words = await h.call("GET", `${maps}?resourceVersion=abc`);
		assert.match(words.body.message, /resourceVersion: Invalid value: "abc"/);
	});

	it("says so when a resourceVersion is out of reach", async () => {
		const far = await h.call("GET", `${maps}?resourceVersion=99999999`);
		assert.equal(far.status, 504);
		assert.match(far.body.message, /^Timeout: Too large resource version: 99999999, current: \d+$/);
		assert.equal(far.body.details.causes[0].reason, "ResourceVersionTooLarge");
		assert.equal(far.body.details.retryAfterSeconds, 1);
	}).timeout(10_000);

	it("sees on any replica what was acknowledged on another", async () => {
		const other = await startHarness({}, h);
		try {
			for (let i = 0; i < 40; i++) {
				const [writer, reader] = i % 2 === 0 ? [h, other] : [other, h];
				const path = `${maps}/fresh`;
				const written = await (i === 0
					? writer.call("POST", maps, { body: configMap("fresh") })
					: writer.call("PATCH", path, { type: "application/merge-patch+json", body: { data: { i: String(i) } } }));
				const read = await reader.call("GET", path);
				assert.equal(read.body.metadata.resourceVersion, written.body.metadata.resourceVersion);
				const list = (await reader.call("GET", `${maps}?labelSelector=even%21%3Dtrue`)).body;
				assert.ok(names(list).includes("fresh"));
			}
			const endpoints = (await h.call("GET", "/api/v1/namespaces/default/endpoints/kubernetes")).body;
			const ports = endpoints.subsets.map((s: { ports: { port: number }[] }) => s.ports[0]?.port);
			assert.deepEqual(ports.sort(), [h.server.port, other.server.port].sort());
		} finally {
			await h.call("DELETE", `${maps}/fresh`);
			await other.close();
		}
		const after = (await h.call("GET", "/api/v1/namespaces/default/endpoints/kubernetes")).body;
		assert.equal(after.subsets.length, 1);
		const slices = await h.call("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices");
		assert.equal(slices.body.items.length, 1);
	});
});

describe("registry/watches", () => {
	let h: Harness;
	before(async () => {
		h = await startHarness({ watchHistory: { events: 60, bytes: 1 << 20 } });
	});
	after(() => h.close());

	it("tells changes from a revision on, and crossings of a selector", async () => {
		const { resourceVersion } = (await h.call("GET", maps)).body.metadata;
		await h.call("POST", maps, { body: configMap("w1", { in: "yes" }) });
		const all = await h.watch(`${maps}?watch=1&resourceVersion=${resourceVersion}`);
		const some = await h.watch(`${maps}?watch=1&resourceVersion=${resourceVersion}&labelSelector=in%3Dyes`);
		await h.call("PATCH", `${maps}/w1`, {
			type: "application/merge-patch+json",
			body: { metadata: { labels: { in: "no" } } },
		});
		const deleted = await h.call("DELETE", `${maps}/w1`);
		assert.equal(deleted.status, 200);
		assert.deepEqual(
			[(await all.next())?.type, (await all.next())?.type, (await all.next())?.type],
			["ADDED", "MODIFIED", "DELETED"],
		);
		const added = await some.next();
		const left = await some.next();
		assert.deepEqual([added?.type, left?.type], ["ADDED", "DELETED"]);
		assert.equal(left?.object.metadata.labels.in, "yes");
		assert.ok(Number(left?.object.metadata.resourceVersion) > Number(added?.object.metadata.resourceVersion));
		all.stop();
		some.stop();
	});

	it("starts with what is there when no revision is given, and with an annotated bookmark where asked", async () => {
		await h.call("POST", maps, { body: configMap("w2") });
		const plain = await h.watch(`${maps}?watch=1`);
		assert.equal((await plain.next())?.object.metadata.name, "w2");
		plain.stop();
		const streaming = await h.watch(
			`${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
		);
		assert.equal((await streaming.next())?.type, "ADDED");
		const end = await streaming.next();
		assert.equal(end?.type, "BOOKMARK");
		assert.equal(end?.object.kind, "ConfigMap");
		assert.deepEqual(end?.object.metadata.annotations, { "k8s.io/initial-events-end": "true" });
		streaming.stop();
		const wrong = await h.call("GET", `${maps}?watch=1&sendInitialEvents=true`);
		assert.equal(wrong.status, 422);
		assert.match(wrong.body.message, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/);
	});

	it("ends in time, with a bookmark before", async () => {
		const stream = await h.watch(`${maps}?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=1`);
		assert.equal((await stream.next())?.type, "ADDED");
		const initialEnd = await stream.next();
		assert.deepEqual(initialEnd?.object.metadata.annotations, { "k8s.io/initial-events-end": "true" });
		assert.equal((await stream.next())?.type, "BOOKMARK");
		assert.equal(await stream.next(), undefined);
	});

	it("tells those who come too late to list again", async () => {
		for (let i = 0; i < 70; i++) {
			await h.call("PATCH", `${maps}/w2`, { type: "application/merge-patch+json", body: { data: { i: String(i) } } });
		}
		const stream = await h.watch(`${maps}?watch=1&resourceVersion=5`);
		const error = await stream.next();
		assert.equal(error?.type, "ERROR");
		assert.equal(error?.object.code, 410);
		assert.equal(error?.object.reason, "Expired");
		assert.match(error?.object.message, /^too old resource version: 5 \(\d+\)$/);
		assert.equal(await stream.next(), undefined);
	});

	it("sends tables, with their columns once", async () => {
		const stream = await h.watch(`${maps}?watch=1&resourceVersion=0`, {
			accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
		});
		const first = await stream.next();
		assert.equal(first?.object.kind, "Table");
		assert.equal(first?.object.columnDefinitions.length, 3);
		await h.call("PATCH", `${maps}/w2`, { type: "application/merge-patch+json", body: { data: { z: "1" } } });
		const second = await stream.next();
		assert.equal(second?.type, "MODIFIED");
		assert.equal(second?.object.columnDefinitions, null);
		assert.equal(second?.object.rows[0].cells[0], "w2");
		stream.stop();
	});

	it("gives a watcher that does not read nothing but its place", async () => {
		const big = "x".repeat(200_000);
		await h.call("POST", maps, { body: configMap("big", {}, { big }) });
		const slow = await h.watch(`${maps}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dbig`);
		const quick = await h.watch(`${maps}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dbig`);
		const read = (async () => {
			for (let event = await quick.next(); event !== undefined; event = await quick.next()) {
				if (event.object.data?.i === "39") return event.type;
			}
			return "ended";
		})();
		for (let i = 0; i < 40; i++) {
			await h.call("PATCH", `${maps}/big`, { type: "application/merge-patch+json", body: { data: { i: String(i) } } });
		}
		assert.equal(await read, "MODIFIED");
		let last: { type: string; object: { data?: { i?: string }; code?: number } } | undefined;
		for (let event = await slow.next(); event !== undefined; event = await slow.next()) {
			last = event;
			if (event.type === "ERROR" || event.object.data?.i === "39") break;
		}
		assert.ok(last?.object.code === 410 || last?.object.data?.i === "39");
		quick.stop();
		slow.stop();
	}).timeout(30_000);

	it("fills again when the store was compacted under it", async () => {
		const { resourceVersion } = (await h.call("GET", maps)).body.metadata;
		await compactAll(h);
		const other = await startHarness({}, h);
		try {
			const got = await other.call("GET", `${maps}/w2`);
			assert.equal(got.status, 200);
			const stream = await other.watch(`${maps}?watch=1&resourceVersion=${Number(resourceVersion) - 10}`);
			assert.equal((await stream.next())?.object.code, 410);
		} finally {
			await other.close();
		}
	});

	it("lists, watches and goes on where something in the store is no object", async () => {
		const before = names((await h.call("GET", maps)).body);
		const put = (name: string, value: string) =>
			h.store.put({ key: Buffer.from(`/registry/configmaps/default/${name}`), value: Buffer.from(value) });
		await put("bad-1", "nonsense");
		await put("bad-2", "k8s\0\x0a\x04garbage");
		await put("bad-3", '{"kind":"ConfigMap","apiVersion":"v1"}');
		await put("bad-4", "[]");
		assert.ok(before.length > 0);
		await put(before[0] ?? "", "null");
		await h.call("POST", maps, { body: configMap("zz-later") });
		assert.deepEqual(names((await h.call("GET", maps)).body), [...before, "zz-later"]);
		for (const name of ["bad-1", "bad-2", "bad-3", "bad-4"]) {
			await h.store.deleteRange({ key: Buffer.from(`/registry/configmaps/default/${name}`) });
		}
		await h.call("DELETE", `${maps}/zz-later`);
		assert.deepEqual(names((await h.call("GET", maps)).body), before);
	});
});
