// The official TypeScript SDK, 1.x, with every tool of the official "everything" server, and all that travels beside
// their results. MCP_URL says where, MCP_HEADERS what is sent along.

import assert from "node:assert/strict";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js";
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

import { CALLS, headers, said, target, until } from "./calls.mjs";

const capabilities = {
  sampling: { tools: {} },
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
  tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
};
const asked = { sampling: 0, form: 0, url: 0, roots: 0 };
const heard = { logs: [], updates: [] };

/** Answers at once, or with a task where the server asks for one, which is over at once. */
async function answered(request, extra, result) {
  if (!request.params.task) return result;
  const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 100 });
  await extra.taskStore.storeTaskResult(task.taskId, "completed", result);
  return { task: await extra.taskStore.getTask(task.taskId) };
}

/** A client that answers all that it is asked; with tasks of its own where it has somewhere to keep them. */
function made(options) {
  const client = new Client({ name: "sdk1", version: "1" }, options);
  client.setRequestHandler(CreateMessageRequestSchema, (request, extra) => {
    asked.sampling += 1;
    const content = { type: "text", text: "the model's answer" };
    return answered(request, extra, { role: "assistant", model: "none", content });
  });
  client.setRequestHandler(ElicitRequestSchema, (request, extra) => {
    if (request.params.mode === "url") {
      asked.url += 1;
      return { action: "accept" };
    }
    asked.form += 1;
    const choice = request.params.requestedSchema.properties.interpretation?.oneOf?.[0]?.const;
    const content = choice ? { interpretation: choice } : { name: "Ada", check: true, color: "blue" };
    return answered(request, extra, { action: "accept", content });
  });
  client.setRequestHandler(ListRootsRequestSchema, () => {
    asked.roots += 1;
    return { roots: [{ uri: "file:///srv/plans", name: "plans" }] };
  });
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.logs.push(params));
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.updates.push(params.uri));
  return client;
}

const kept = { taskStore: new InMemoryTaskStore(), taskMessageQueue: new InMemoryTaskMessageQueue() };
const client = made({ capabilities, ...kept });
const transport = new StreamableHTTPClientTransport(target, { requestInit: { headers } });
await client.connect(transport);
assert.ok(transport.sessionId);
assert.equal(transport.protocolVersion, "2025-11-25");

// The server looks at what the client can do, asks for its roots, and adds tools.
await until("the server asks for the roots", () => asked.roots > 0);
let names = [];
for (let asked = 0; asked < 200 && !names.includes("trigger-elicitation-request-async"); asked += 1) {
  names = (await client.listTools()).tools.map((tool) => tool.name);
}
const done = new Set();
const call = (name, given, ...rest) => {
  assert.ok(names.includes(name), `${name} is not among ${names.join(" ")}`);
  done.add(name);
  return client.callTool({ name, arguments: given }, ...rest);
};

for (const [name, given, expected] of CALLS) {
  const result = await call(name, given);
  assert.ok(!result.isError, `${name}: ${said(result)}`);
  assert.match(said(result), expected, name);
}
assert.equal((await call("get-structured-content", { location: "Chicago" })).structuredContent.conditions, "Light rain / drizzle");

// The tool's own error is still its own.
const wrong = await call("echo", { message: 7 });
assert.equal(wrong.isError, true);
assert.equal(wrong._meta?.["agenttrust/denial"], undefined);

// Progress comes while the operation runs.
const steps = [];
const began = Date.now();
const onprogress = ({ progress }) => void steps.push([progress, Date.now() - began]);
const slow = await call("trigger-long-running-operation", { duration: 2, steps: 4 }, undefined, { onprogress });
assert.match(said(slow), /completed/);
assert.deepEqual(steps.map(([step]) => step), [1, 2, 3, 4]);
assert.ok(steps[0][1] < Date.now() - began - 1000, `the first step came after ${steps[0][1]} ms`);

// What is given up is given up.
const givingUp = new AbortController();
const givenUp = call("trigger-long-running-operation", { duration: 60, steps: 600 }, undefined, {
  signal: givingUp.signal,
  onprogress: () => givingUp.abort("enough"),
});
await assert.rejects(givenUp, /enough/);

// What the server asks while a tool runs.
assert.match(said(await call("get-roots-list", {})), /file:\/\/\/srv\/plans/);
assert.match(said(await call("trigger-sampling-request", { prompt: "?", maxTokens: 5 })), /the model's answer/);
assert.match(said(await call("trigger-elicitation-request", {})), /Ada/);
assert.match(said(await call("trigger-url-elicitation", { url: "https://example.com/" })), /completed the URL elicitation/);
const refused = call("trigger-url-elicitation", { url: "https://example.com/x", errorPath: true });
await assert.rejects(refused, (error) => error.code === -32042 && error.data.elicitations.length === 1);
assert.match(said(await call("trigger-sampling-request-async", { prompt: "?", maxTokens: 5 })), /COMPLETED/);
assert.match(said(await call("trigger-elicitation-request-async", {})), /COMPLETED/i);
// At least as often: a stream that was taken up again after what was given up asks once more what it asked before.
assert.ok(asked.sampling >= 2 && asked.form >= 2 && asked.url >= 1, JSON.stringify(asked));

// A task of the server's, which asks for more while it runs. Of a client that keeps no tasks: one that does looks for
// the server's among its own, and refuses.
const { tasks: _, ...without } = capabilities;
const other = made({ capabilities: without });
const toOther = new StreamableHTTPClientTransport(target, { requestInit: { headers } });
await other.connect(toOther);
done.add("simulate-research-query");
const seen = [];
const before = asked.form;
const research = { name: "simulate-research-query", arguments: { topic: "python", ambiguous: true } };
for await (const message of other.experimental.tasks.callToolStream(research, CallToolResultSchema, { task: { ttl: 60_000 } })) {
  seen.push(message.type === "taskStatus" ? message.task.status : message.type);
  if (message.type === "error") throw message.error;
  if (message.type === "result") assert.match(said(message.result), /Research Report: python \(programming\)/);
}
assert.ok(seen[0] === "taskCreated" && seen.at(-1) === "result", seen.join(" "));
assert.ok(asked.form > before, "the task asked for what was ambiguous");
const known = await other.experimental.tasks.listTasks();
assert.ok(known.tasks.length >= 1);
await toOther.terminateSession();
await other.close();

// What nobody asked for, on the stream that is open for it.
await client.setLoggingLevel("debug");
const uri = "demo://resource/dynamic/text/1";
await client.subscribeResource({ uri });
await call("toggle-subscriber-updates", {});
await call("toggle-simulated-logging", {});
await until("an update of the resource", () => heard.updates.includes(uri));
await until("a line of the log", () => heard.logs.length > 0);
await call("toggle-subscriber-updates", {});
await call("toggle-simulated-logging", {});
await client.unsubscribeResource({ uri });
const { contents } = await client.readResource({ uri });
assert.equal(contents[0].uri, uri);
const { messages } = await client.getPrompt({ name: "args-prompt", arguments: { city: "Oslo", state: "" } });
assert.match(messages[0].content.text, /Oslo/);

assert.deepEqual(names.filter((name) => !done.has(name)), [], "every tool was called");
await transport.terminateSession();
await client.close();
console.log("all of it");
process.exit(0);
