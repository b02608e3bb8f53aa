import assert from "node:assert/strict";
import { ClusterConfigError, initialCluster, parseUrl } from "./cluster.ts";

const one = {
	name: "default",
	initialCluster: "default=http://localhost:2380",
	token: "etcd-cluster",
	advertisePeerUrls: ["http://localhost:2380"],
};

describe("store/member/cluster", () => {
	it("computes the ids that etcd computes from the same flags", () => {
		const cluster = initialCluster(one);
		assert.equal(cluster.self.id.toString(16), "8e9e05c52164694d");
		assert.equal(cluster.id.toString(16), "cdf818194e3a8c32");
	});

	it("gives every member the same ids, whatever the order", () => {
		const urls = { a: "https://10.0.0.1:2380", b: "https://10.0.0.2:2380" };
		const a = initialCluster({
			name: "a",
			initialCluster: `a=${urls.a},b=${urls.b}`,
			token: "t",
			advertisePeerUrls: [urls.a],
		});
		const b = initialCluster({
			name: "b",
			initialCluster: `b=${urls.b},a=${urls.a}`,
			token: "t",
			advertisePeerUrls: [urls.b],
		});
		assert.equal(a.id, b.id);
		assert.deepEqual(a.members, b.members);
		assert.notEqual(a.self.id, b.self.id);
	});

	it("names the flag and the value that are wrong", () => {
		const fails = (change: Partial<typeof one>, pattern: RegExp) =>
			assert.throws(
				() => initialCluster({ ...one, ...change }),
				(error) => error instanceof ClusterConfigError && pattern.test(error.message),
			);
		fails({ name: "other" }, /couldn't find local name "other"/);
		fails({ initialCluster: "default" }, /"default" is not of the form NAME=URL/);
		fails({ initialCluster: "default=ftp://x:1" }, /scheme must be http or https/);
		fails({ advertisePeerUrls: ["http://localhost:1"] }, /--initial-advertise-peer-urls is http:\/\/localhost:1/);
		fails({ initialCluster: "default=http://localhost:2380,x=http://localhost:2380" }, /same peer URLs/);
		assert.throws(() => parseUrl("listen-client-urls", "http://host"), /--listen-client-urls: "http:\/\/host": a port/);
		assert.throws(() => parseUrl("listen-client-urls", "http://host:1/path"), /a path is not allowed/);
	});
});
