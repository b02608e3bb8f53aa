/** The one field of an entry that its leader fills in: the time, in the fixed header of `machine/codec.ts` (format 1). */
import { commandFormat, decodeCommand } from "../machine/codec.ts";

const timeOffset = 26;

export function stampTime(command: Buffer, time: number): void {
	command.writeUInt32BE(Math.floor(time / 0x1_0000_0000), timeOffset);
	command.writeUInt32BE(time >>> 0, timeOffset + 4);
}

/** Whether a forwarded command can be applied: one that cannot would stop every member that has it in its log. */
export function isApplicable(command: Buffer): boolean {
	if (command[0] !== commandFormat) return false;
	try {
		decodeCommand(command);
		return true;
	} catch {
		return false;
	}
}
