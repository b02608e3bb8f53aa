/** One apiserver over the in-memory store with every controller at work, under the rights the controller manager really has. */

import { createControllers, type ManagerOptions, selectControllers } from "../../agents/controller-manager/manager.ts";
import { createEventRecorder, type EventRecorder } from "../../apiserver/client/events.ts";
import { createInformerFactory } from "../../apiserver/client/informer.ts";
import { createApiClient } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { startApiserver } from "../../apiserver/server.ts";
import { systemClock } from "../../kit/clock.ts";
import { createLogger, silentLogger } from "../../kit/log.ts";
import { createAuthority } from "../../kit/pki.ts";
import { systemRandom } from "../../kit/random.ts";
import { memoryStore } from "../../store/client/memory.ts";

export interface ControllerCluster {
	/** As a member of system:masters. */
	readonly admin: ApiClient;
	stop(): Promise<void>;
}

/** Resolves when all caches are filled and the controllers run. BARQUE_TEST_LOG=1 shows what they log. */
export async function startControllerCluster(options: ManagerOptions = {}): Promise<ControllerCluster> {
	const ca = await createAuthority("test-ca");
	const server = await ca.issue({ commonName: "apiserver", hosts: ["127.0.0.1"], usages: ["server"] });
	const store = memoryStore();
	const log = process.env["BARQUE_TEST_LOG"] === undefined ? silentLogger : createLogger({ format: "text" });
	const apiserver = await startApiserver({
		store,
		bindAddress: "127.0.0.1",
		securePort: 0,
		// Endpoints may not be on loopback; nothing connects to this one (TEST-NET-1).
		advertiseAddress: "192.0.2.1",
		tlsCert: server.cert,
		tlsKey: server.key,
		clientCa: ca.cert,
		authorizationModes: ["Node", "RBAC"],
		log: log.with({ part: "apiserver" }),
	});
	await apiserver.started;
	const clientFor = async (commonName: string, organizations: readonly string[] = []) => {
		const pair = await ca.issue({ commonName, organizations, usages: ["client"] });
		const access = { ca: Buffer.from(ca.cert), cert: Buffer.from(pair.cert), key: Buffer.from(pair.key) };
		return createApiClient({ server: `https://127.0.0.1:${apiserver.port}`, ...access, userAgent: commonName });
	};
	const admin = await clientFor("admin", ["system:masters"]);
	const client = await clientFor("system:kube-controller-manager");
	const world = { client, clock: systemClock, random: systemRandom, logger: log };
	const informers = createInformerFactory(world);
	const recorders: EventRecorder[] = [];
	const recorder = (component: string) => {
		const made = createEventRecorder({ ...world, component });
		recorders.push(made);
		return made;
	};
	const controllers = createControllers({ ...world, informers, recorder }, selectControllers(["*"]), {
		rootCa: ca.cert,
		...options,
	});
	informers.start();
	await informers.whenSynced();
	for (const controller of controllers) controller.start();
	return {
		admin,
		async stop() {
			for (const controller of controllers) controller.stop();
			for (const made of recorders) made.stop();
			informers.stop();
			await Promise.all([client.close(), admin.close()]);
			await apiserver.close();
			await store.close();
		},
	};
}
