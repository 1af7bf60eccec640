// The official TypeScript client against the example `mcp_rmcp_server`, over the transport that the
// arguments name: `http URL`, or `stdio COMMAND ARGUMENT...`, which it starts itself.
//
// A second program, the operator, approves over the Guardian's own HTTP: GUARDIAN_URL, OPERATOR_KEY.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, target, ...args] = process.argv.slice(2);
const { FOLDER, GUARDIAN_URL, OPERATOR_KEY, ...env } = process.env;

const transport =
  kind === "http"
    ? new StreamableHTTPClientTransport(new URL(target))
    : new StdioClientTransport({ command: target, args, env, stderr: "inherit" });
const client = new Client({ name: "peer", version: "1" });
await client.connect(transport);

const call = (name, given) => client.callTool({ name, arguments: given });
const text = (result) => result.content[0].text;
const lies = (name) => existsSync(join(FOLDER, name));

async function decide(approval, decision) {
  const answer = await fetch(`${GUARDIAN_URL}/mcp/approvals/${approval}/${decision}`, {
    method: "POST",
    headers: { "X-API-Key": OPERATOR_KEY, "Content-Type": "application/json" },
    body: JSON.stringify({ decided_by: "the operator of the test" }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

const { tools } = await client.listTools();
assert.deepEqual(tools.map((tool) => tool.name).sort(), ["delete", "list", "read", "write"]);
const read = tools.find((tool) => tool.name === "read");
assert.equal(read.annotations.readOnlyHint, true);

const plan = await call("read", { name: "plan.md" });
assert.ok(!plan.isError, text(plan));
assert.match(text(plan), /order shelves/);

const written = await call("write", { name: "new.md", text: "new" });
assert.ok(!written.isError && lies("new.md"), text(written));

// The tool's own errors are still its own.
const missing = await call("read", { name: "../plan.md" });
assert.equal(missing.isError, true);
assert.match(text(missing), /not the plain name of a file/);

const held = await call("delete", { name: "draft.md" });
assert.equal(held.isError, true);
const denial = held._meta["agenttrust/denial"];
assert.equal(denial.code, "ELEVATION_REQUIRED");
assert.match(denial.approval_id, /^apr_/);
assert.ok(text(held).includes(denial.approval_id), text(held));
assert.ok(lies("draft.md"), "the tool ran before anybody approved it");

// The same call is the same approval, another one is another.
const again = await call("delete", { name: "draft.md" });
assert.equal(again._meta["agenttrust/denial"].approval_id, denial.approval_id);
const other = await call("delete", { name: "plan.md" });
const others = other._meta["agenttrust/denial"].approval_id;
assert.notEqual(others, denial.approval_id);

await decide(denial.approval_id, "approve");
const notForThis = await call("delete", { name: "plan.md" });
assert.ok(notForThis.isError && lies("plan.md"), "an approval served another file");
const gone = await call("delete", { name: "draft.md" });
assert.ok(!gone.isError, text(gone));
assert.ok(!lies("draft.md"), "it says that it ran, and did not");

await decide(others, "deny");
const denied = await call("delete", { name: "plan.md" });
assert.equal(denied.isError, true);
assert.equal(denied._meta["agenttrust/denial"].code, "ACTION_DENIED");
assert.ok(lies("plan.md"));

await client.close();
console.log("all of it");
