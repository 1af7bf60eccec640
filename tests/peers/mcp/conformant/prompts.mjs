// Prompts, one of which asks before it answers.

import { acceptedContent, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";

import { PICTURE } from "./content.mjs";

const user = (content) => ({ role: "user", content });
const says = (text) => user({ type: "text", text });

export function addPrompts(server) {
  const add = (name, argsSchema, run) =>
    server.registerPrompt(name, { title: name, description: name, ...(argsSchema && { argsSchema }) }, run);

  add("test_simple_prompt", undefined, async () => ({ messages: [says("This is a simple prompt for testing.")] }));
  add("test_prompt_with_arguments", z.object({ arg1: z.string(), arg2: z.string() }), async ({ arg1, arg2 }) => ({
    messages: [says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  }));
  add("test_prompt_with_embedded_resource", z.object({ resourceUri: z.string() }), async ({ resourceUri }) => {
    const resource = { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." };
    return { messages: [user({ type: "resource", resource }), says("Please process the embedded resource above.")] };
  });
  add("test_prompt_with_image", undefined, async () => ({
    messages: [
      user({ type: "image", data: PICTURE, mimeType: "image/png" }),
      says("Please analyze the image above."),
    ],
  }));
  add("test_input_required_result_prompt", undefined, async ({ mcpReq }) => {
    const context = acceptedContent(mcpReq.inputResponses, "user_context")?.context;
    if (typeof context === "string") return { messages: [says(`Use the following context: ${context}`)] };
    const requestedSchema = { type: "object", properties: { context: { type: "string" } }, required: ["context"] };
    return inputRequired({
      inputRequests: { user_context: inputRequired.elicit({ message: "What context?", requestedSchema }) },
    });
  });
}
