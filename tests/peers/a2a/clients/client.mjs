// The official JavaScript client of A2A with the agent of `tests/tests/python/a2a_target.py`, directly or behind a
// Guardian: `client.mjs 1.0|0.3 JSONRPC|HTTP+JSON`. A2A_URL is where its card is looked for, A2A_HEADERS what is sent
// along, and KEYS_URL, where there is one, has the keys that the card is signed with.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Role, TaskState, taskStateToJSON, verifyAgentCardSignature } from "@a2a-js/sdk";
import {
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from "@a2a-js/sdk/client";
import { A2AError } from "@a2a-js/sdk/errors";

const [version, binding] = process.argv.slice(2);
// A base without a slash at its end would lose its last part.
const base = `${process.env.A2A_URL}/`;
const added = JSON.parse(process.env.A2A_HEADERS ?? "{}");
const keysUrl = process.env.KEYS_URL;
const patience = 30_000;

/** Sends along what says who asks. */
function fetchImpl(url, init = {}) {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(added)) headers.set(name, value);
  return fetch(url, { ...init, headers });
}

const text = (value) => ({ content: { $case: "text", value }, metadata: undefined, filename: "", mediaType: "" });

/** What sends these parts, to begin a task or to continue this one. */
function asked(parts, { task, atOnce } = {}) {
  return {
    tenant: "",
    metadata: undefined,
    message: {
      messageId: randomUUID(),
      contextId: task?.contextId ?? "",
      taskId: task?.id ?? "",
      role: Role.ROLE_USER,
      parts: parts.map((part) => (typeof part === "string" ? text(part) : part)),
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: {
      acceptedOutputModes: [],
      taskPushNotificationConfig: undefined,
      historyLength: undefined,
      returnImmediately: atOnce ?? false,
    },
  };
}

const state = ({ status }) => taskStateToJSON(status.state).replace("TASK_STATE_", "");
const words = (parts) => parts.map(({ content }) => (content.$case === "text" ? content.value : "")).join("");

async function until(client, task, ...states) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const now = await client.getTask({ tenant: "", id: task.id });
    assert.equal(now.id, task.id);
    assert.ok(now.contextId);
    assert.equal(now.contextId, task.contextId);
    if (states.includes(state(now))) return now;
    await new Promise((passed) => setTimeout(passed, 50));
  }
  throw new Error(`${task.id} never was ${states}`);
}

async function refused(code, call) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof A2AError, String(error));
    assert.match(`${error.reason} ${error.name}`, code);
    return true;
  });
}

const resolver = new DefaultAgentCardResolver({ fetchImpl });
const card = await resolver.resolve(base);
if (keysUrl) {
  const { keys } = await (await fetch(keysUrl)).json();
  const known = async (kid) => keys.find((key) => key.kid === kid);
  // The card as it is served: of the form that the resolver gives it, what is verified has lost the security schemes.
  const served = await (await fetch(`${base}.well-known/agent-card.json`)).json();
  await verifyAgentCardSignature(known)(served);
  await assert.rejects(verifyAgentCardSignature(known)({ ...served, name: "another" }));
  console.log("the signature");
}
const offered = card.supportedInterfaces.filter((it) => it.protocolVersion === version && it.protocolBinding === binding);
assert.ok(offered.length, `the card offers no ${version} ${binding}`);

const how = { fetchImpl, legacyCompat: { enabled: version === "0.3" } };
const factory = new ClientFactory({
  transports: [new JsonRpcTransportFactory(how), new RestTransportFactory(how)],
  cardResolver: resolver,
});
const client = await factory.createFromAgentCard({ ...card, supportedInterfaces: offered });
assert.equal(client.protocolVersion, version);

/** What is done is done with what was sent, of every kind. */
async function answers() {
  const about = { metadata: undefined, filename: "", mediaType: "" };
  const data = { größe: [1, 2.5, null, { a: "😀" }] };
  const task = await client.sendMessage(
    asked([
      "echo größe 😀",
      { ...about, content: { $case: "data", value: data }, mediaType: "application/json" },
      { ...about, content: { $case: "raw", value: Buffer.from([0, 255]) }, filename: "raw.bin", mediaType: "application/octet-stream" },
      { ...about, content: { $case: "url", value: "https://example.com/x" }, mediaType: "text/plain" },
    ]),
  );
  const done = await until(client, task, "COMPLETED");
  const [{ name, parts }] = done.artifacts;
  assert.equal(name, "echo");
  assert.match(parts[0].content.value, /^größe 😀/);
  assert.deepEqual(parts[2].content.value, data);
  assert.deepEqual([...parts[3].content.value], [0, 255]);
  assert.equal(parts[3].filename, "raw.bin");
  assert.equal(parts[4].content.value, "https://example.com/x");
  const failed = await until(client, await client.sendMessage(asked(["fail no luck"])), "FAILED");
  assert.equal(words(failed.status.message.parts), "no luck");
}

/** A task that wants to know more is continued, and one that is over is not. */
async function turns() {
  const task = await until(client, await client.sendMessage(asked(["ask"])), "INPUT_REQUIRED");
  const again = await client.sendMessage(asked(["the red one"], { task }));
  assert.equal(again.id, task.id);
  const done = await until(client, task, "COMPLETED");
  assert.equal(words(done.artifacts[0].parts), "you said the red one");
  await refused(/UNSUPPORTED|INVALID|Unsupported|Malformed/i, client.sendMessage(asked(["and another"], { task: done })));
}

async function cancels() {
  const task = await until(client, await client.sendMessage(asked(["wait"], { atOnce: true })), "WORKING");
  const canceled = await client.cancelTask({ tenant: "", id: task.id, metadata: undefined });
  assert.equal(canceled.id, task.id);
  await until(client, task, "CANCELED");
  await refused(/NOT_?CANCELABLE/i, client.cancelTask({ tenant: "", id: task.id, metadata: undefined }));
}

async function unknown() {
  await refused(/NOT_?FOUND/i, client.getTask({ tenant: "", id: "nothing" }));
  await refused(/NOT_?FOUND/i, client.sendMessage(asked(["echo"], { task: { id: "nothing" } })));
}

/** Chunks come one by one, all of them, and then the end. */
async function streams() {
  const chunks = [];
  const states = [];
  const ids = new Set();
  for await (const { payload } of client.sendMessageStream(asked(["count 3"]))) {
    ids.add(payload.value.taskId ?? payload.value.id);
    if (payload.$case === "artifactUpdate") chunks.push([words(payload.value.artifact.parts), Date.now()]);
    else states.push(state(payload.value));
  }
  assert.deepEqual(chunks.map(([chunk]) => chunk), ["0 ", "1 ", "2 "]);
  assert.ok(chunks[2][1] - chunks[0][1] > 100, "they came all at once");
  assert.equal(states.at(-1), "COMPLETED");
  assert.equal(ids.size, 1, [...ids].join(" "));
}

/** A stream that is taken up again goes on until the task is over. */
async function subscribes() {
  const task = await until(client, await client.sendMessage(asked(["sleep 2"], { atOnce: true })), "WORKING");
  const states = [];
  for await (const { payload } of client.resubscribeTask({ tenant: "", id: task.id })) {
    if (payload.$case !== "artifactUpdate") states.push(state(payload.value));
  }
  assert.equal(states.at(-1), "COMPLETED");
}

async function lists() {
  const task = await until(client, await client.sendMessage(asked(["echo listed"])), "COMPLETED");
  const request = { tenant: "", contextId: task.contextId, status: TaskState.TASK_STATE_UNSPECIFIED, pageToken: "" };
  const listed = await client.listTasks(request);
  assert.deepEqual(listed.tasks.map(({ id }) => id), [task.id]);
}

const parts = [answers, turns, cancels, unknown, streams, subscribes];
if (version === "1.0") parts.push(lists);
for (const part of parts) {
  await part();
  console.log(part.name);
}
console.log("all of it");
process.exit(0);
