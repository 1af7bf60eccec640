// The extension for tasks (io.modelcontextprotocol/tasks), which the SDK leaves to its users: tools that answer with a
// task, and the methods by which it is followed, fed and given up.

import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  MissingRequiredClientCapabilityError,
  ProtocolError,
} from "@modelcontextprotocol/server";
import { z } from "zod";

import { text } from "./content.mjs";

const EXTENSION = "io.modelcontextprotocol/tasks";
const TTL = 600_000;

const tasks = new Map();

class Task {
  #given = new Map();
  #waiting = new Map();
  #settled = false;
  #ended;

  constructor(run) {
    this.about = { taskId: crypto.randomUUID(), status: "working", createdAt: new Date().toISOString(), ttlMs: TTL };
    this.about.pollIntervalMs = 200;
    this.#touch();
    const given = new Promise((ended) => (this.#ended = ended));
    tasks.set(this.about.taskId, this);
    Promise.race([run(this), given]).then(
      (result) => this.#settle("completed", { result: { resultType: "complete", ...result } }),
      (error) => this.#settle("failed", { error: { code: error.code ?? -32603, message: error.message } }),
    );
    setTimeout(() => tasks.delete(this.about.taskId), TTL).unref();
  }

  /** Asks the client, and goes on when it has answered. */
  asks(key, message) {
    const requestedSchema = { type: "object", properties: { confirm: { type: "boolean" } }, required: ["confirm"] };
    this.#waiting.set(key, { method: "elicitation/create", params: { mode: "form", message, requestedSchema } });
    this.#goOn("input_required");
    return new Promise((answered) => this.#given.set(key, answered));
  }

  /** Takes what the client answers, and nothing that was not asked. */
  takes(responses) {
    for (const [key, response] of Object.entries(responses)) {
      if (!this.#waiting.delete(key)) continue;
      this.#given.get(key)(response);
    }
    if (this.#waiting.size === 0) this.#goOn("working");
  }

  cancel() {
    this.#settle("cancelled", {});
    this.#ended({});
  }

  detailed() {
    const inputRequests = Object.fromEntries(this.#waiting);
    return { ...this.about, ...(this.about.status === "input_required" && { inputRequests }) };
  }

  #goOn(status) {
    if (this.#settled) return;
    this.about.status = status;
    this.#touch();
  }

  #settle(status, how) {
    if (this.#settled) return;
    this.#goOn(status);
    Object.assign(this.about, how);
    this.#settled = true;
  }

  #touch() {
    this.about.lastUpdatedAt = new Date().toISOString();
  }
}

const knowsTasks = ({ mcpReq }) =>
  mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY]?.extensions?.[EXTENSION] !== undefined;

function mustKnowTasks(context) {
  if (knowsTasks(context)) return;
  const requiredCapabilities = { extensions: { [EXTENSION]: {} } };
  throw new MissingRequiredClientCapabilityError({ requiredCapabilities }, `${EXTENSION} is needed`);
}

function begun(run) {
  const { about } = new Task(run);
  return { ...about, resultType: "task" };
}

/** Tools that answer with a task only. */
const ONLY_AS_TASKS = ["failing_job", "protocol_error_job", "confirm_delete", "multi_input"];

/** Refuses calls of those by clients that know no tasks. Before any tool is there: what a tool throws is its answer. */
export function refuseWhoCannotFollow(plain) {
  const set = plain.setRequestHandler.bind(plain);
  plain.setRequestHandler = (method, ...rest) => {
    if (method !== "tools/call") return set(method, ...rest);
    const [call] = rest;
    return set(method, (request, context) => {
      if (ONLY_AS_TASKS.includes(request.params.name)) mustKnowTasks(context);
      return call(request, context);
    });
  };
}

export function addTasks(server, states) {
  addTools(server, states);
  const { server: plain } = server;
  plain.registerCapabilities({ extensions: { [EXTENSION]: {} } });
  const params = z.looseObject({ taskId: z.string() });
  const add = (method, answer) =>
    plain.setRequestHandler(method, { params, result: z.looseObject({}) }, async (given, context) => {
      mustKnowTasks(context);
      const task = tasks.get(given.taskId);
      if (task === undefined) throw new ProtocolError(-32602, `there is no task ${given.taskId}`);
      return answer(task, context.mcpReq.inputResponses ?? {}) ?? {};
    });
  add("tasks/get", (task) => task.detailed());
  add("tasks/update", (task, responses) => task.takes(responses));
  add("tasks/cancel", (task) => task.cancel());
}

function addTools(server, states) {
  const add = (name, inputSchema, run) =>
    server.registerTool(name, { description: name, inputSchema: z.object(inputSchema) }, run);
  const slept = (seconds) => new Promise((passed) => setTimeout(passed, seconds * 1000).unref());

  add("greet", { name: z.string() }, async ({ name }) => text(`Hello, ${name}!`));
  add("slow_compute", { seconds: z.number(), label: z.string().optional() }, async ({ seconds, label }, context) => {
    const run = () => slept(seconds).then(() => text(`computed ${label ?? "it"} in ${seconds} s`));
    return knowsTasks(context) ? begun(run) : run();
  });
  const onlyAsTask = (name, input, run) => add(name, input, async (given) => begun((task) => run(given, task)));
  onlyAsTask("failing_job", {}, () => slept(1).then(() => ({ ...text("the job failed"), isError: true })));
  onlyAsTask("protocol_error_job", {}, async () => {
    throw new ProtocolError(-32603, "the job could not be run");
  });
  onlyAsTask("confirm_delete", { filename: z.string() }, async ({ filename }, task) => {
    const answer = await task.asks("confirm", `Delete ${filename}?`);
    return text(answer.content?.confirm ? `deleted ${filename}` : `kept ${filename}`);
  });
  onlyAsTask("multi_input", {}, async (_given, task) => {
    await Promise.all([task.asks("first", "The first?"), task.asks("second", "The second?")]);
    return text("both were answered");
  });
  add("test_tool_with_task", {}, async (_given, context) => {
    const name = acceptedContent(context.mcpReq.inputResponses, "user_name")?.name;
    if (typeof name === "string") return begun(async () => text(`Hello, ${name}!`));
    const requestedSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    return inputRequired({
      inputRequests: { user_name: inputRequired.elicit({ message: "What is your name?", requestedSchema }) },
      requestState: await states.mint({ about: "a task" }),
    });
  });
}
