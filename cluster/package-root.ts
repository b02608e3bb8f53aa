/** The package's root folder, from cluster/ in a checkout and from dist/cluster/ when installed. */
import { existsSync } from "node:fs";
import path from "node:path";

const up = path.resolve(import.meta.dirname, "..");
export const packageRoot = existsSync(path.join(up, "package.json")) ? up : path.resolve(up, "..");
