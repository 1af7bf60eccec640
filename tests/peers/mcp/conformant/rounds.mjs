// Tools that ask in their answer and are called again with what was said, as the protocol has it from 2026-07-28 on.

import { acceptedContent, CLIENT_CAPABILITIES_META_KEY, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";

import { text } from "./content.mjs";

const asksFor = (message, name, type = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [name]: { type } }, required: [name] },
  });
const asksModel = (said) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: said } }], maxTokens: 50 });

export function addRounds(server, states) {
  const add = (name, description, run) =>
    server.registerTool(`test_${name}`, { description, inputSchema: z.object({}) }, (_given, { mcpReq }) => run(mcpReq));
  const accepted = ({ inputResponses }, key) => acceptedContent(inputResponses, key);
  const minted = (about) => states.mint({ ...about, once: crypto.randomUUID() });

  add("input_required_result_elicitation", "Asks a person for a name", async (request) => {
    const name = accepted(request, "user_name")?.name;
    if (typeof name === "string") return text(`Hello, ${name}!`);
    return inputRequired({ inputRequests: { user_name: asksFor("What is your name?", "name") } });
  });
  add("input_required_result_sampling", "Asks a model", async ({ inputResponses }) => {
    const answer = inputResponses?.capital_question;
    if (answer !== undefined) return text(`Sampling response: ${answer.content?.text}`);
    return inputRequired({ inputRequests: { capital_question: asksModel("What is the capital of France?") } });
  });
  add("input_required_result_list_roots", "Asks for the roots", async ({ inputResponses }) => {
    const roots = inputResponses?.client_roots?.roots;
    if (Array.isArray(roots)) return text(`${roots.length} roots: ${roots.map((root) => root.uri).join(", ")}`);
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  add("input_required_result_request_state", "Asks, with a state", async (request) => {
    if (accepted(request, "confirm") !== undefined && request.requestState() !== undefined) return text("state-ok");
    return inputRequired({
      inputRequests: { confirm: asksFor("Please confirm", "ok", "boolean") },
      requestState: await minted({ about: "state" }),
    });
  });
  add("input_required_result_tampered_state", "Asks, with a state that is its own", async (request) => {
    if (accepted(request, "confirm") !== undefined && request.requestState() !== undefined) return text("integrity-ok");
    return inputRequired({
      inputRequests: { confirm: asksFor("Please confirm", "ok", "boolean") },
      requestState: await minted({ about: "integrity" }),
    });
  });
  add("input_required_result_multiple_inputs", "Asks three at once", async (request) => {
    const { inputResponses } = request;
    const name = accepted(request, "user_name")?.name;
    const greeting = inputResponses?.greeting?.content?.text;
    const roots = inputResponses?.client_roots?.roots;
    if (name && greeting && Array.isArray(roots)) return text(`${greeting} ${name}, ${roots.length} roots`);
    return inputRequired({
      inputRequests: {
        user_name: asksFor("What is your name?", "name"),
        greeting: asksModel("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await minted({ about: "three" }),
    });
  });
  add("input_required_result_multi_round", "Asks twice", async (request) => {
    const { round = 0, name } = request.requestState() ?? {};
    if (round === 2) return text(`${name} likes ${accepted(request, "step2")?.color}`);
    const said = accepted(request, "step1")?.name;
    const [key, question, state] =
      round === 1
        ? ["step2", asksFor("What is your favourite colour?", "color"), { round: 2, name: said }]
        : ["step1", asksFor("What is your name?", "name"), { round: 1 }];
    return inputRequired({ inputRequests: { [key]: question }, requestState: await minted(state) });
  });
  add("input_required_result_capabilities", "Asks for what the client has only", async (request) => {
    if (request.inputResponses !== undefined) return text("asked for what it has");
    const has = request.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    const inputRequests = {
      ...(has.elicitation && { user_name: asksFor("What is your name?", "name") }),
      ...(has.sampling && { greeting: asksModel("Generate a greeting") }),
      ...(has.roots && { client_roots: inputRequired.listRoots() }),
    };
    return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text("it has nothing");
  });
  add("missing_capability", "Asks a model, whether or not the client has one", async ({ inputResponses }) => {
    if (inputResponses?.llm_answer !== undefined) return text("asked");
    return inputRequired({ inputRequests: { llm_answer: asksModel("Reply with: pong") } });
  });
}
