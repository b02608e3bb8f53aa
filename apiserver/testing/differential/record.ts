/**
 * Records what upstream's kube-apiserver answers to the differential tables:
 * `node record.ts https://HOST:PORT TOKEN http://ETCD TABLE > fixtures/TABLE.json`. The server must be fresh, its certificate is not checked.
 */

import { remoteServer } from "./server.ts";
import { tables } from "./tables.ts";

process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
const [base = "", token = "", etcd = "", table = ""] = process.argv.slice(2);
const run = tables[table];
if (run === undefined) throw new Error(`no table ${table}; there are ${Object.keys(tables).join(", ")}`);
process.stdout.write(`${JSON.stringify(await run(remoteServer(base, token, etcd)), undefined, "\t")}\n`);
