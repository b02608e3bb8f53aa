import assert from "node:assert/strict";
import { createLogger, silentLogger } from "./log.ts";
import { defaultSendBudget, type SendAccount, SendBudget } from "./send-budget.ts";

class Client {
	bytes = 0;
	ended = false;
	looks = 0;
	readonly #account: SendAccount;

	constructor(budget: SendBudget) {
		this.#account = budget.enter({
			buffered: () => {
				this.looks++;
				return this.bytes;
			},
			end: () => {
				this.ended = true;
				this.bytes = 0;
			},
		});
	}

	write(bytes: number): void {
		if (this.ended) return;
		this.bytes += bytes;
		this.#account.wrote(bytes, this.bytes);
	}
}

const clients = (budget: SendBudget, count: number) => Array.from({ length: count }, () => new Client(budget));
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("send budget", () => {
	it("keeps the sum within it: those that hold their share and have taken nothing for longest are ended", async () => {
		const budget = new SendBudget({ most: 1000, name: "clients", logger: silentLogger });
		const [slow, behind] = [clients(budget, 20), new Client(budget)];
		const [fast, small] = [new Client(budget), new Client(budget)];
		small.write(1);
		for (let round = 0; round < 100; round++) {
			for (const client of slow) client.write(10);
			// Never empty, but it takes something all the while.
			behind.write(50);
			behind.bytes = 50;
			// It takes all, also where it has just been given most.
			fast.write(100);
			await turn();
			assert.ok(budget.bytes <= 1000, `${budget.bytes} wait`);
			fast.bytes = 0;
		}
		assert.deepEqual([fast.ended, behind.ended], [false, false]);
		assert.equal(small.ended, false);
		assert.ok(slow.filter(({ ended }) => ended).length >= 10);
		assert.equal(budget.ended, slow.filter(({ ended }) => ended).length);
	});

	it("one alone beyond it is ended too, and what came of the others meanwhile is not counted twice", async () => {
		const budget = new SendBudget({ most: 1000, name: "clients", logger: silentLogger });
		const [one, other] = [new Client(budget), new Client(budget)];
		for (let round = 0; round < 100; round++) {
			other.write(500);
			other.bytes = 0;
		}
		assert.equal(budget.ended, 0);
		one.write(1001);
		assert.equal(one.ended, false, "not from within its own write");
		await turn();
		assert.deepEqual([one.ended, other.ended, budget.bytes], [true, false, 0]);
	});

	it("looks at all again only after as many bytes: its work does not grow with clients times writes", async () => {
		const looks = async (count: number) => {
			const budget = new SendBudget({ most: count * 1000, name: "clients", logger: silentLogger });
			const all = clients(budget, count);
			for (let round = 0; round < 200; round++) {
				for (const client of all) client.write(100);
				await turn();
				for (const [i, client] of all.entries()) if (i % 2 === 0) client.bytes = 0;
			}
			return all.reduce((sum, client) => sum + client.looks, 0);
		};
		const [n, twice] = [await looks(100), await looks(200)];
		assert.ok(twice / n < 3, `${n} looks, then ${twice}`);
	});

	it("gives those that can wait less where it runs out", () => {
		const budget = new SendBudget({ most: 1000, name: "clients", logger: silentLogger });
		const all = clients(budget, 5);
		assert.equal(budget.pauseAbove(400), 400);
		for (const client of all) client.write(120);
		assert.equal(budget.pauseAbove(400), 50);
		assert.equal(budget.pauseAbove(10), 10);
		for (const client of all) client.bytes = 0;
		assert.equal(budget.bytes, 0);
		assert.equal(budget.pauseAbove(400), 400);
	});

	it("is said once in a while", async () => {
		const lines: string[] = [];
		let now = 0;
		const logger = createLogger({ write: (line) => lines.push(line) });
		const budget = new SendBudget({ most: 1000, name: "clients", logger, now: () => now });
		for (const client of clients(budget, 50)) client.write(900);
		assert.equal(lines.length, 1);
		now = 10_000;
		for (const client of clients(budget, 5)) client.write(900);
		assert.equal(lines.length, 2);
		assert.match(lines[1] ?? "", /too many bytes wait for slow clients: the slowest are ended/);
	});

	it("comes from the memory that the process may have", () => {
		assert.equal(defaultSendBudget(1 << 30), 128 << 20);
		assert.equal(defaultSendBudget(1 << 20), 64 << 20);
		assert.ok(defaultSendBudget(0) >= 64 << 20 && defaultSendBudget() <= 1 << 30);
	});
});
