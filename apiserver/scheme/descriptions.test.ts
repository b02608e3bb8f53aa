import assert from "node:assert/strict";
import { Definitions } from "../openapi/schemas.ts";
import { messagesOf, schemaTexts } from "./schema.ts";

const messages = schemaTexts.flatMap((owner) => [...messagesOf(owner).values()]);

describe("schema: descriptions", () => {
	it("has a sentence for every type and every field", () => {
		const wanting = messages.flatMap((message) =>
			[message, ...message.fields.values()]
				.filter(({ description }) => !/^[A-Z0-9].{3,}[.]$/.test(description) || /\bTODO\b|\?$/.test(description))
				.map(({ name }) => (name === message.name ? name : `${message.name}.${name}`)),
		);
		assert.deepEqual(wanting, []);
	});

	it("says of each field of a type something of its own, and more than its name", () => {
		const vague = messages.flatMap(({ name, fields }) => {
			const texts = [...fields.values()].map(({ description }) => description);
			const twice = texts.filter((text, at) => texts.indexOf(text) !== at).map((text) => `${name}: ${text}`);
			const bare = [...fields.values()].filter(
				({ name: field, description }) => description.toLowerCase() === `${field.toLowerCase()}.`,
			);
			return [...twice, ...bare.map((field) => `${name}.${field.name}`)];
		});
		assert.deepEqual(vague, []);
	});

	it("stands in OpenAPI documents beside every field", () => {
		const definitions = new Definitions();
		definitions.ref("core_v1.Pod");
		for (const [name, schema] of Object.entries(definitions.schemas)) {
			const { description, properties } = schema as { description?: string; properties?: Record<string, object> };
			assert(description, name);
			for (const [field, property] of Object.entries(properties ?? {})) {
				assert("description" in property, `${name}.${field}`);
			}
		}
	});
});
