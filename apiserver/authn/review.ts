/** TokenReview: another component asks whose token it was given. */
import { badRequest } from "../machinery/errors.ts";
import type { TokenReview, TokenReviewStatus } from "../scheme/types.gen.ts";
import { AuthenticationError, type TokenAuthenticator, type UserInfo } from "./types.ts";

/** The user as API objects show it; empty parts are left out. */
export function userStatus(user: UserInfo) {
	const extra = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]));
	return {
		...(user.username === "" ? {} : { username: user.username }),
		...(user.uid === "" ? {} : { uid: user.uid }),
		...(user.groups.length === 0 ? {} : { groups: [...user.groups] }),
		...(Object.keys(extra).length === 0 ? {} : { extra }),
	};
}

/** The review with its status. A bad token is an answer; only a review without token is an error (400). */
export async function reviewToken(
	review: TokenReview,
	authenticator: TokenAuthenticator,
	apiAudiences: readonly string[],
): Promise<TokenReview> {
	const token = review.spec?.token ?? "";
	if (token === "") throw badRequest("token is required for TokenReview in authentication");
	const asked = review.spec?.audiences ?? [];
	const status = await statusOf(token, asked.length === 0 ? apiAudiences : asked, authenticator, asked.length > 0);
	return { ...review, status };
}

async function statusOf(
	token: string,
	audiences: readonly string[],
	authenticator: TokenAuthenticator,
	askedForAudiences: boolean,
): Promise<TokenReviewStatus> {
	try {
		const found = await authenticator.authenticateToken(token, audiences);
		if (found === undefined) return { user: {} };
		const granted = found.audiences ?? audiences;
		return {
			authenticated: true,
			user: userStatus(found.user),
			...(askedForAudiences || found.audiences !== undefined ? { audiences: [...granted] } : {}),
		};
	} catch (error) {
		if (error instanceof AuthenticationError) return { user: {}, error: error.message };
		throw error;
	}
}
