/**
 * The collector against a model, under references that lie. The model knows one rule: an object is garbage if it has
 * owner references and not one of them may be of a living object, where "is of" means every part of the reference.
 */
import assert from "node:assert/strict";
import type { FakeClient } from "../../../apiserver/client/fake.ts";
import {
	apiVersionOf,
	configMaps,
	nodes,
	persistentVolumes,
	secrets,
	type TypedResource,
} from "../../../apiserver/client/resources.ts";
import type { ApiClient } from "../../../apiserver/client/types.ts";
import type { KubeObject } from "../../../apiserver/scheme/object.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";
import { type Random, seededRandom } from "../../../kit/random.ts";
import { harness } from "../testing/harness.ts";
import { createGarbageCollector } from "./controller.ts";

type Any = KubeObject<object>;

const resources: readonly TypedResource<object>[] = [configMaps, secrets, nodes, persistentVolumes];
const namespaces = ["ns-a", "ns-b"];
const names = ["x", "y", "z"];

const world = (client: FakeClient): Any[] => resources.flatMap((resource) => client.all(resource));
const show = (o: Any) => `${o.kind} ${o.metadata.namespace ?? "-"}/${o.metadata.name} ${o.metadata.uid}`;

/** `undefined`: it may be of something that cannot be known. */
function ownerBy(client: FakeClient, child: Any, reference: OwnerReference): Any | "gone" | undefined {
	const resource = resources.find((r) => r.kind === reference.kind && apiVersionOf(r) === reference.apiVersion);
	if (resource === undefined) return undefined;
	const namespace = child.metadata.namespace ?? "";
	if (resource.namespaced && namespace === "") return undefined;
	const owner = client.peek(resource, resource.namespaced ? `${namespace}/${reference.name}` : (reference.name ?? ""));
	return owner?.metadata.uid === reference.uid ? (owner as Any) : "gone";
}

const waits = (owner: Any) =>
	owner.metadata.deletionTimestamp !== undefined && owner.metadata.finalizers?.includes("foregroundDeletion") === true;

/** Why `child` must stay, or undefined. */
function reasonToStay(client: FakeClient, child: Any): string | undefined {
	const references = child.metadata.ownerReferences ?? [];
	if (references.length === 0) return "it has no owner references";
	for (const reference of references) {
		const owner = ownerBy(client, child, reference);
		if (owner === undefined) return `${reference.kind} ${reference.uid} cannot be known to be gone`;
		if (owner !== "gone" && !waits(owner)) return `its owner lives: ${show(owner)}`;
	}
	return undefined;
}

/** A foreground deletion waits for a dependent of which nobody knows whether it may go. */
function isHeld(client: FakeClient, owner: Any, seen: ReadonlySet<Any["metadata"]["uid"]> = new Set()): boolean {
	if (seen.has(owner.metadata.uid)) return false;
	const below = new Set([...seen, owner.metadata.uid]);
	return world(client).some((child) => {
		const references = child.metadata.ownerReferences ?? [];
		const blocks = references.some((r) => r.blockOwnerDeletion === true && isSame(ownerBy(client, child, r), owner));
		return (
			blocks &&
			(waits(child) ? isHeld(client, child, below) : references.some((r) => ownerBy(client, child, r) === undefined))
		);
	});
}

const isSame = (a: Any | "gone" | undefined, b: Any): boolean =>
	a !== undefined && a !== "gone" && a.metadata.uid === b.metadata.uid;

/** The client as the collector has it: each deletion is held against the model at that moment. */
function judged(client: FakeClient, wrong: string[]): ApiClient {
	return {
		...client,
		resource(resource) {
			const inner = client.resource(resource);
			return {
				...inner,
				async delete(namespace, name, options) {
					const child = world(client).find(
						(o) =>
							o.metadata.uid === options?.preconditions?.uid &&
							o.metadata.name === name &&
							(o.metadata.namespace ?? "") === namespace,
					);
					const current = child?.metadata.resourceVersion === options?.preconditions?.resourceVersion;
					const why = child === undefined || !current ? undefined : reasonToStay(client, child);
					if (why !== undefined && child !== undefined) wrong.push(`deletes ${show(child)}: ${why}`);
					await inner.delete(namespace, name, options);
				},
			};
		},
	};
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)] as T;

/** A reference to `owner`, one in three wrong in some part. */
function reference(random: Random, owner: Any): OwnerReference {
	const { name = "", uid = "" } = owner.metadata;
	const right = {
		apiVersion: owner.apiVersion,
		kind: owner.kind,
		name,
		uid,
		...(random.int(2) === 0 ? { blockOwnerDeletion: true } : {}),
	};
	switch (random.int(12)) {
		case 0:
			return { ...right, kind: pick(random, resources).kind };
		case 1:
			return { ...right, name: pick(random, names) };
		case 2:
			return { ...right, uid: `never-${random.int(5)}` };
		case 3:
			return { ...right, apiVersion: "example.com/v1", kind: "Thing" };
		default:
			return right;
	}
}

/** One step of those who use the cluster, some of them with bad intent. */
async function step(random: Random, client: FakeClient, everSeen: Any[]): Promise<void> {
	const all = world(client);
	const references = () =>
		Array.from({ length: random.int(4) }, () => (everSeen.length === 0 ? undefined : pick(random, everSeen)))
			.filter((owner) => owner !== undefined)
			.map((owner) => reference(random, owner));
	const choice = random.int(10);
	if (choice < 5 || all.length === 0) {
		const resource = pick(random, resources);
		const metadata = {
			name: pick(random, names),
			...(resource.namespaced ? { namespace: pick(random, namespaces) } : {}),
			ownerReferences: references(),
		};
		try {
			everSeen.push(client.add({ apiVersion: apiVersionOf(resource), kind: resource.kind, metadata }));
		} catch {
			// the name is taken
		}
		return;
	}
	const object = pick(random, all);
	const { namespace = "", name = "" } = object.metadata;
	const resource = resources.find((r) => r.kind === object.kind) as TypedResource<object>;
	if (choice < 8) {
		const propagationPolicy = pick(random, ["Background", "Background", "Foreground", "Orphan"] as const);
		await client.resource(resource).delete(namespace, name, { propagationPolicy });
	} else if (object.metadata.deletionTimestamp === undefined) {
		const metadata = { ownerReferences: references(), annotations: { step: String(random.int(1e9)) } };
		await client.resource(resource).patch(namespace, name, "merge", { metadata });
	}
}

describe("garbage collector against hostile references", () => {
	it("deletes what the model calls garbage, and at no moment anything else", async function () {
		this.timeout(60_000);
		const first = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1e9);
		console.log(`      BARQUE_SEED=${first}`);
		for (let seed = first; seed < first + 40; seed++) {
			const random = seededRandom(seed);
			const wrong: string[] = [];
			const h = harness((ctx, client) => createGarbageCollector({ ...ctx, client: judged(client, wrong) }));
			const everSeen: Any[] = [];
			for (let i = 0; i < 10; i++) await step(random, h.client, everSeen);
			await h.start();
			for (let i = 0; i < 60; i++) {
				await step(random, h.client, everSeen);
				if (random.int(3) === 0) await h.run(random.int(5) === 0 ? 40_000 : 20);
			}
			await h.run(600_000);
			const garbage = world(h.client).filter((o) => reasonToStay(h.client, o) === undefined);
			const dying = world(h.client).filter((o) => waits(o) && !isHeld(h.client, o));
			h.stop();
			const at = `BARQUE_SEED=${seed}`;
			assert.deepEqual(wrong, [], at);
			assert.deepEqual(garbage.map(show), [], `${at}: garbage stays`);
			assert.deepEqual(
				dying.map(show),
				[],
				`${at}: a deletion does not end, of ${JSON.stringify(world(h.client), null, 1)}`,
			);
		}
	});
});
