// A card as the official JavaScript SDK of A2A signs it; printed with the public keys as JSON, as
// `tests/tests/python/a2a_signs.py` does for Python's.

import { generateKeyPairSync } from "node:crypto";

import { generateAgentCardSignature } from "@a2a-js/sdk";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const header = { alg: "EdDSA", kid: "theirs", typ: "JOSE" };
const card = {
  name: "größe 😀",
  description: "signed by others",
  version: "1.0.0",
  supportedInterfaces: [{ url: "https://example.com/a", protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
  capabilities: {
    streaming: false,
    extensions: [{ uri: "https://example.com/x", params: { score: 66.66666666666667, many: 1e21, none: null } }],
  },
  securitySchemes: { key: { apiKeySecurityScheme: { location: "header", name: "X-API-Key" } } },
  securityRequirements: [{ schemes: { key: { list: ["agent"] } } }],
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  skills: [{ id: "a", name: "a", description: "a", tags: ["a"] }],
};
const empty = { ...card, description: "", skills: [], securityRequirements: [{ schemes: { key: { list: [] } } }] };

// As JSON, which it takes: of a card in its own form it would sign one without security schemes.
const signed = generateAgentCardSignature(privateKey, header);

const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "theirs", alg: "EdDSA", use: "sig" }];
console.log(JSON.stringify({ keys, full: await signed(card), empty: await signed(empty) }));
