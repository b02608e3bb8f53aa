/** What a path shows of an object, and how what is written there comes back into it. */
import type { KindName } from "../scheme/codec/codec.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Message } from "../scheme/schema.ts";

export interface Shape {
	readonly kind: KindName;
	readonly message: Message;
	/** The object itself, or what the subresource shows of it. May share parts with it. */
	show(object: KubeObject): KubeObject;
	/** The object with what was written at the path in it; `old` is not changed. */
	absorb(shown: KubeObject, old: KubeObject): KubeObject;
	/** The path shows the object itself. */
	readonly whole: boolean;
}
