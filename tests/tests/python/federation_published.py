"""All that the published Python client of AgentTrust has for federation.

Run by `federation/`. AGENTTRUST_API_KEY is an admin's key; ISSUER has issued TOKEN for this Guardian to an agent that is
AGENT_ID here, and ELSEWHERE for another place.
"""

import json
import os
import urllib.request

from agenttrustid import AgentTrustClient
from agenttrustid.exceptions import AgentTrustError

URL, KEY = os.environ["AGENTTRUST_URL"], os.environ["AGENTTRUST_API_KEY"]
AGENT, ISSUER, TOKEN, ELSEWHERE = (os.environ[name] for name in ("AGENT_ID", "ISSUER", "TOKEN", "ELSEWHERE"))


def refused(call, *args, **kwargs):
    try:
        came = call(*args, **kwargs)
    except AgentTrustError as error:
        return error.code
    raise AssertionError(f"it was let through: {came}")


def give_rule(provider):
    """Says which agent the tokens are of, which this client cannot."""
    body = json.dumps({"rules": [{"claims": {"groups": "agents"}, "agent_id": AGENT}]}).encode()
    url = f"{URL}/api/v1/federation/providers/{provider.id}"
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PATCH")).close()


client = AgentTrustClient(base_url=URL, api_key=KEY, timeout=20)
federation = client.federation

provider = federation.register_provider(issuer=ISSUER, name="Example Workforce", trust_level="high")
assert provider.id and provider.org_id and provider.status == "active", provider
assert (provider.issuer, provider.name, provider.trust_level) == (ISSUER, "Example Workforce", "high"), provider
assert provider.jwks_uri == f"{ISSUER}/jwks" and provider.token_endpoint == f"{ISSUER}/token", provider
assert provider.authorization_endpoint == f"{ISSUER}/auth" and provider.created_at, provider
assert [listed.id for listed in federation.list_providers()] == [provider.id]
assert refused(federation.register_provider, issuer=ISSUER, name="the same") == "HTTP_409"

said = federation.verify_token(TOKEN)
assert said.valid and not said.agent_id, said
assert refused(federation.init_session, TOKEN) == "AUTH_DENIED"
give_rule(provider)
for hint in (None, ISSUER):
    for look in (federation.verify_token, federation.introspect_token):
        said = look(TOKEN, issuer_hint=hint)
        assert said.active and said.agent_id == AGENT and said.issuer == ISSUER and said.expires_at, said
    session = federation.init_session(TOKEN, issuer_hint=hint)
    assert session.agent_id == AGENT and session.source == "federation" and session.mode == "restricted", session
    assert session.scope_ceiling == ["files:read"], session

for token, hint in ((ELSEWHERE, None), (TOKEN, "https://elsewhere.example"), (TOKEN[:-4], None), ("eyJ", None)):
    said = federation.introspect_token(token, issuer_hint=hint)
    assert not said.active and said.error.startswith("AUTH_FAILED"), said
    assert refused(federation.init_session, token, issuer_hint=hint) == "AUTH_FAILED"

federation.delete_provider(provider.id)
assert federation.list_providers() == []
assert not federation.verify_token(TOKEN).valid
assert refused(federation.delete_provider, provider.id) == "NOT_FOUND"

print("all of it")
