// The OAuth client of the official TypeScript packages with the official "everything" server behind a Guardian: `oauth.mjs
// 1|2` with the SDK 1.x or the client 2.x. MCP_URL is where, ISSUER who has to be found there, and LOGIN signs in.

import assert from "node:assert/strict";

import { signedIn } from "../../oidc/signed_in.mjs";
import { said, target } from "./calls.mjs";

const [version] = process.argv.slice(2);
const { ISSUER: issuer, LOGIN: login } = process.env;
const redirect = "http://127.0.0.1:9/signed-in";

/** What the packages need of each version. */
async function packages() {
  if (version === "2") return import("@modelcontextprotocol/client");
  const [{ Client }, { StreamableHTTPClientTransport }, { UnauthorizedError }] = await Promise.all([
    import("@modelcontextprotocol/sdk/client/index.js"),
    import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
    import("@modelcontextprotocol/sdk/client/auth.js"),
  ]);
  return { Client, StreamableHTTPClientTransport, UnauthorizedError };
}

/** One who keeps what a program of somebody would keep. */
class Kept {
  redirectUrl = redirect;
  clientMetadata = {
    client_name: "an MCP client",
    redirect_uris: [redirect],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  sentTo = [];

  state() {
    return "as it was";
  }
  clientInformation() {
    return this.client;
  }
  saveClientInformation(client) {
    this.client = client;
  }
  tokens() {
    return this.kept;
  }
  saveTokens(tokens) {
    this.kept = tokens;
  }
  redirectToAuthorization(url) {
    this.sentTo.push(url);
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
  saveDiscoveryState(found) {
    this.found = found;
  }
  discoveryState() {
    return this.found;
  }
}

// Whoever comes with nothing is told where to look, and finds the issuer there.
const message = { jsonrpc: "2.0", id: 1, method: "ping" };
const asked = await fetch(target, {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify(message),
});
assert.equal(asked.status, 401);
const described = asked.headers.get("www-authenticate").match(/resource_metadata="([^"]+)"/)[1];
const metadata = await (await fetch(described)).json();
assert.equal(metadata.resource, String(target));
assert.deepEqual(metadata.authorization_servers, [issuer]);

const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await packages();
const authProvider = new Kept();
const first = new StreamableHTTPClientTransport(target, { authProvider });
await assert.rejects(new Client({ name: "oauth", version: "1" }).connect(first), UnauthorizedError);

// What it asks for is a token for this server, with all of its tools.
const [authorization, ...more] = authProvider.sentTo;
assert.equal(more.length, 0);
assert.equal(authorization.origin, issuer);
assert.equal(authorization.searchParams.get("resource"), String(target));
assert.equal(authorization.searchParams.get("code_challenge_method"), "S256");
assert.equal(authorization.searchParams.get("scope"), "everything/*");
const back = await signedIn(authorization, login);
assert.equal(back.searchParams.get("state"), "as it was");
assert.ok(back.searchParams.get("code"), String(back));
await first.finishAuth(version === "2" ? back.searchParams : back.searchParams.get("code"));

const client = new Client({ name: "oauth", version: "1" });
const transport = new StreamableHTTPClientTransport(target, { authProvider });
await client.connect(transport);
const { tools } = await client.listTools();
assert.ok(tools.some(({ name }) => name === "echo"));
assert.match(said(await client.callTool({ name: "echo", arguments: { message: "größe 😀" } })), /größe 😀/);
assert.match(said(await client.callTool({ name: "get-sum", arguments: { a: 2, b: 40 } })), /42/);
assert.equal(authProvider.sentTo.length, 1);

// Without what it was given it is nobody again.
authProvider.kept = { ...authProvider.kept, access_token: `${authProvider.kept.access_token.slice(0, -8)}AAAAAAAA` };
await assert.rejects(client.callTool({ name: "echo", arguments: { message: "?" } }), UnauthorizedError);
await client.close();
console.log("all of it");
process.exit(0);
