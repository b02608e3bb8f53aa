#!/usr/bin/env node
import * as nodeModule from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureInstalled, isCheckout, reexecuteIfOld } from "./launch.js";

ensureInstalled();
await reexecuteIfOld(fileURLToPath(import.meta.url), process.argv.slice(2));
delete process.env["BARQUE_REEXECUTED"];
nodeModule.enableCompileCache?.(
	isCheckout
		? path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "node_modules", ".cache", "compile")
		: undefined,
);
const { main } = await import(isCheckout ? "./main.ts" : "../dist/bin/main.js");
await main(process.argv.slice(2));
