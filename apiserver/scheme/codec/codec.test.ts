import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { seededRandom } from "../../../kit/random.ts";
import { ApiError } from "../../machinery/errors.ts";
import { allResources } from "../resources.ts";
import { findMessage } from "../schema.ts";
import { decodeObject, encodeObject, type FieldValidation, mediaJson, mediaProtobuf, mediaYaml } from "./codec.ts";
import { normalizeObject } from "./normalize.ts";
import { decodeEnvelope, decodeMessage } from "./protobuf/decode.ts";
import { encodeMessage } from "./protobuf/encode.ts";
import { BackwardWriter, ProtobufError, Reader } from "./protobuf/wire.ts";
import { randomMessage } from "./random-object.ts";
import { decodeStored, encodeStored, normalizeStored, readMeta, withResourceVersion } from "./stored.ts";

const deployment = { group: "apps", version: "v1", kind: "Deployment" };
const configMap = { group: "", version: "v1", kind: "ConfigMap" };

const decode = (text: string, kind = deployment, fieldValidation: FieldValidation = "Strict", type = mediaJson) =>
	decodeObject(Buffer.from(text), type, { fieldValidation, defaultKind: kind });

function failure(run: () => unknown): ApiError {
	try {
		run();
	} catch (error) {
		if (error instanceof ApiError) return error;
		throw error;
	}
	throw new Error("did not fail");
}

const message = (text: string, kind = deployment, validation: FieldValidation = "Strict", type = mediaJson) => {
	const error = failure(() => decode(text, kind, validation, type));
	assert.equal(error.code, 400);
	assert.equal(error.reason, "BadRequest");
	return error.message;
};

describe("scheme/codec: JSON bodies", () => {
	it("names a field of a wrong type as Go does", () => {
		const inDeployment = (spec: unknown) =>
			message(JSON.stringify({ apiVersion: "apps/v1", kind: "Deployment", spec }));
		assert.equal(
			inDeployment({ replicas: "three" }),
			'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
		);
		assert.match(
			inDeployment({ template: { spec: { containers: [{ name: "a", env: [{ name: "A", value: 1 }] }] } } }),
			/cannot unmarshal number into Go struct field EnvVar\.spec\.template\.spec\.containers\.env\.value of type string$/,
		);
		assert.match(
			inDeployment({ template: { metadata: { labels: { a: true } } } }),
			/cannot unmarshal bool into Go struct field ObjectMeta\.spec\.template\.metadata\.labels of type string$/,
		);
		assert.match(
			inDeployment({ template: { spec: { containers: {} } } }),
			/cannot unmarshal object into Go struct field PodSpec\.spec\.template\.spec\.containers of type \[\]v1\.Container$/,
		);
		assert.match(inDeployment({ replicas: 2 ** 31 }), /cannot unmarshal number 2147483648 into .* of type int32$/);
		assert.match(inDeployment({ replicas: 1.5 }), /cannot unmarshal number 1\.5 into .* of type int32$/);
		assert.match(
			inDeployment({ template: { spec: { containers: [{ resources: { limits: { cpu: "1x" } } }] } } }),
			/quantities must match the regular expression/,
		);
	});

	it("refuses unknown and repeated fields under Strict, in the order of the text", () => {
		assert.equal(
			message('{"spec":{"foo":1,"replicas":1,"replicas":2,"template":{"spec":{"containers":[{"nam":"x"}]}}}}'),
			'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo", duplicate field "spec.replicas", unknown field "spec.template.spec.containers[0].nam"',
		);
		assert.match(message('{"Spec":{}}'), /unknown field "Spec"$/);
	});

	it("warns of them under Warn, and drops them silently under Ignore", () => {
		const text = '{"metadata":{"name":"a"},"data":{"k":"1","k":"2"},"dta":{}}';
		const warned = decode(text, configMap, "Warn");
		assert.deepEqual(warned.warnings, ['duplicate field "data.k"', 'unknown field "dta"']);
		assert.deepEqual(warned.object, {
			kind: "ConfigMap",
			apiVersion: "v1",
			metadata: { name: "a" },
			data: { k: "2" },
		} as never);
		assert.deepEqual(decode(text, configMap, "Ignore"), { object: warned.object, warnings: [] });
	});

	it("says what is wrong with malformed text, and where", () => {
		const broken = (text: string) => message(text, configMap);
		assert.equal(
			broken('{"kind":"ConfigMap",}'),
			'the object provided is unrecognized (must be of type ConfigMap): couldn\'t get version/kind; json parse error: invalid character \'}\' looking for beginning of object key string at line 1, column 21 ({"kind":"ConfigMap",})',
		);
		assert.match(broken(""), /unexpected end of JSON input \(<empty>\)$/);
		assert.match(broken("{"), /unexpected end of JSON input at line 1, column 2/);
		assert.match(broken('{"a":tru}'), /invalid character '}' in literal true \(expecting 'e'\)/);
		assert.match(broken('{"a":01}'), /invalid character '1' after object key:value pair/);
		assert.match(broken("{}\n{}"), /invalid character '{' after top-level value at line 2, column 1/);
		assert.match(broken('{"a":"\\x"}'), /in string escape code/);
		assert.match(broken("[]"), /cannot unmarshal array into Go value/);
		assert.match(broken(`{"a":${"[".repeat(2000)}${"]".repeat(2000)}}`), /exceeded max depth/);
	});

	it("refuses another kind, an unregistered one, another version, and too large a body", () => {
		assert.equal(
			message('{"apiVersion":"v1","kind":"ConfigMap"}'),
			'ConfigMap in version "v1" cannot be handled as a Deployment: converting (v1.ConfigMap) to (apps.Deployment): unknown conversion',
		);
		assert.match(
			message('{"apiVersion":"apps/v1","kind":"Foo"}'),
			/^Foo in version "v1" cannot be handled as a Deployment: no kind "Foo" is registered for version "apps\/v1"/,
		);
		assert.match(message('{"apiVersion":"a/b/c","kind":"Foo"}'), /unexpected GroupVersion string: a\/b\/c/);
		const large = failure(() =>
			decodeObject(Buffer.alloc(101, 0x20), mediaJson, { fieldValidation: "Ignore", limit: 100 }),
		);
		assert.equal(large.code, 413);
		assert.equal(large.message, "Request entity too large: limit is 100");
		assert.equal(failure(() => decode("{}", configMap, "Strict", "application/cbor")).code, 415);
	});

	it("takes kind and version from the request where the body has none", () => {
		const { object } = decode('{"metadata":{"name":"a"}}', configMap);
		assert.equal(object.kind, "ConfigMap");
		assert.equal(object.apiVersion, "v1");
	});

	it("treats nulls, empty values, zeros and structs as a round trip through Go would", () => {
		const { object } = decode(
			JSON.stringify({
				spec: {
					replicas: 0,
					minReadySeconds: 0,
					paused: false,
					selector: { matchLabels: { a: "b" }, matchExpressions: [] },
					template: {
						metadata: { creationTimestamp: null, labels: {} },
						spec: {
							hostname: "",
							nodeSelector: null,
							volumes: [{ name: "v", emptyDir: {} }],
							containers: [{ image: "x", resources: { requests: { cpu: 0.5, memory: "1024Mi" } } }],
						},
					},
				},
			}),
		);
		assert.deepEqual(object, {
			kind: "Deployment",
			apiVersion: "apps/v1",
			metadata: {},
			status: {},
			spec: {
				replicas: 0,
				strategy: {},
				selector: { matchLabels: { a: "b" } },
				template: {
					metadata: {},
					spec: {
						volumes: [{ name: "v", emptyDir: {} }],
						containers: [{ name: "", image: "x", resources: { requests: { cpu: "500m", memory: "1Gi" } } }],
					},
				},
			},
		} as never);
	});

	it("checks base64, times and ints-or-strings", () => {
		assert.match(message('{"binaryData":{"a":"&&&&"}}', configMap), /illegal base64 data at input byte 0$/);
		assert.match(message('{"binaryData":{"a":"YQ="}}', configMap), /illegal base64 data at input byte/);
		assert.match(
			message('{"metadata":{"creationTimestamp":"soon"}}', configMap),
			/parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"$/,
		);
		const { object } = decode('{"metadata":{"creationTimestamp":"2024-01-01T02:00:00.9+02:00"}}', configMap);
		assert.equal(object.metadata.creationTimestamp, "2024-01-01T00:00:00Z");
		assert.match(
			message('{"spec":{"strategy":{"rollingUpdate":{"maxSurge":true}}}}'),
			/cannot unmarshal bool into Go value of type int32$/,
		);
	});

	it("keeps a key named __proto__ a key", () => {
		const { object } = decode('{"data":{"__proto__":"x","b":null}}', configMap);
		const data = object["data"] as Record<string, string>;
		assert.deepEqual(Object.keys(data), ["__proto__", "b"]);
		assert.equal(data["b"], "");
		assert.equal(({} as Record<string, unknown>)["x"], undefined);
	});
});

describe("scheme/codec: YAML bodies", () => {
	it("reads the first document with YAML 1.1 scalars", () => {
		const { object } = decode(
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\nimmutable: yes\ndata:\n  at: 2024-01-01\n---\nkind: Other\n",
			configMap,
			"Strict",
			mediaYaml,
		);
		assert.equal(object["immutable"], true);
		assert.deepEqual(object["data"], { at: "2024-01-01" });
	});

	it("names repeated keys with their line, and broken text with its", () => {
		assert.match(
			message("data:\n  a: one\n  a: two\n", configMap, "Strict", mediaYaml),
			/strict decoding error: yaml: unmarshal errors:\n {2}line 3: key "a" already set in map$/,
		);
		assert.match(message("data:\n  a: b\n :c: [", configMap, "Strict", mediaYaml), /yaml: line \d/);
		const bomb = `a: &a [x]\n${"bcdefghij"
			.split("")
			.map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`)
			.join("\n")}`;
		assert.match(message(bomb, configMap, "Strict", mediaYaml), /alias/i);
	});
});

describe("scheme/codec: protobuf bodies", () => {
	const captured = JSON.parse(readFileSync(new URL("./fixtures/kubectl-1.33.json", import.meta.url), "utf8")) as Record<
		string,
		string
	>;
	const decodeCaptured = (command: string) =>
		decodeObject(Buffer.from(captured[command] ?? "", "base64"), mediaProtobuf, { fieldValidation: "Strict" }).object;

	it("reads what kubectl 1.33 sends", () => {
		assert.deepEqual(decodeCaptured("create deployment web --image=nginx:1.27 --replicas=0 --port=80"), {
			kind: "Deployment",
			apiVersion: "apps/v1",
			metadata: { name: "web", labels: { app: "web" } },
			spec: {
				replicas: 0,
				selector: { matchLabels: { app: "web" } },
				template: {
					metadata: { labels: { app: "web" } },
					spec: { containers: [{ name: "nginx", image: "nginx:1.27", ports: [{ containerPort: 80 }], resources: {} }] },
				},
				strategy: {},
			},
			status: {},
		} as never);
		assert.deepEqual(decodeCaptured("create secret generic s --from-literal=k=v")["data"], { k: "dg==" });
		assert.deepEqual(decodeCaptured("create token default --duration=10m")["spec"], { expirationSeconds: 600 });
		const canI = decodeCaptured("auth can-i create pods")["spec"];
		assert.deepEqual(canI, { resourceAttributes: { namespace: "default", verb: "create", resource: "pods" } });
		for (const command of Object.keys(captured)) assert.ok(decodeCaptured(command).kind, command);
	});

	it("round-trips random objects of every message, and survives their mutilation", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1e9);
		console.log(`      BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		for (const resource of allResources) {
			const schema = findMessage(resource.message);
			assert.ok(schema);
			for (let i = 0; i < 5; i++) {
				const object = randomMessage(random, schema);
				const json = JSON.stringify(object);
				const unchanged = JSON.parse(json) as Record<string, unknown>;
				assert.deepEqual(normalizeObject(schema, unchanged), { unknown: [], typeError: undefined });
				assert.deepEqual(unchanged, JSON.parse(json), resource.message);
				const bytes = encodeMessage(schema, object);
				assert.deepEqual(JSON.parse(JSON.stringify(decodeMessage(schema, bytes))), JSON.parse(json), resource.message);
				const broken = Buffer.from(bytes);
				for (let k = 0; k < 3; k++) broken[random.int(broken.length)] = random.int(256);
				for (const mutilated of [broken, bytes.subarray(0, random.int(bytes.length))]) {
					try {
						decodeMessage(schema, mutilated);
					} catch (error) {
						assert.ok(error instanceof ProtobufError, String(error));
					}
				}
			}
		}
	});

	it("skips fields it does not know, and reads an envelope that holds JSON", () => {
		const schema = findMessage("core_v1.ConfigMap");
		assert.ok(schema);
		const w = new BackwardWriter();
		w.raw(encodeMessage(schema, { data: { a: "b" } }));
		w.uint32(7);
		w.tag(99, 0);
		assert.deepEqual(decodeMessage(schema, w.finish()), { data: { a: "b" } });
		const body = encodeObject({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "x" } }, mediaProtobuf);
		assert.equal(decodeEnvelope(body).kind, "ConfigMap");
		const inner = Buffer.from('{"metadata":{"name":"json"}}');
		const unknown = new BackwardWriter();
		const text = (field: number, value: Buffer | string) => {
			const before = unknown.length;
			unknown.raw(Buffer.from(value));
			unknown.delimit(field, before);
		};
		text(4, mediaJson);
		text(2, inner);
		const before = unknown.length;
		text(2, "ConfigMap");
		text(1, "v1");
		unknown.delimit(1, before);
		unknown.raw(Buffer.from("k8s\0"));
		const { object } = decodeObject(unknown.finish(), mediaProtobuf, {
			fieldValidation: "Strict",
			defaultKind: configMap,
		});
		assert.equal(object.metadata.name, "json");
	});

	it("says why bytes are no object", () => {
		const fails = (bytes: Buffer) =>
			failure(() => decodeObject(bytes, mediaProtobuf, { fieldValidation: "Strict", defaultKind: configMap })).message;
		assert.match(fails(Buffer.from("nope")), /expected prefix \[107 56 115 0\] \(6e6f7065\)$/);
		assert.match(fails(Buffer.from("k8s\0\x0a\xff", "latin1")), /unexpected EOF/);
	});

	it("writes varints of every size", () => {
		for (const n of [
			0,
			1,
			127,
			128,
			2 ** 31,
			2 ** 32 - 1,
			2 ** 32,
			-1,
			Number.MAX_SAFE_INTEGER,
			Number.MIN_SAFE_INTEGER,
		]) {
			const w = new BackwardWriter(1);
			w.int64(n);
			assert.equal(new Reader(w.finish()).int64(), n);
		}
	});
});

describe("scheme/codec: stored objects", () => {
	const pods = allResources.find((r) => r.resource === "pods");
	assert.ok(pods);
	const pod = {
		kind: "Pod",
		apiVersion: "v1",
		spec: { nodeName: "n1", containers: [] },
		metadata: { resourceVersion: "5", name: "a", namespace: "b", labels: { x: "y" } },
	};

	it("splices the resource version into bytes without decoding them", () => {
		const stored = encodeStored(pod);
		assert.ok(!stored.includes("resourceVersion"));
		assert.deepEqual(JSON.parse(withResourceVersion(stored, 42).toString()), {
			...pod,
			metadata: { ...pod.metadata, resourceVersion: "42" },
		});
		assert.deepEqual(decodeStored(stored, 42).metadata.resourceVersion, "42");
		const bare = encodeStored({ kind: "Pod", apiVersion: "v1", metadata: {} });
		assert.equal(
			withResourceVersion(bare, 1).toString(),
			'{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"1"}}',
		);
	});

	it("reads what selectors need, also of upstream's protobuf", () => {
		for (const bytes of [encodeStored(pod), encodeObject(pod, mediaProtobuf)]) {
			const meta = readMeta(pods, bytes);
			assert.equal(meta.name, "a");
			assert.equal(meta.namespace, "b");
			assert.deepEqual(meta.labels, { x: "y" });
			assert.equal(meta.fields["spec.nodeName"], "n1");
			assert.equal(meta.fields["status.phase"], "");
			assert.equal(meta.fields["metadata.name"], "a");
		}
		const migrated = normalizeStored(encodeObject(pod, mediaProtobuf));
		assert.equal(JSON.parse(migrated.toString()).metadata.name, "a");
	});
});
