/** Static tokens (`--token-auth-file`): lines of `token,user,uid,"group1,group2"`. */
import { digest, type TokenAuthenticator, type UserInfo, userInfo } from "./types.ts";

/** One CSV line's fields: blanks around are cut, double quotes enclose commas and doubled quotes. */
function csvFields(line: string): string[] {
	const fields: string[] = [];
	let field = "";
	let quoted = false;
	for (let i = 0; i < line.length; i++) {
		const c = line[i] ?? "";
		if (quoted) {
			if (c !== '"') field += c;
			else if (line[i + 1] === '"') field += line[++i];
			else quoted = false;
		} else if (c === '"' && field.trim() === "") {
			quoted = true;
			field = "";
		} else if (c === ",") {
			fields.push(field.trim());
			field = "";
		} else {
			field += c;
		}
	}
	fields.push(field.trim());
	return fields;
}

/** Users by the digest of their token. Throws Error with the line for a record that has too few columns; never shows a token. */
export function parseTokenFile(text: string, fileName: string): ReadonlyMap<string, UserInfo> {
	const users = new Map<string, UserInfo>();
	text.split(/\r?\n/).forEach((line, i) => {
		if (line.trim() === "") return;
		const [token = "", name, uid, groups = "", ...rest] = csvFields(line);
		if (name === undefined || uid === undefined) {
			const found = line.trim() === "" ? 0 : csvFields(line).length;
			throw new Error(
				`token file '${fileName}' must have at least 3 columns (token, user name, user uid), found ${found} in line ${i + 1}`,
			);
		}
		if (rest.length > 0) throw new Error(`token file '${fileName}' has more than 4 columns in line ${i + 1}`);
		if (token === "") throw new Error(`token file '${fileName}' has an empty token in line ${i + 1}`);
		users.set(
			digest(token),
			userInfo(
				name,
				groups
					.split(",")
					.map((g) => g.trim())
					.filter((g) => g !== ""),
				uid,
			),
		);
	});
	return users;
}

/** Looks tokens up by digest, so that neither memory nor timing tells of them. */
export function tokenFileAuthenticator(users: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
	return {
		authenticateToken(token) {
			const user = users.get(digest(token));
			return Promise.resolve(user === undefined ? undefined : { user });
		},
	};
}
