/** The schema by protobuf numbers. */
import { type Field, findMessage, type Message } from "../../schema.ts";

export interface NumberedField {
	readonly number: number;
	/** The field itself, or the fields of a message that JSON shows inline. */
	readonly field: Field | undefined;
	readonly inline: NumberedMessage | undefined;
}

export interface NumberedMessage {
	/** For error texts. */
	readonly name: string;
	readonly byNumber: ReadonlyMap<number, NumberedField>;
	/** In descending order, as the backward writer wants them. */
	readonly descending: readonly NumberedField[];
}

function build(
	name: string,
	fields: ReadonlyArray<{ readonly path: readonly number[]; readonly field: Field }>,
): NumberedMessage {
	const inlined = new Map<number, { path: readonly number[]; field: Field }[]>();
	const numbered: NumberedField[] = [];
	for (const { path, field } of fields) {
		const number = path[0] as number;
		if (path.length === 1) numbered.push({ number, field, inline: undefined });
		else inlined.set(number, [...(inlined.get(number) ?? []), { path: path.slice(1), field }]);
	}
	for (const [number, inner] of inlined) numbered.push({ number, field: undefined, inline: build(name, inner) });
	numbered.sort((a, b) => b.number - a.number);
	return { name, byNumber: new Map(numbered.map((f) => [f.number, f])), descending: numbered };
}

const plans = new Map<string, NumberedMessage>();

/** A message's fields by number; `message` must be the schema's. */
export function numbersOf(message: Message): NumberedMessage {
	let plan = plans.get(message.name);
	if (plan === undefined) {
		plan = build(
			message.name,
			[...message.fields.values()].map((field) => ({ path: field.path, field })),
		);
		plans.set(message.name, plan);
	}
	return plan;
}

/** The plan of a message named in the schema; throws on a name that it lacks, which would be an error of ours. */
export function numbersOfName(name: string): NumberedMessage {
	const message = findMessage(name);
	if (message === undefined) throw new Error(`schema has no message ${name}`);
	return numbersOf(message);
}
