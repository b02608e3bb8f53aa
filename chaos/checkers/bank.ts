/** Accounts between which money moves: every read of all of them shows the same total, and none below zero. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

export interface BankRead extends Timed {
	readonly balances: Readonly<Record<string, number>>;
}

export function checkBank(
	accounts: readonly string[],
	total: number,
	reads: readonly BankRead[],
	mayOwe = false,
): Violation[] {
	const wanted = accounts.toSorted().join();
	return reads.flatMap((read): Violation[] => {
		const names = Object.keys(read.balances).sort().join();
		const balances = Object.values(read.balances);
		const sum = balances.reduce((a, b) => a + b, 0);
		const report = (kind: string, message: string) => [{ kind, message, witness: describeTimed([read]) }];
		if (names !== wanted) return report("wrong-accounts", `a read has the accounts ${names} instead of ${wanted}`);
		if (sum !== total) return report("wrong-total", `a read adds up to ${sum} instead of ${total}`);
		if (!mayOwe && balances.some((balance) => balance < 0)) return report("negative-balance", "an account owes money");
		return [];
	});
}
