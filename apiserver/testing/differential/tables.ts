/** The differential tables by name. */
import { runLists } from "./lists.ts";
import { runOptions } from "./options.ts";
import type { TableServer } from "./server.ts";
import { runServices } from "./services.ts";

export type Table = (server: TableServer) => Promise<Record<string, string>>;

export const tables: Readonly<Record<string, Table>> = { lists: runLists, options: runOptions, services: runServices };
