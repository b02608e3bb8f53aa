/** Trimming in one pass: `/x+$/` looks for the end anew from every x of a text, which is quadratic in a text of them. */

/** Without the `char`s at its end. */
export function trimEndOf(text: string, char: string): string {
	let end = text.length;
	while (end > 0 && text[end - 1] === char) end--;
	return text.slice(0, end);
}

/** Without the `char`s at both ends. */
export function trimOf(text: string, char: string): string {
	const trimmed = trimEndOf(text, char);
	let start = 0;
	while (trimmed[start] === char) start++;
	return trimmed.slice(start);
}
