/** What names, labels and annotations may be: upstream's rules with upstream's words. Each check gives the reasons against. */
import { append } from "../../kit/lists.ts";

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValue = `(${qualified})?`;

// linear: the patterns above, whose pieces cannot stand for one another; test/cost measures them.
const exactly = (pattern: string) => new RegExp(`^(?:${pattern})$`);

/** `text (e.g. 'a',  or 'b', regex used for validation is 'x')`: the two blanks are upstream's. */
function regexMessage(text: string, pattern: string, ...examples: string[]): string {
	const shown = examples.map((e) => `'${e}', `).join(" or ");
	return `${text} (e.g. ${shown}regex used for validation is '${pattern}')`;
}

/** Bytes are counted everywhere; upstream calls them characters in names of DNS and of keys. */
const maxLength = (limit: number, units: "bytes" | "characters") => `must be no more than ${limit} ${units}`;
const bytes = (value: string) => Buffer.byteLength(value);

function check(
	value: string,
	limit: number,
	pattern: RegExp,
	message: string,
	units: "bytes" | "characters" = "characters",
): string[] {
	const reasons: string[] = [];
	if (bytes(value) > limit) reasons.push(maxLength(limit, units));
	if (!pattern.test(value)) reasons.push(message);
	return reasons;
}

const labelPattern = exactly(label);
const labelMessage = regexMessage(
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
	label,
	"my-name",
	"123-abc",
);
const subdomainPattern = exactly(subdomain);
const subdomainMessage = regexMessage(
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
	subdomain,
	"example.com",
);
/** RFC 1123 subdomain: `example.com`. */
export const dns1123SubdomainProblems = (value: string): string[] =>
	check(value, 253, subdomainPattern, subdomainMessage);

/** RFC 1123 label: `my-name`. */
export const dns1123LabelProblems = (value: string): string[] =>
	check(value, 63, labelPattern, subdomainPattern.test(value) ? "must not contain dots" : labelMessage);

const qualifiedPattern = exactly(qualified);
const qualifiedMessage = regexMessage(
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
	qualified,
	"MyName",
	"my.name",
	"123-abc",
);
/** A label or annotation key: `example.com/MyName`. */
export function qualifiedNameProblems(value: string): string[] {
	const parts = value.split("/");
	const reasons: string[] = [];
	if (parts.length > 2) {
		return [
			`a qualified name ${regexMessage("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", qualified, "MyName", "my.name", "123-abc")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
		];
	}
	if (parts.length === 2) {
		const prefix = parts[0] ?? "";
		if (prefix === "") reasons.push("prefix part must be non-empty");
		else
			append(
				reasons,
				dns1123SubdomainProblems(prefix).map((reason) => `prefix part ${reason}`),
			);
	}
	const name = parts[parts.length - 1] ?? "";
	if (name === "") reasons.push("name part must be non-empty");
	else if (bytes(name) > 63) reasons.push(`name part ${maxLength(63, "bytes")}`);
	if (!qualifiedPattern.test(name)) reasons.push(qualifiedMessage);
	return reasons;
}

const labelValuePattern = exactly(labelValue);
const labelValueMessage = regexMessage(
	"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
	labelValue,
	"MyValue",
	"my_value",
	"12345",
);
export const labelValueProblems = (value: string): string[] =>
	check(value, 63, labelValuePattern, labelValueMessage, "bytes");

/** A name that is one segment of a path: RBAC's objects may be called almost anything. */
export function pathSegmentProblems(value: string): string[] {
	if (value === "." || value === "..") return [`may not be '${value}'`];
	return ["/", "%"].filter((c) => value.includes(c)).map((c) => `may not contain '${c}'`);
}

const configMapKey = "[-._a-zA-Z0-9]+";
const configMapKeyPattern = exactly(configMapKey);
const configMapKeyMessage = regexMessage(
	"a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
	configMapKey,
	"key.name",
	"KEY_NAME",
	"key-name",
);
/** A key of a ConfigMap's or Secret's data. */
export function configMapKeyProblems(value: string): string[] {
	const reasons = check(value, 253, configMapKeyPattern, configMapKeyMessage);
	if (value === "." || value === "..") reasons.push(`must not be '${value}'`);
	else if (value.startsWith("..")) reasons.push("must not start with '..'");
	return reasons;
}

const cIdentifier = "[A-Za-z_][A-Za-z0-9_]*";
/** Upstream since 1.34 (RelaxedEnvironmentVariableValidation): any printable ASCII but `=`. */
const relaxedEnvName = /^[ -<>-~]+$/;
const relaxedEnvMessage =
	"a valid environment variable name must consist only of printable ASCII characters other than '='";
export function envNameProblems(value: string): string[] {
	if (value === "") return ["environment variable name must be non-empty"];
	return relaxedEnvName.test(value) ? [] : [relaxedEnvMessage];
}

const cIdentifierPattern = exactly(cIdentifier);
const cIdentifierMessage = regexMessage(
	"a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
	cIdentifier,
	"my_name",
	"MY_NAME",
	"MyName",
);
export const cIdentifierProblems = (value: string): string[] =>
	cIdentifierPattern.test(value) ? [] : [cIdentifierMessage];

const httpHeader = "[-A-Za-z0-9]+";
const httpHeaderPattern = exactly(httpHeader);
const httpHeaderMessage = regexMessage(
	"a valid HTTP header must consist of alphanumeric characters or '-'",
	httpHeader,
	"X-Header-Name",
);
export const httpHeaderProblems = (value: string): string[] =>
	httpHeaderPattern.test(value) ? [] : [httpHeaderMessage];

/** A port's name: `http-alt`. */
export function portNameProblems(value: string): string[] {
	const reasons: string[] = [];
	if (bytes(value) > 15) reasons.push(maxLength(15, "characters"));
	if (!/^[-a-z0-9]+$/.test(value))
		reasons.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
	if (!/[a-z]/.test(value)) reasons.push("must contain at least one letter (a-z)");
	if (value.includes("--")) reasons.push("must not contain consecutive hyphens");
	if (value !== "" && (value.startsWith("-") || value.endsWith("-"))) {
		reasons.push("must not begin or end with a hyphen");
	}
	return reasons;
}

export const portProblems = (port: number): string[] =>
	port >= 1 && port <= 65535 ? [] : ["must be between 1 and 65535, inclusive"];

/** All annotations of an object together may take this many bytes. */
export const maxAnnotationsBytes = 256 * 1024;

/** The name that generateName would give, for checking the prefix alone: a trailing dash is allowed there. */
export const maskTrailingDash = (name: string): string =>
	name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name;
