// An issuer of tokens on oidc-provider, at 127.0.0.1: agents come to it by their client's secret, people by a form, and MCP
// clients register themselves. PORT is its port, any where it is 0; KEYS is a file in which its keys outlive it.
//
// Beside the protocol: `POST /keys/rotate` has it sign with new keys and publish the old ones as before,
// `POST /keys/forget` has it publish only those that it signs with, `POST /keys/replace` does both at once.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];
// What a token may be for; each resource has them all.
const SCOPES = ["everything/*", "everything/echo", "a2a/*", "files:read", "db:read"];

/** New keys, one for each algorithm. */
async function made() {
  const each = ALGORITHMS.map(async (alg) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...(await exportJWK(privateKey)), alg, use: "sig", kid: randomBytes(8).toString("hex") };
  });
  return Promise.all(each);
}

/** What comes to it by itself, with what it is known by; its tokens are signed as its name says. */
const agent = (name, alg) => ({
  client_id: name,
  client_secret: `secret-of-${name}`,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: alg,
});

/** A site that people sign in to. */
const site = (name, alg) => ({
  client_id: name,
  token_endpoint_auth_method: "none",
  redirect_uris: ["http://127.0.0.1:9/signed-in"],
  id_token_signed_response_alg: alg,
});

const cookies = { keys: [randomBytes(16).toString("hex")] };

/** What answers with these keys. */
function answering(issuer, keys) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    cookies,
    clients: [
      ...ALGORITHMS.map((alg) => agent(`agent-${alg}`, alg)),
      ...ALGORITHMS.map((alg) => site(`site-${alg}`, alg)),
    ],
    // Clients that register themselves say what they will ask for, and may say no more than this.
    scopes: ["openid", "offline_access", "email", "profile", ...SCOPES],
    // What a token says of a person beside the subject.
    claims: { openid: ["sub", "groups"], email: ["email"] },
    conformIdTokenClaims: false,
    findAccount: (_, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: `${accountId}@example.com`, groups: ["people", "writers"] }),
    }),
    extraTokenClaims: () => ({ groups: ["agents", "crawlers"] }),
    features: {
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource, client) => ({
          audience: resource,
          scope: SCOPES.join(" "),
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
        }),
      },
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
  return provider.callback();
}

const file = process.env.KEYS;
let keys = file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : await made();
let answer;

const server = createServer(async (request, response) => {
  if (request.method !== "POST" || !request.url.startsWith("/keys/")) return answer(request, response);
  const what = request.url.slice("/keys/".length);
  // It signs with the first that fits.
  if (what !== "forget") keys = [...(await made()), ...keys];
  if (what !== "rotate") keys = keys.slice(0, ALGORITHMS.length);
  settle();
  response.writeHead(204).end();
});
await new Promise((listening) => server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

/** Keeps the keys that there are now, and goes by them. */
function settle() {
  if (file) writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  answer = answering(issuer, keys);
}

settle();
console.log(`issuer at ${issuer}`);
