// The official TypeScript client against the official "everything" server, with the example `mcp_proxy`
// in between: PROXY, and the TOKEN of an agent that may use `echo` and the long-running operation.

import assert from "node:assert/strict";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const { PROXY, TOKEN } = process.env;

// Whoever does not say who it is gets no further.
const stranger = await fetch(PROXY, {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
});
assert.equal(stranger.status, 401);
assert.match(stranger.headers.get("www-authenticate"), /^Bearer/);

const client = new Client({ name: "peer", version: "1" });
const headers = { Authorization: `Bearer ${TOKEN}` };
const transport = new StreamableHTTPClientTransport(new URL(PROXY), { requestInit: { headers } });
await client.connect(transport);
assert.ok(transport.sessionId, "the session of the server behind is ours");

const { tools } = await client.listTools();
const names = tools.map((tool) => tool.name);
assert.ok(names.includes("echo") && names.includes("get-env"), names.join(" "));

const call = (name, given, ...rest) => client.callTool({ name, arguments: given }, ...rest);
const text = (result) => result.content[0].text;

const echoed = await call("echo", { message: "größe 😀" });
assert.ok(!echoed.isError, text(echoed));
assert.equal(text(echoed), "Echo: größe 😀");

// The tool's own error is still its own.
const wrong = await call("echo", { message: 7 });
assert.equal(wrong.isError, true);
assert.equal(wrong._meta?.["agenttrust/denial"], undefined);

// No capability: the server never hears of it, so nothing of its environment comes back.
const denied = await call("get-env", {});
assert.equal(denied.isError, true);
assert.match(text(denied), /everything\/get-env/);
assert.equal(denied._meta["agenttrust/denial"].code, "ACTION_DENIED");
assert.ok(!text(denied).includes("PATH"), text(denied));

// Progress comes while the operation runs, not with its end.
const progress = [];
const started = Date.now();
const options = {
  onprogress: ({ progress: step }) => progress.push([step, Date.now() - started]),
};
const done = await call("trigger-long-running-operation", { duration: 2, steps: 4 }, undefined, options);
const took = Date.now() - started;
assert.ok(!done.isError, text(done));
assert.match(text(done), /completed/);
assert.deepEqual(progress.map(([step]) => step), [1, 2, 3, 4]);
assert.ok(took >= 1900, `it took ${took} ms`);
assert.ok(progress[0][1] < took - 1000, `the first step came at ${progress[0][1]} of ${took} ms`);

// A call that is given up is one that the server is told of, over the same proxy.
const givingUp = new AbortController();
const givenUp = call("trigger-long-running-operation", { duration: 60, steps: 60 }, undefined, {
  signal: givingUp.signal,
  onprogress: () => givingUp.abort("enough"),
});
await assert.rejects(givenUp, /enough/);

await transport.terminateSession();
await client.close();
console.log("all of it");
