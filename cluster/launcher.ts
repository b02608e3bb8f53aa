/** The `barque` launcher's path: it finds a new enough Node and the sources or the emitted JavaScript by itself. */
import path from "node:path";
import { packageRoot } from "./package-root.ts";

export const launcher = path.join(packageRoot, "bin", "barque.js");
