import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentCommand, AgentEvent } from "../testing/link-agent.ts";
import { children, orSkip } from "../testing/machine.ts";
import { type LinkEnd, LinkRules, linkTools } from "./links.ts";
import { Fabric, Namespace, namespaceTools } from "./namespaces.ts";
import type { Link } from "./network.ts";
import type { Command } from "./place.ts";
import { requireRootAndTools, runTool } from "./tools.ts";

type Got = Extract<AgentEvent, { what: "got" }>;

/** The other end of chaos/testing/link-agent.ts. */
class Agent {
	readonly events: AgentEvent[] = [];
	readonly #child: ChildProcess;

	static async start(place: (command: Command) => Command): Promise<Agent> {
		const file = path.join(import.meta.dirname, "..", "testing", "link-agent.ts");
		const { program, args } = place({ program: process.execPath, args: [file] });
		const agent = new Agent(spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] }));
		await agent.until(() => agent.events.length > 0);
		return agent;
	}

	private constructor(child: ChildProcess) {
		this.#child = child;
		const lines = readline.createInterface({ input: child.stdout! });
		lines.on("line", (line) => this.events.push(JSON.parse(line) as AgentEvent));
	}

	tell(command: AgentCommand): void {
		this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
	}

	/** Resolves when all of them have left. */
	async send(to: string, label: string, count: number): Promise<void> {
		this.tell({ do: "send", to, label, count });
		await this.until(() => this.events.some((event) => event.what === "sent" && event.label === label));
	}

	got(label: string): Got[] {
		return this.events.filter((event) => event.what === "got" && event.label === label) as Got[];
	}

	heard(label: string): boolean {
		return this.events.some((event) => event.what === "echo" && event.label === label);
	}

	async until(isTrue: () => boolean): Promise<void> {
		while (!isTrue()) await delay(2);
	}

	async end(): Promise<void> {
		const gone = once(this.#child, "exit");
		this.#child.stdin!.end();
		await gone;
	}
}

describe("faults of links", function () {
	this.timeout(30_000);
	let fabric: Fabric | undefined;
	let rules: LinkRules;
	let agents: Agent[] = [];
	let outside: Agent | undefined;
	const names = ["m1", "m2", "m3"];
	const allLinks = names.flatMap((from) => names.filter((to) => to !== from).map((to): Link => [from, to]));
	const agent = (name: string) => agents[names.indexOf(name)]!;
	const address = (name: string) => fabric!.addresses[names.indexOf(name)]!;

	before(async function () {
		const tools = { ...namespaceTools, ...linkTools };
		fabric = await orSkip(this, async () => {
			await requireRootAndTools("network namespaces", tools);
			return Fabric.create(3);
		});
		agents = await Promise.all(fabric.namespaces.map((each) => Agent.start((command) => each.enter(command))));
		outside = await Agent.start((command) => command);
		rules = new LinkRules(ends());
	});
	afterEach(() => rules.heal());
	after(async () => {
		if (fabric === undefined) return;
		await rules.close();
		await Promise.all([...agents, outside!].map((each) => each.end()));
		await fabric.close();
		assert.deepEqual(children(), []);
	});

	function ends(): LinkEnd[] {
		return names.map((name, i) => {
			return { name, address: fabric!.addresses[i]!, enter: (command) => fabric!.namespaces[i]!.enter(command) };
		});
	}

	let labels = 0;
	/** What arrives of `count` datagrams. Those that are not lost have arrived when one sent after the fault's end has. */
	async function arrivals(from: string, to: string, count: number, heal: () => Promise<void>): Promise<Got[]> {
		const label = `${from}-${to}-${++labels}`;
		await agent(from).send(address(to), label, count);
		await heal();
		await reaches(from, to);
		return agent(to).got(label);
	}

	/** Resolves once a datagram has got through. */
	async function reaches(from: string, to: string): Promise<void> {
		const label = `${from}-${to}-${++labels}`;
		await agent(from).send(address(to), label, 1);
		await agent(to).until(() => agent(to).got(label).length === 1);
	}

	const heal = () => rules.heal();
	const listed = (name: string, table: string) =>
		runTool(fabric!.namespaces[names.indexOf(name)]!.enter({ program: "iptables", args: ["-w", "-t", table, "-S"] }));

	it("cuts both directions, of these links only", async () => {
		await rules.cut([
			["m1", "m2"],
			["m2", "m1"],
		]);
		await reaches("m1", "m3");
		await reaches("m3", "m2");
		await agent("m2").send(address("m1"), "both", 20);
		assert.equal((await arrivals("m1", "m2", 20, heal)).length, 0);
		await reaches("m2", "m1");
		assert.equal(agent("m1").got("both").length, 0);
	});

	it("cuts one direction", async () => {
		await rules.cut([["m1", "m2"]]);
		await reaches("m2", "m1");
		assert.equal((await arrivals("m1", "m2", 20, heal)).length, 0);
	});

	it("never cuts clients off", async () => {
		await rules.cut(allLinks);
		await rules.lose(allLinks, 100);
		for (const name of names) {
			await outside!.send(address(name), `to ${name}`, 10);
			await agent(name).until(() => agent(name).got(`to ${name}`).length === 10);
			outside!.tell({ do: "say", to: address(name), label: `hello ${name}` });
			await outside!.until(() => outside!.heard(`hello ${name}`));
		}
	});

	it("lets established connections stand still, and go on when healed", async () => {
		agent("m1").tell({ do: "say", to: address("m2"), label: "before" });
		await agent("m1").until(() => agent("m1").heard("before"));
		await rules.cut([["m2", "m1"]]);
		agent("m1").tell({ do: "say", to: address("m2"), label: "while cut" });
		await reaches("m1", "m2");
		await delay(50);
		assert.ok(!agent("m1").heard("while cut"));
		await rules.heal();
		await agent("m1").until(() => agent("m1").heard("while cut"));
	});

	it("loses about the percentage asked for, in one direction", async () => {
		await rules.lose([["m1", "m2"]], 20);
		const back = "not lost";
		await agent("m2").send(address("m1"), back, 300);
		await agent("m1").until(() => agent("m1").got(back).length === 300);
		const lost = 300 - (await arrivals("m1", "m2", 300, heal)).length;
		// 60 of 300, and six standard deviations of seven to each side.
		assert.ok(lost > 18 && lost < 102, `${lost} of 300 lost`);
	});

	it("adds up losses", async () => {
		await rules.lose([["m1", "m2"]], 50);
		await rules.lose([["m1", "m2"]], 50);
		const lost = 300 - (await arrivals("m1", "m2", 300, heal)).length;
		assert.ok(lost > 180 && lost < 270, `${lost} of 300 lost, not about 225`);
		await rules.lose([["m1", "m2"]], 100);
		assert.equal((await arrivals("m1", "m2", 300, heal)).length, 0);
	});

	describe("of delay", () => {
		before(async function () {
			await orSkip(this, () => rules.slow([["m1", "m2"]], 1, 0));
			await rules.heal();
		});

		it("holds each packet for the delay and keeps their order", async () => {
			await rules.slow([["m1", "m2"]], 60, 0);
			await rules.slow([["m1", "m2"]], 40, 0);
			await agent("m1").send(address("m2"), "slow", 50);
			await agent("m2").until(() => agent("m2").got("slow").length === 50);
			for (const { tookMs } of agent("m2").got("slow")) assert.ok(tookMs >= 100, `${tookMs} ms`);
			const order = agent("m2")
				.got("slow")
				.map(({ number }) => number);
			assert.deepEqual(
				order,
				Array.from({ length: 50 }, (_, i) => i),
			);
		});

		it("lets packets overtake each other by jitter", async () => {
			await rules.slow(allLinks, 10, 50);
			await agent("m1").send(address("m2"), "jitter", 50);
			await agent("m2").until(() => agent("m2").got("jitter").length === 50);
			const order = agent("m2")
				.got("jitter")
				.map(({ number }) => number);
			assert.notDeepEqual(
				order,
				order.toSorted((a, b) => a - b),
			);
		});

		it("carries connections, and lets go of what it holds when healed", async () => {
			await rules.slow(allLinks, 20, 20);
			agent("m3").tell({ do: "say", to: address("m1"), label: "slowly" });
			await agent("m3").until(() => agent("m3").heard("slowly"));
			await rules.slow([["m3", "m2"]], 3_600_000, 0);
			const held = await arrivals("m3", "m2", 30, async () => {
				assert.equal(holders().length, 4);
				await rules.heal();
			});
			assert.equal(held.length, 30);
			assert.deepEqual(holders(), []);
		});

		it("says so when something ended what holds packets, having healed all the same", async () => {
			await rules.slow([["m1", "m2"]], 3_600_000, 0);
			const [holder] = holders();
			process.kill(holder!, "SIGKILL");
			while (holders().length > 0) await delay(2);
			await reaches("m1", "m2");
			await assert.rejects(rules.heal(), /what held packets to m2 ended with SIGKILL/);
			await rules.heal();
		});
	});

	it("heals everything, twice if need be, and leaves empty chains", async () => {
		await rules.heal();
		await Promise.all([rules.cut(allLinks), rules.lose(allLinks, 10), rules.heal(), rules.heal()]);
		for (const [from, to] of allLinks) await reaches(from, to);
		for (const name of names) {
			const ours = (await listed(name, "filter")).split("\n").filter((line) => line.includes("BARQUE-CHAOS"));
			assert.deepEqual(ours, ["-N BARQUE-CHAOS", "-A INPUT -j BARQUE-CHAOS"]);
		}
	});

	it("refuses what makes no sense", async () => {
		await assert.rejects(async () => rules.cut([["m1", "m4"]]), /no member m4/);
		await assert.rejects(async () => rules.lose(allLinks, 101), /percent: 101/);
		await assert.rejects(async () => rules.slow(allLinks, -1, 0), /delayMs: -1/);
		await assert.rejects(async () => rules.slow(allLinks, 1, Number.NaN), /jitterMs: NaN/);
		assert.throws(() => new LinkRules([{ name: "m1", address: "::1", enter: (command) => command }]), /not IPv4/);
	});

	it("skips a member whose namespace is gone, and gives a new one what holds", async () => {
		const another = await Namespace.open();
		try {
			let current: Namespace | undefined = fabric!.namespaces[1]!;
			const [first, second, third] = ends() as [LinkEnd, LinkEnd, LinkEnd];
			const some = new LinkRules([first, { ...second, enter: (command) => current?.enter(command) }, third]);
			await some.cut(allLinks);
			current = undefined;
			await some.lose(allLinks, 10);
			current = another;
			await some.restore("m2");
			const list = () => runTool(another.enter({ program: "iptables", args: ["-w", "-S", "BARQUE-CHAOS"] }));
			assert.equal((await list()).split("\n").filter((line) => line.endsWith("-j DROP")).length, 2);
			current = undefined;
			await some.heal();
			await reaches("m1", "m3");
			current = another;
			await some.restore("m2");
		} finally {
			await another.close();
		}
		// The namespace that was gone for `some` still has its rules.
		const flush = { program: "iptables", args: ["-w", "-F", "BARQUE-CHAOS"] };
		await runTool(fabric!.namespaces[1]!.enter(flush));
		await reaches("m1", "m2");
	});

	it("heals the others when one fails, and that one at the next attempt, though its strike was half done", async () => {
		let isBroken = true;
		const [first, second, third] = ends() as [LinkEnd, LinkEnd, LinkEnd];
		/** Does what it should, and fails then. */
		const enter = (command: Command) => {
			const { program, args } = command;
			const failing = { program: "sh", args: ["-c", '"$@"; echo broken >&2; exit 1', "sh", program, ...args] };
			return second.enter(isBroken ? failing : command);
		};
		const some = new LinkRules([first, { ...second, enter }, third]);
		await assert.rejects(some.cut(allLinks), /broken/);
		await assert.rejects(some.heal(), /broken/);
		await reaches("m1", "m3");
		isBroken = false;
		await some.heal();
		await reaches("m1", "m2");
	});

	/** Process ids of the programs that hold packets. */
	function holders(): number[] {
		return children()
			.filter(({ command }) => command.includes("packet-delay"))
			.map(({ pid }) => pid);
	}
});
