"""A card as the official SDK of A2A signs it.

Run by `a2a/`. It prints the card and the public keys as JSON: one card that says something everywhere, and one that
holds what is required and empty.
"""

import json

from a2a.types import AgentCard
from a2a.utils.signing import create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.json_format import MessageToDict, ParseDict
from joserfc.util import urlsafe_b64encode

KEY = Ed25519PrivateKey.generate()
HEADER = {"alg": "EdDSA", "kid": "theirs", "typ": "JOSE"}
CARD = {
    "name": "größe 😀",
    "description": "signed by others",
    "version": "1.0.0",
    "supportedInterfaces": [{"url": "https://example.com/a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "capabilities": {
        "streaming": False,
        "extensions": [{"uri": "https://example.com/x", "params": {"score": 66.66666666666667, "many": 1e21, "none": None}}],
    },
    "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-API-Key"}}},
    "securityRequirements": [{"schemes": {"key": {"list": ["agent"]}}}],
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "a", "name": "a", "description": "a", "tags": ["a"]}],
}


def signed(card):
    return MessageToDict(create_agent_card_signer(KEY, HEADER)(ParseDict(card, AgentCard())))


def main():
    x = urlsafe_b64encode(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    keys = [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "theirs", "alg": "EdDSA", "use": "sig"}]
    empty = {**CARD, "description": "", "skills": [], "securityRequirements": [{"schemes": {"key": {"list": []}}}]}
    print(json.dumps({"keys": keys, "full": signed(CARD), "empty": signed(empty)}))


if __name__ == "__main__":
    main()
