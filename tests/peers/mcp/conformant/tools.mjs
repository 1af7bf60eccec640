// Tools that answer at once, each under the name that the kit calls.

import { fromJsonSchema } from "@modelcontextprotocol/server";
import { z } from "zod";

import { PICTURE, SOUND, text } from "./content.mjs";

const pause = (milliseconds) => new Promise((passed) => setTimeout(passed, milliseconds));
const nothing = z.object({});

export function addTools(server, sessions, modern) {
  addContents(server);
  addSchemas(server);
  const add = (name, description, run) => server.registerTool(name, { description, inputSchema: nothing }, run);

  add("test_tool_with_logging", "Logs three times", async (_given, { mcpReq }) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await mcpReq.notify({ method: "notifications/message", params: { level: "info", data } });
      await pause(50);
    }
    return text("Tool with logging executed successfully");
  });
  add("test_logging_tool", "Logs where the request says a level", async (_given, { mcpReq }) => {
    await mcpReq.log("info", "logged");
    return text("logged, where a level was asked for");
  });
  add("test_tool_with_progress", "Tells its progress where that is asked for", async (_given, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      const params = { progressToken, progress, total: 100, message: `step ${progress} of 100` };
      await mcpReq.notify({ method: "notifications/progress", params });
      await pause(50);
    }
    return text(String(progressToken ?? "no progress token"));
  });
  add("test_reconnection", "Ends its stream, and answers the client that comes back", async (_given, context) => {
    sessions.closeStream(context.sessionId, context.mcpReq.id);
    await pause(100);
    return text("Reconnection test completed successfully");
  });
  add("test_streaming_elicitation", "Answers, and asks nothing", async () => text("nothing was asked"));
  add("test_trigger_tool_change", "Says that the tools are others", async () => {
    modern.notify.toolsChanged();
    return text("said that the tools changed");
  });
  add("test_trigger_prompt_change", "Says that the prompts are others", async () => {
    modern.notify.promptsChanged();
    return text("said that the prompts changed");
  });
}

function addContents(server) {
  const add = (name, description, content) =>
    server.registerTool(name, { description }, async () => ({ content }));
  const resource = (uri, mimeType, said) => ({ type: "resource", resource: { uri, mimeType, text: said } });
  const picture = { type: "image", data: PICTURE, mimeType: "image/png" };

  add("test_simple_text", "A text", [{ type: "text", text: "This is a simple text response for testing." }]);
  add("test_image_content", "A picture", [picture]);
  add("test_audio_content", "A sound", [{ type: "audio", data: SOUND, mimeType: "audio/wav" }]);
  add("test_embedded_resource", "A resource", [
    resource("test://embedded-resource", "text/plain", "This is an embedded resource content."),
  ]);
  add("test_multiple_content_types", "A text, a picture and a resource", [
    { type: "text", text: "Multiple content types test:" },
    picture,
    resource("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 })),
  ]);
  server.registerTool("test_error_handling", { description: "Fails" }, async () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
}

/** Schemas as they are written here: what a library would make of them lacks what they are about. */
function addSchemas(server) {
  const region = { type: "string", "x-mcp-header": "Region" };
  server.registerTool(
    "test_x_mcp_header",
    {
      description: "An argument that travels in a header too",
      inputSchema: fromJsonSchema({ type: "object", properties: { region, level: { type: "integer" } } }),
    },
    async (given) => text(`region=${given.region ?? "none"}`),
  );
  const address = {
    $anchor: "addressDef",
    type: "object",
    properties: { street: { type: "string" }, city: { type: "string" } },
  };
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  };
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "A schema with what JSON Schema 2020-12 has", inputSchema: fromJsonSchema(schema) },
    async (given) => text(JSON.stringify(given)),
  );
}
