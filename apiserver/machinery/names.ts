/** The forms of names, label keys and label values, with upstream's explanations of what is wrong. */

const qualifiedName = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const dns1123Label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1123Subdomain = `${dns1123Label}(\\.${dns1123Label})*`;
const dns1035Label = "[a-z]([-a-z0-9]*[a-z0-9])?";

const qualifiedNamePattern = new RegExp(`^${qualifiedName}$`);
const labelValuePattern = new RegExp(`^(${qualifiedName})?$`);
const dns1123LabelPattern = new RegExp(`^${dns1123Label}$`);
const dns1123SubdomainPattern = new RegExp(`^${dns1123Subdomain}$`);
const dns1035LabelPattern = new RegExp(`^${dns1035Label}$`);

/** Upstream's text of a failed pattern; the doubled blank before `or` is theirs. */
function patternProblem(what: string, pattern: string, ...examples: string[]): string {
	const shown = examples.map((e, i) => `${i > 0 ? " or " : ""}'${e}', `).join("");
	return `${what} (e.g. ${shown}regex used for validation is '${pattern}')`;
}

const tooLong = (bytes: number) => `must be no more than ${bytes} bytes`;
const byteLength = (text: string) => Buffer.byteLength(text);

function check(text: string, maxBytes: number, pattern: RegExp, problem: string): string[] {
	const problems: string[] = [];
	if (byteLength(text) > maxBytes) problems.push(tooLong(maxBytes));
	if (!pattern.test(text)) problems.push(problem);
	return problems;
}

/** Why `text` is no DNS subdomain (most objects' names); empty where it is one. */
export const subdomainProblems = (text: string): string[] =>
	check(
		text,
		253,
		dns1123SubdomainPattern,
		patternProblem(
			"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
			dns1123Subdomain,
			"example.com",
		),
	);

/** Why `text` is no DNS label (namespaces, container names); empty where it is one. */
export const dnsLabelProblems = (text: string): string[] =>
	check(
		text,
		63,
		dns1123LabelPattern,
		patternProblem(
			"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
			dns1123Label,
			"my-name",
			"123-abc",
		),
	);

/** Why `text` is no RFC 1035 label (services); empty where it is one. */
export const dns1035LabelProblems = (text: string): string[] =>
	check(
		text,
		63,
		dns1035LabelPattern,
		patternProblem(
			"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
			dns1035Label,
			"my-name",
			"abc-123",
		),
	);

/** Why `key` is no qualified name (label and annotation keys, finalizers); empty where it is one. */
export function qualifiedNameProblems(key: string): string[] {
	const explanation = patternProblem(
		"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
		qualifiedName,
		"MyName",
		"my.name",
		"123-abc",
	);
	const parts = key.split("/");
	if (parts.length > 2) {
		return [
			`a qualified name ${explanation} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
		];
	}
	const problems: string[] = [];
	const name = parts[parts.length - 1] ?? "";
	if (parts.length === 2) {
		const prefix = parts[0] ?? "";
		if (prefix === "") problems.push("prefix part must be non-empty");
		else problems.push(...subdomainProblems(prefix).map((p) => `prefix part ${p}`));
	}
	if (name === "") problems.push("name part must be non-empty");
	else if (byteLength(name) > 63) problems.push(`name part ${tooLong(63)}`);
	if (!qualifiedNamePattern.test(name)) problems.push(`name part ${explanation}`);
	return problems;
}

/** Why `value` is no label value; empty where it is one. */
export const labelValueProblems = (value: string): string[] =>
	check(
		value,
		63,
		labelValuePattern,
		patternProblem(
			"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
			`(${qualifiedName})?`,
			"MyValue",
			"my_value",
			"12345",
		),
	);
