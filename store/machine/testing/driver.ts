/** A machine driven by hand: commands become consecutive entries, with a clock the test moves. */
import { type KeyValue, StoreError } from "../../api.ts";
import type { Engine } from "../../engine/types.ts";
import type { Entry } from "../../raft/types.ts";
import { encodeCommand } from "../codec.ts";
import { type Machine, type MachineOptions, openMachine } from "../machine.ts";
import type { Applied, Command, CommandHeader, CommandResult } from "../types.ts";

export const bytes = (text: string) => Buffer.from(text, "latin1");

export class Driver {
	readonly log: Entry[] = [];
	machine: Machine;
	time = 1_000_000;
	term = 1;

	constructor(machine: Machine) {
		this.machine = machine;
	}

	static async open(engine: Engine, options: MachineOptions = {}): Promise<Driver> {
		return new Driver(await openMachine(engine, options));
	}

	entry(command: Command, header: Partial<CommandHeader> = {}): Entry {
		const index = this.machine.appliedIndex + 1;
		const full = { session: 0n, sequence: 0, acknowledged: 0, time: this.time, requestId: BigInt(index), ...header };
		return { index, term: this.term, kind: "normal", data: encodeCommand(full, command) };
	}

	/** Applies one command. */
	apply(command: Command, header: Partial<CommandHeader> = {}): Applied {
		const entry = this.entry(command, header);
		this.log.push(entry);
		return this.machine.apply([entry], () => undefined)[0]!;
	}

	/** Applies one command that must succeed. */
	run(command: Command, header: Partial<CommandHeader> = {}): CommandResult {
		const { outcome } = this.apply(command, header);
		if (outcome instanceof StoreError) throw outcome;
		return outcome;
	}

	put(key: string, value = "", more: { lease?: bigint; prevKv?: boolean } = {}): number {
		this.run({ kind: "put", key: bytes(key), value: bytes(value), ...more });
		return this.machine.revision;
	}

	del(key: string, rangeEnd?: string): number {
		this.run({ kind: "delete", key: bytes(key), rangeEnd: rangeEnd === undefined ? undefined : bytes(rangeEnd) });
		return this.machine.revision;
	}

	get(key: string, revision = 0): KeyValue | undefined {
		return this.machine.range({ key: bytes(key), revision }).kvs[0];
	}
}
