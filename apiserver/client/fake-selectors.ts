/** Label and field selectors in their query form, for the fake. */

const setBased = /^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*$/;

function matchesTerm(term: string, labels: Readonly<Record<string, string>>): boolean {
	const set = setBased.exec(term);
	if (set !== null) {
		const value = labels[set[1] ?? ""];
		const inside = value !== undefined && (set[3] ?? "").split(",").some((v) => v.trim() === value);
		return set[2] === "in" ? inside : !inside;
	}
	const text = term.trim();
	if (text.startsWith("!")) return labels[text.slice(1)] === undefined;
	const comparison = /^([^!=]+)(==|=|!=)(.*)$/.exec(text);
	if (comparison === null) return labels[text] !== undefined;
	const equal = labels[(comparison[1] ?? "").trim()] === (comparison[3] ?? "").trim();
	return comparison[2] === "!=" ? !equal : equal;
}

/** `a=b,c!=d,e in (f,g),h,!i` */
export function matchesLabelSelector(selector: string, labels: Readonly<Record<string, string>>): boolean {
	if (selector.trim() === "") return true;
	return selector.split(/,(?![^(]*\))/).every((term) => matchesTerm(term, labels));
}

/** `metadata.name=x,spec.nodeName!=y`; an absent field is "". */
export function matchesFieldSelector(selector: string, object: object): boolean {
	if (selector === "") return true;
	return selector.split(",").every((term) => {
		const [, path = "", operator, wanted = ""] = /^([^!=]+)(==|=|!=)(.*)$/.exec(term) ?? [];
		let value: unknown = object;
		for (const part of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[part];
		return (String(value ?? "") === wanted) === (operator !== "!=");
	});
}
