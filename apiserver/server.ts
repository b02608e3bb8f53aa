/** One replica of the API: its caches, its filters, its socket, and the hooks that run when it has started. */
import { type Clock, sleep, systemClock } from "../kit/clock.ts";
import { ConnectionLimit, descriptorLimit } from "../kit/descriptors.ts";
import { createLogger, type Logger } from "../kit/log.ts";
import { systemRandom } from "../kit/random.ts";
import { defaultSendBudget, SendBudget } from "../kit/send-budget.ts";
import { acceptErrors } from "../kit/shortage.ts";
import { admissionChain } from "./admission/chain.ts";
import { rbacEscalation } from "./admission/escalation.ts";
import { TokenIssuer } from "./authn/issuer.ts";
import { readSigningKey, readVerifyingKeys, verifyingKeyOf } from "./authn/keys.ts";
import { ServiceAccountAuthenticator } from "./authn/serviceaccount.ts";
import { parseTokenFile, tokenFileAuthenticator } from "./authn/tokenfile.ts";
import type { TokenAuthenticator } from "./authn/types.ts";
import { bearerAuthenticator, requestAuthenticator, unionTokenAuthenticator } from "./authn/union.ts";
import { certificateAuthenticator } from "./authn/x509.ts";
import { nodeRules } from "./authz/bootstrap.ts";
import { NodeAuthorizer } from "./authz/node.ts";
import { RbacEvaluator } from "./authz/rbac.ts";
import type { Authorizer } from "./authz/types.ts";
import { authorizerForModes } from "./authz/union.ts";
import { Cacher } from "./cache/cacher.ts";
import { defaultHistoryLimits } from "./cache/history.ts";
import { filterChain } from "./http/chain.ts";
import { healthChecks, type Lifecycle } from "./http/checks.ts";
import { InflightLimits } from "./http/inflight.ts";
import { Metrics } from "./http/metrics.ts";
import { type Listening, listen } from "./http/node-server.ts";
import { pathHandlers } from "./http/paths.ts";
import { allowsAnonymous, insecureChoices } from "./insecure.ts";
import { type ApiserverOptions, defaults, parsePortRange } from "./options.ts";
import { parseCidr } from "./registry/allocators/cidr.ts";
import { namedShare, RangeAllocator } from "./registry/allocators/range.ts";
import { KubernetesService } from "./registry/bootstrap/kubernetes-service.ts";
import { ensureNamespaces, reconcilePolicy } from "./registry/bootstrap/system.ts";
import type { Services } from "./registry/context.ts";
import { cachedResources } from "./registry/facts.ts";
import { kubeletClient } from "./registry/kubelet-client.ts";
import { nodeLookups, objectLookups, rbacSource } from "./registry/lookups.ts";
import { RangeRepair } from "./registry/repair.ts";
import { router } from "./registry/router.ts";
import { strategyTable } from "./registry/strategies/index.ts";
import { type ServiceRanges, serviceStrategy } from "./registry/strategies/services.ts";
import { allResources } from "./scheme/resources.ts";
import { Compactor } from "./storage/compaction.ts";
import { LeaseManager } from "./storage/leases.ts";
import { ObjectStorage } from "./storage/objects.ts";

export interface Apiserver {
	readonly url: string;
	readonly port: number;
	/** Resolves once the start-up hooks are done: the cluster has its namespaces and roles. */
	readonly started: Promise<void>;
	/** Stops being ready, lets requests end, ends watches, then the socket. The store's client stays open. */
	close(): Promise<void>;
}

/** How long requests may still run at the end. */
const drainMs = 10_000;
const hookRetryMs = { first: 100, most: 5000 } as const;

interface Ground {
	readonly options: ApiserverOptions;
	readonly clock: Clock;
	readonly log: Logger;
	readonly cacher: Cacher;
	readonly storage: ObjectStorage;
}

function tokenParts(ground: Ground) {
	const { options, clock, cacher } = ground;
	const random = options.random ?? systemRandom;
	const issuers = options.serviceAccountIssuers ?? [defaults.serviceAccountIssuer];
	const audiences = options.apiAudiences ?? issuers;
	const lookups = objectLookups(cacher);
	const signing =
		options.serviceAccountSigningKey === undefined
			? undefined
			: readSigningKey(options.serviceAccountSigningKey.pem, options.serviceAccountSigningKey.name);
	const keys = (options.serviceAccountKeys ?? []).flatMap(({ pem, name }) => readVerifyingKeys(pem, name));
	if (signing !== undefined && !keys.some((key) => key.id === signing.id)) keys.push(verifyingKeyOf(signing));
	const authenticators: TokenAuthenticator[] = [];
	if (options.tokenFile !== undefined) {
		authenticators.push(tokenFileAuthenticator(parseTokenFile(options.tokenFile.text, options.tokenFile.name)));
	}
	if (keys.length > 0) authenticators.push(new ServiceAccountAuthenticator({ issuers, keys, lookups, clock }));
	const issuer =
		signing === undefined
			? undefined
			: new TokenIssuer({
					issuer: issuers[0] as string,
					key: signing,
					apiAudiences: audiences,
					extendExpiration: true,
					maxExpirationSeconds: options.serviceAccountMaxTokenExpirationSeconds ?? 0,
					lookups,
					clock,
					random,
				});
	return { tokens: unionTokenAuthenticator(authenticators), issuer, issuers, audiences, keys };
}

function serviceRanges(ground: Ground): ServiceRanges {
	const { options, storage } = ground;
	const random = options.random ?? systemRandom;
	const root = `${options.etcdPrefix ?? defaults.etcdPrefix}/`;
	const cidr = parseCidr(options.serviceClusterIpRange ?? defaults.serviceClusterIpRange);
	const ports = parsePortRange(options.serviceNodePortRange ?? defaults.serviceNodePortRange);
	const allocator = (name: string, range: string, size: number, named: number) =>
		new RangeAllocator({ storage, random, key: `${root}ranges/${name}`, range, size, named });
	const portCount = ports.last - ports.first + 1;
	return {
		cidr,
		addresses: allocator("serviceips", cidr.text, cidr.size, namedShare(cidr.size, 16, 256)),
		nodePorts: {
			...ports,
			allocator: allocator(
				"servicenodeports",
				`${ports.first}-${ports.last}`,
				portCount,
				namedShare(portCount, 32, 128),
			),
		},
	};
}

/** By where objects are stored; events belong to the core group, which is named first, whatever shows them too. */
const byPrefix = new Map(
	allResources
		.filter((resource) => resource.storagePrefix !== "")
		.map(({ storagePrefix, group, resource }) => [storagePrefix, { group, resource }] as const)
		.toReversed(),
);

/** The resource whose objects lie at a key below the root (`services/specs/default/web`); what is no resource's is named by its first step. */
function storedResource(key: string): { readonly group: string; readonly resource: string } {
	const [first = "", second = ""] = key.split("/", 2);
	return byPrefix.get(first) ?? byPrefix.get(`${first}/${second}`) ?? { group: "", resource: first };
}

function makeMetrics(cacher: Cacher, limits: InflightLimits, sendBudget: SendBudget): Metrics {
	return new Metrics({
		sendBudget,
		inflight: () => limits.current,
		*watchers() {
			for (const { group, version, kind, storagePrefix, resource } of allResources) {
				// A view's watches are counted with the objects it shows.
				if (storagePrefix === "" || (group === "events.k8s.io" && resource === "events")) continue;
				yield { group, version, kind, count: cacher.resource(storagePrefix).watcherCount };
			}
		},
		*objects() {
			for (const [prefix, cache] of cacher.resources()) {
				const { group, resource } = storedResource(prefix);
				yield { group, resource, count: cache.size };
			}
		},
		historyBytes: () => [...cacher.resources()].reduce((sum, [, cache]) => sum + cache.historyBytes, 0),
	});
}

/** Runs a hook until it succeeds or the server stops. */
async function persist(name: string, hook: () => Promise<void>, ground: Ground, stopped: () => boolean): Promise<void> {
	let delay: number = hookRetryMs.first;
	for (let tries = 1; !stopped(); tries++, delay = Math.min(hookRetryMs.most, delay * 2)) {
		try {
			await hook();
			return;
		} catch (error) {
			if (stopped()) return;
			// Replicas that start together lose races to each other: once is nothing to worry about.
			const level = tries === 1 ? "debug" : "warn";
			ground.log[level]("start-up hook failed, trying again", { hook: name, error, delayMs: delay });
			await sleep(ground.clock, delay);
		}
	}
}

/** Runtime, connections to the store and to kubelets. */
const reservedDescriptors = 160;

/** Starts a replica; resolves when it listens. Rejects for options that make no sense, or an address that is taken. */
export async function startApiserver(options: ApiserverOptions): Promise<Apiserver> {
	const clock = options.clock ?? systemClock;
	const random = options.random ?? systemRandom;
	const log = options.log ?? createLogger();
	const root = `${options.etcdPrefix ?? defaults.etcdPrefix}/`;
	const limits = new InflightLimits({
		readOnly: options.maxRequestsInflight ?? defaults.maxRequestsInflight,
		mutating: options.maxMutatingRequestsInflight ?? defaults.maxMutatingRequestsInflight,
	});
	const cacher = new Cacher({
		store: options.store,
		root,
		resources: cachedResources(),
		clock,
		log,
		limits: { ...defaultHistoryLimits, ...options.watchHistory },
	});
	const sendBudget = new SendBudget({ most: defaultSendBudget(), name: "responses", logger: log });
	const metrics = makeMetrics(cacher, limits, sendBudget);
	const storage = new ObjectStorage(
		options.store,
		() => clock.monotonic(),
		(operation, key, seconds, failed) =>
			metrics.store({ operation, ...storedResource(key.slice(root.length)), failed }, seconds),
	);
	const ground: Ground = { options, clock, log, cacher, storage };
	const token = tokenParts(ground);
	const rbac = new RbacEvaluator(rbacSource(cacher));
	const modes = options.authorizationModes ?? defaults.authorizationModes;
	for (const choice of insecureChoices(options, modes)) log.warn(choice);
	const authorizer: Authorizer = authorizerForModes(modes, {
		node: new NodeAuthorizer(nodeLookups(cacher), nodeRules()),
		rbac,
	});
	const ranges = serviceRanges(ground);
	const kubelets = kubeletClient(options.kubeletTls ?? {});
	const services: Services = {
		cacher,
		storage,
		leases: new LeaseManager(options.store, () => clock.monotonic()),
		clock,
		random,
		log,
		admission: {
			plugins: [
				...admissionChain({
					clock,
					random,
					authorizer,
					configurations: options.admissionConfigurations ?? new Map(),
					audit: ({ resource, namespace, name, object, user }, text) =>
						log.info(text, {
							resource: resource.resource,
							namespace,
							name: name || object?.metadata.name,
							user: user.username,
						}),
					enable: options.enableAdmissionPlugins ?? [],
					disable: options.disableAdmissionPlugins ?? [],
					tolerationSeconds: {
						notReady: options.defaultNotReadyTolerationSeconds ?? defaults.tolerationSeconds,
						unreachable: options.defaultUnreachableTolerationSeconds ?? defaults.tolerationSeconds,
					},
				}),
				...(modes.includes("RBAC") ? [rbacEscalation(rbac, authorizer)] : []),
			],
			lookups: objectLookups(cacher),
		},
		authorizer,
		tokens: token.tokens,
		apiAudiences: token.audiences,
		tokenIssuer: token.issuer,
		kubelets,
		strategyOf: strategyTable({ services: serviceStrategy(ranges) }),
		root,
		eventTtlSeconds: options.eventTtlSeconds ?? defaults.eventTtlSeconds,
		minRequestTimeoutSeconds: options.minRequestTimeoutSeconds ?? defaults.minRequestTimeoutSeconds,
		allowPrivileged: options.allowPrivileged ?? defaults.allowPrivileged,
	};
	const lifecycle: Lifecycle = { stopping: false, hooks: new Map() };
	const handle = router(
		services,
		pathHandlers({
			checks: healthChecks({ store: options.store, cacher, lifecycle, clock }),
			metrics,
			log,
			issuer: token.issuers[0] as string,
			keys: token.keys,
		}),
	);
	const listening = await listen({
		host: options.bindAddress,
		port: options.securePort,
		cert: options.tlsCert,
		key: options.tlsKey,
		clientCa: options.clientCa,
		latest: options.latestTls,
		onError: (error) => log.warn("connection failed", { error }),
		onAcceptError: acceptErrors(log, "API"),
		connectionLimit: new ConnectionLimit({
			most: Math.max(16, Math.min(20_000, descriptorLimit() - reservedDescriptors)),
			name: "the API's clients",
			logger: log,
		}),
		sendBudget,
		handler: filterChain({
			authenticator: requestAuthenticator({
				authenticators: [certificateAuthenticator, bearerAuthenticator(token.tokens, token.audiences)],
				anonymous: allowsAnonymous(options, modes),
			}),
			authorizer,
			limits,
			metrics: () => metrics,
			clock,
			log,
			requestTimeoutMs: options.requestTimeoutMs ?? defaults.requestTimeoutMs,
			handle,
		}),
	});
	return new Replica(ground, services, ranges, lifecycle, listening, kubelets).start();
}

class Replica implements Apiserver {
	readonly url: string;
	readonly port: number;
	started: Promise<void> = Promise.resolve();
	readonly #ground: Ground;
	readonly #services: Services;
	readonly #lifecycle: Lifecycle;
	readonly #listening: Listening;
	readonly #kubelets: { close(): void };
	readonly #compactor: Compactor;
	readonly #master: KubernetesService;
	readonly #repair: RangeRepair;
	#closed: Promise<void> | undefined;

	constructor(
		ground: Ground,
		services: Services,
		ranges: ServiceRanges,
		lifecycle: Lifecycle,
		listening: Listening,
		kubelets: { close(): void },
	) {
		const { options, clock, log, cacher } = ground;
		this.#ground = ground;
		this.#services = services;
		this.#lifecycle = lifecycle;
		this.#listening = listening;
		this.#kubelets = kubelets;
		this.port = listening.port;
		const address = options.advertiseAddress ?? options.bindAddress;
		this.url = `https://${address.includes(":") ? `[${address}]` : address}:${listening.port}`;
		this.#compactor = new Compactor({
			store: options.store,
			clock,
			log,
			intervalMs: options.compactionIntervalMs ?? defaults.compactionIntervalMs,
			onCompacted: (revision) => cacher.compacted(revision),
		});
		this.#master = new KubernetesService({
			services,
			store: options.store,
			clock,
			address,
			port: listening.port,
			cidr: ranges.cidr,
			addresses: ranges.addresses,
		});
		this.#repair = new RangeRepair(services, ranges);
	}

	start(): this {
		const { cacher, log, options } = this.#ground;
		cacher.start();
		this.#compactor.start();
		const modes = options.authorizationModes ?? defaults.authorizationModes;
		const bound = [this.#hook("start-system-namespaces-controller", () => ensureNamespaces(this.#services))];
		if (modes.includes("RBAC")) {
			bound.push(
				this.#hook("rbac/bootstrap-roles", async () => {
					await bound[0];
					await reconcilePolicy(this.#services);
				}),
			);
		}
		bound.push(
			this.#hook("start-service-ip-repair-controllers", () => this.#repair.start()),
			this.#hook("bootstrap-controller", async () => {
				await bound[0];
				await this.#master.start();
			}),
		);
		this.started = Promise.all(bound).then(() => log.info("apiserver has started", { url: this.url }));
		return this;
	}

	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	#hook(name: string, run: () => Promise<void>): Promise<void> {
		const { hooks } = this.#lifecycle;
		hooks.set(name, false);
		return persist(
			name,
			async () => {
				await this.#ground.cacher.whenReady();
				if (this.#lifecycle.stopping) return;
				await run();
				hooks.set(name, true);
			},
			this.#ground,
			() => this.#lifecycle.stopping,
		);
	}

	async #close(): Promise<void> {
		const { clock, options, cacher } = this.#ground;
		this.#lifecycle.stopping = true;
		await this.#master.stop();
		if ((options.shutdownDelayMs ?? 0) > 0) await sleep(clock, options.shutdownDelayMs ?? 0);
		this.#compactor.stop();
		this.#repair.stop();
		const closed = this.#listening.close();
		cacher.stop();
		this.#listening.drain();
		const timer = clock.after(drainMs, () => this.#listening.destroy(), { keepAlive: true });
		await closed;
		timer.cancel();
		this.#listening.destroy();
		this.#kubelets.close();
	}
}
