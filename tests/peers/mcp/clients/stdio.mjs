// The official TypeScript SDK with the "everything" server over stdio: `node stdio.mjs COMMAND ARGUMENT...`, which it
// starts as a desktop or coding agent would.

import assert from "node:assert/strict";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { CALLS, said } from "./calls.mjs";

const [command, ...args] = process.argv.slice(2);
const env = { ...process.env, AS_IF_SECRET: "yes" };
const transport = new StdioClientTransport({ command, args, env, stderr: "inherit" });
const client = new Client({ name: "stdio", version: "1" }, { capabilities: { elicitation: { form: {} } } });
client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
await client.connect(transport);

const { tools } = await client.listTools();
assert.ok(tools.some((tool) => tool.name === "echo"));
const call = (name, given, ...rest) => client.callTool({ name, arguments: given }, ...rest);
for (const [name, given, expected] of CALLS) {
  const result = await call(name, given);
  assert.ok(!result.isError, `${name}: ${said(result)}`);
  assert.match(said(result), expected, name);
}

const steps = [];
const onprogress = ({ progress }) => void steps.push(progress);
const slow = await call("trigger-long-running-operation", { duration: 1, steps: 3 }, undefined, { onprogress });
assert.match(said(slow), /completed/);
// The last one may be read together with the answer, after which the client listens no more.
assert.deepEqual(steps.slice(0, 2), [1, 2]);
assert.match(said(await call("trigger-elicitation-request", {})), /Ada/);
const missing = await call("launch", {}).catch((error) => ({ isError: error.code === -32602 }));
assert.ok(missing.isError, "a tool that is not there ran");

await client.close();
console.log("all of it");
process.exit(0);
