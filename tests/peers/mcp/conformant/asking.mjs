// Tools that ask the client while they run, by a request of the server's, as the protocol has it up to 2025-11-25.

import { z } from "zod";

import { text } from "./content.mjs";

const strings = (...values) => ({ type: "string", enum: values });
const titled = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));

const DEFAULTS = {
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { ...strings("active", "inactive", "pending"), default: "active" },
  verified: { type: "boolean", default: true },
};

const CHOICES = {
  untitledSingle: strings("option1", "option2", "option3"),
  titledSingle: {
    type: "string",
    oneOf: titled(["value1", "First Option"], ["value2", "Second Option"], ["value3", "Third Option"]),
  },
  legacyEnum: { ...strings("opt1", "opt2", "opt3"), enumNames: ["Option One", "Option Two", "Option Three"] },
  untitledMulti: { type: "array", minItems: 1, maxItems: 3, items: strings("option1", "option2", "option3") },
  titledMulti: {
    type: "array",
    minItems: 1,
    maxItems: 3,
    items: { anyOf: titled(["value1", "First Choice"], ["value2", "Second Choice"], ["value3", "Third Choice"]) },
  },
};

export function addAskingTools(server) {
  const asked = async ({ mcpReq }, message, properties, required = []) => {
    const requestedSchema = { type: "object", properties, required };
    const answer = await mcpReq.send({ method: "elicitation/create", params: { message, requestedSchema } });
    return text(`action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
  };

  server.registerTool(
    "test_elicitation",
    { description: "Asks a person", inputSchema: z.object({ message: z.string() }) },
    (given, context) => asked(context, given.message, { response: { type: "string" } }, ["response"]),
  );
  server.registerTool(
    "test_elicitation_sep1034_defaults",
    { description: "Asks, with defaults", inputSchema: z.object({}) },
    (_given, context) => asked(context, "Please review the defaults", DEFAULTS),
  );
  server.registerTool(
    "test_elicitation_sep1330_enums",
    { description: "Asks, with choices", inputSchema: z.object({}) },
    (_given, context) => asked(context, "Please choose", CHOICES),
  );
  server.registerTool(
    "test_sampling",
    { description: "Asks a model", inputSchema: z.object({ prompt: z.string() }) },
    async (given, { mcpReq }) => {
      const messages = [{ role: "user", content: { type: "text", text: given.prompt } }];
      const answer = await mcpReq.send({ method: "sampling/createMessage", params: { messages, maxTokens: 100 } });
      return text(`LLM response: ${answer.content?.text ?? "none"}`);
    },
  );
}
