/** `--admission-control-config-file`: the configurations of admission plugins. */
import path from "node:path";
import { parseYamlText, YamlError } from "../scheme/codec/yaml-text.ts";

/** A plugin's configuration document, by the plugin's name. */
export type PluginConfigurations = ReadonlyMap<string, unknown>;

type Fields = Readonly<Record<string, unknown>>;

/** A configuration's fields; throws Error, which begins with `where`, for anything but an object with these fields alone. */
export function fieldsOf(where: string, value: unknown, known: readonly string[]): Fields {
	if (value === null || value === undefined) return {};
	if (typeof value !== "object" || Array.isArray(value)) throw new Error(`${where}: must be an object`);
	const unknown = Object.keys(value).find((key) => !known.includes(key));
	if (unknown !== undefined) throw new Error(`${where}: unknown field ${JSON.stringify(unknown)}`);
	return value as Fields;
}

/** A field's text, "" where it is not there. Throws Error. */
export function textOf(where: string, fields: Fields, key: string): string {
	const value = fields[key] ?? "";
	if (typeof value !== "string") throw new Error(`${where}: ${key} must be a string`);
	return value;
}

export function parseDocument(name: string, text: string): unknown {
	try {
		return parseYamlText(text).value;
	} catch (error) {
		if (!(error instanceof YamlError)) throw error;
		throw new Error(`${name}: ${error.message}`);
	}
}

/** Reads the file and those it names, which are found beside it. Rejects with an Error that names file and field. */
export async function readAdmissionConfiguration(
	file: string,
	read: (file: string) => Promise<string>,
): Promise<PluginConfigurations> {
	const document = fieldsOf(file, parseDocument(file, await read(file)), ["apiVersion", "kind", "plugins"]);
	const [apiVersion, kind] = [textOf(file, document, "apiVersion"), textOf(file, document, "kind")];
	if (kind !== "AdmissionConfiguration" || !/^apiserver\.(config\.)?k8s\.io\/v1(alpha1)?$/.test(apiVersion)) {
		throw new Error(
			`${file}: must be an AdmissionConfiguration of apiserver.config.k8s.io/v1, not ${kind || "nothing"} of ${apiVersion || "no version"}`,
		);
	}
	const plugins = document["plugins"] ?? [];
	if (!Array.isArray(plugins)) throw new Error(`${file}: plugins must be a list`);
	const configurations = new Map<string, unknown>();
	for (const [i, plugin] of plugins.entries()) {
		const where = `${file}: plugins[${i}]`;
		const fields = fieldsOf(where, plugin, ["name", "path", "configuration"]);
		const [name, named] = [textOf(where, fields, "name"), textOf(where, fields, "path")];
		if (name === "") throw new Error(`${where}: name is required`);
		if (configurations.has(name)) throw new Error(`${where}: plugin ${JSON.stringify(name)} is configured twice`);
		const other = path.resolve(path.dirname(file), named);
		const inline = fields["configuration"];
		configurations.set(name, inline ?? (named === "" ? undefined : parseDocument(other, await read(other))));
	}
	return configurations;
}
