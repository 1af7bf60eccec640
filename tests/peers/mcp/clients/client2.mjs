// The official TypeScript client, 2.x: `node client2.mjs legacy` with the "everything" server, by the protocol up to
// 2025-11-25, and `node client2.mjs modern` with `conformant`, by 2026-07-28.

import assert from "node:assert/strict";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";

import { CALLS, headers, said, target, until } from "./calls.mjs";

const [mode] = process.argv.slice(2);
const asked = [];
const logs = [];

async function connected(options = {}) {
  const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} };
  const versionNegotiation = { mode: mode === "modern" ? "auto" : "legacy" };
  const client = new Client({ name: "client2", version: "1" }, { capabilities, versionNegotiation, ...options });
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    asked.push("elicitation");
    const [name] = Object.keys(params.requestedSchema?.properties ?? { name: 0 });
    const isYesOrNo = params.requestedSchema?.properties[name]?.type === "boolean";
    return { action: "accept", content: { [name]: isYesOrNo ? true : "Ada" } };
  });
  client.setRequestHandler("sampling/createMessage", async () => {
    asked.push("sampling");
    return { role: "assistant", model: "none", content: { type: "text", text: "Paris" } };
  });
  client.setRequestHandler("roots/list", async () => {
    asked.push("roots");
    return { roots: [{ uri: "file:///srv/plans", name: "plans" }] };
  });
  client.setNotificationHandler("notifications/message", ({ params }) => void logs.push(params));
  const transport = new StreamableHTTPClientTransport(target, { requestInit: { headers } });
  await client.connect(transport);
  return [client, transport];
}

/** Progress and giving up, by a tool that takes its time. */
async function slowly(client, name, given, count) {
  const steps = [];
  const result = await client.callTool({ name, arguments: given }, { onprogress: ({ progress }) => void steps.push(progress) });
  assert.equal(steps.length, count, `${steps}`);
  return result;
}

async function legacy() {
  const [client, transport] = await connected();
  assert.ok(transport.sessionId);
  assert.equal(client.getNegotiatedProtocolVersion(), "2025-11-25");
  const { tools } = await client.listTools();
  assert.ok(tools.length >= 12);
  const call = (name, given, options) => client.callTool({ name, arguments: given }, options);
  for (const [name, given, expected] of CALLS) {
    const result = await call(name, given);
    assert.ok(!result.isError, `${name}: ${said(result)}`);
    assert.match(said(result), expected, name);
  }
  await slowly(client, "trigger-long-running-operation", { duration: 1, steps: 3 }, 3);
  const givingUp = new AbortController();
  const options = { signal: givingUp.signal, onprogress: () => givingUp.abort("enough") };
  await assert.rejects(call("trigger-long-running-operation", { duration: 60, steps: 600 }, options), /enough/);
  assert.match(said(await call("trigger-sampling-request", { prompt: "?", maxTokens: 5 })), /Paris/);
  assert.match(said(await call("trigger-elicitation-request", {})), /Ada/);
  assert.match(said(await call("trigger-url-elicitation", { url: "https://example.com/" })), /completed the URL/);
  assert.match(said(await call("get-roots-list", {})), /plans/);
  await transport.terminateSession();
  await client.close();
}

const TASKS = "io.modelcontextprotocol/tasks";

/** What a tool comes to that answers with a task, for which the client itself has no words yet. */
async function followed(client, name, given) {
  const request = (method, params) => client.request({ method, params }, z.looseObject({}));
  const own = { "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} }, extensions: { [TASKS]: {} } } };
  const created = await fetchedTask(name, given, own);
  const { taskId } = created;
  assert.equal(created.resultType, "task", JSON.stringify(created));
  const about = { taskId, _meta: own };
  let task;
  do {
    task = await request("tasks/get", about);
    if (task.status === "input_required") {
      const keys = Object.keys(task.inputRequests);
      const inputResponses = Object.fromEntries(keys.map((key) => [key, { action: "accept", content: { confirm: true } }]));
      await request("tasks/update", { ...about, inputResponses });
    }
    await new Promise((passed) => setTimeout(passed, 50));
  } while (task.status === "working" || task.status === "input_required");
  return task;
}

/** A call as plain HTTP: the client takes no result of a kind that it does not know. */
async function fetchedTask(name, given, own) {
  const version = "2026-07-28";
  const _meta = { "io.modelcontextprotocol/protocolVersion": version, ...own };
  const params = { name, arguments: given, _meta };
  const answer = await fetch(target, {
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": version,
      "mcp-method": "tools/call",
      "mcp-name": name,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
  });
  const text = await answer.text();
  const line = text.split("\n").find((line) => line.startsWith("data: {")) ?? `data: ${text}`;
  return JSON.parse(line.slice(6)).result;
}

async function modern() {
  const [client] = await connected();
  assert.equal(client.getNegotiatedProtocolVersion(), "2026-07-28");
  const { tools } = await client.listTools();
  const done = new Set();
  const call = (name, given = {}, options) => {
    done.add(name);
    return client.callTool({ name, arguments: given }, options);
  };
  const expected = [
    ["test_simple_text", {}, /simple text/],
    ["test_image_content", {}, /image\/png/],
    ["test_audio_content", {}, /audio\/wav/],
    ["test_embedded_resource", {}, /embedded resource/],
    ["test_multiple_content_types", {}, /mixed-content/],
    ["test_tool_with_logging", {}, /logging/],
    ["test_logging_tool", {}, /logged/],
    ["test_streaming_elicitation", {}, /nothing was asked/],
    ["test_x_mcp_header", { region: "größe ", level: 3 }, /region=größe /],
    ["json_schema_2020_12_tool", { email: "a@b", contactMethod: "email" }, /a@b/],
    ["greet", { name: "Ada" }, /Hello, Ada!/],
    ["slow_compute", { seconds: 0 }, /computed/],
    ["test_input_required_result_elicitation", {}, /Hello, Ada!/],
    ["test_input_required_result_sampling", {}, /Paris/],
    ["test_input_required_result_list_roots", {}, /plans/],
    ["test_input_required_result_request_state", {}, /state-ok/],
    ["test_input_required_result_tampered_state", {}, /integrity-ok/],
    ["test_input_required_result_multiple_inputs", {}, /Paris Ada, 1 roots/],
    ["test_input_required_result_multi_round", {}, /Ada likes Ada/],
    ["test_input_required_result_capabilities", {}, /asked for what it has/],
    ["test_missing_capability", {}, /asked/],
  ];
  for (const [name, given, text] of expected) {
    const result = await call(name, given);
    assert.ok(!result.isError, `${name}: ${said(result)}`);
    assert.match(said(result), text, name);
  }
  for (const kind of ["elicitation", "sampling", "roots"]) assert.ok(asked.includes(kind), kind);
  assert.equal((await call("test_error_handling")).isError, true);
  await slowly(client, "test_tool_with_progress", {}, 3);
  done.add("test_tool_with_progress");
  const givingUp = new AbortController();
  const givenUp = call("slow_compute", { seconds: 60 }, { signal: givingUp.signal });
  setTimeout(() => givingUp.abort("enough"), 300);
  await assert.rejects(givenUp, /enough/);

  // What changes there is heard of here, as long as the stream is open.
  let lists = 0;
  client.setNotificationHandler("notifications/tools/list_changed", () => void (lists += 1));
  const listening = await client.listen({ toolsListChanged: true });
  await call("test_trigger_tool_change");
  await until("the tools are said to be others", () => lists > 0);
  await call("test_trigger_prompt_change");
  await listening.close();

  const completed = await followed(client, "slow_compute", { seconds: 1 });
  assert.match(said(completed.result), /computed/);
  assert.match(said((await followed(client, "confirm_delete", { filename: "a" })).result), /deleted a/);
  assert.match(said((await followed(client, "multi_input", {})).result), /both/);
  assert.equal((await followed(client, "failing_job", {})).result.isError, true);
  assert.equal((await followed(client, "protocol_error_job", {})).error.code, -32603);
  for (const name of ["confirm_delete", "multi_input", "failing_job", "protocol_error_job"]) done.add(name);

  const { contents } = await client.readResource({ uri: "test://template/7/data" });
  assert.match(contents[0].text, /Data for ID: 7/);
  const { messages } = await client.getPrompt({ name: "test_input_required_result_prompt" });
  assert.match(messages[0].content.text, /Ada/);
  // These ask by requests of the server's, which there are none of in this version, or need a task.
  const others = /^test_(sampling|elicitation|reconnection|tool_with_task)/;
  const left = tools.map((tool) => tool.name).filter((name) => !done.has(name) && !others.test(name));
  assert.deepEqual(left, [], "every tool was called");
  await client.close();
}

await (mode === "modern" ? modern() : legacy());
console.log("all of it");
process.exit(0);
