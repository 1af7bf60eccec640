// An MCP server on the official SDK that has every tool, prompt and resource which the conformance kit asks for, in both
// eras of the protocol at one address: PORT says where, 0 takes any that is free.
//
// - `tools.mjs` answers at once, `asking.mjs` asks the client in a request of its own (up to 2025-11-25), `rounds.mjs`
//   in its answer (2026-07-28), `tasks.mjs` answers later.
// - `resources.mjs`, `prompts.mjs` and `skills/` are what is read.
// - `sessions.mjs` keeps the sessions of the earlier era.

import { createServer } from "node:http";

import { toNodeHandler } from "@modelcontextprotocol/node";
import { classifyInboundRequest, createMcpHandler, createRequestStateCodec, McpServer } from "@modelcontextprotocol/server";
import { SkillsExtension } from "@modelcontextprotocol/server/ext/skills";
import { nodeSkillFiles } from "@modelcontextprotocol/server/ext/skills/node";

import { addAskingTools } from "./asking.mjs";
import { addPrompts } from "./prompts.mjs";
import { addResources } from "./resources.mjs";
import { addRounds } from "./rounds.mjs";
import { Sessions } from "./sessions.mjs";
import { addTasks, refuseWhoCannotFollow } from "./tasks.mjs";
import { addTools } from "./tools.mjs";

const skills = await SkillsExtension.load(nodeSkillFiles(new URL("skills/", import.meta.url).pathname));
const states = createRequestStateCodec({ key: crypto.getRandomValues(new Uint8Array(32)) });

/** A new server, for one session or one request. */
function made() {
  const capabilities = {
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  };
  const server = new McpServer(
    { name: "conformant", version: "1.0.0" },
    { capabilities, requestState: { verify: states.verify } },
  );
  refuseWhoCannotFollow(server.server);
  addTools(server, sessions, modern);
  addAskingTools(server);
  addRounds(server, states);
  addTasks(server, states);
  addResources(server);
  addPrompts(server);
  skills.attach(server);
  return server;
}

const sessions = new Sessions(made);
const modern = createMcpHandler(made);
const answerModern = toNodeHandler(modern);

/** What no page of another name may reach by having its name point here. */
function isOfThisMachine(text) {
  try {
    return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(text).hostname);
  } catch {
    return false;
  }
}

async function whole(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function refused(answer, status, code, message) {
  answer.writeHead(status, { "content-type": "application/json" });
  answer.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } }));
}

async function answered(request, answer) {
  const { host, origin } = request.headers;
  if (!isOfThisMachine(`http://${host}`) || (origin !== undefined && !isOfThisMachine(origin))) {
    return refused(answer, 403, -32000, "only pages of this machine are served");
  }
  if (new URL(request.url, "http://localhost").pathname !== "/mcp") {
    return refused(answer, 404, -32000, "the server is at /mcp");
  }
  if (request.method !== "POST") return sessions.answer(request, answer);
  let body;
  try {
    body = JSON.parse(await whole(request));
  } catch {
    return refused(answer, 400, -32700, "the body is no JSON");
  }
  const inbound = classifyInboundRequest({
    httpMethod: "POST",
    protocolVersionHeader: request.headers["mcp-protocol-version"],
    mcpMethodHeader: request.headers["mcp-method"],
    body,
  });
  if (inbound.kind === "legacy") return sessions.answer(request, answer, body);
  return answerModern(request, answer, body);
}

const http = createServer((request, answer) => {
  answered(request, answer).catch((error) => {
    console.error(error);
    if (answer.headersSent) answer.end();
    else refused(answer, 500, -32603, "the server failed");
  });
});
http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}/mcp`);
});
