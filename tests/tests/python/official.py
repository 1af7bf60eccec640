"""What the published Python client does with a Guardian, start to finish.

Run by `official_python.rs`, against `agenttrust serve`. AGENTTRUST_URL and AGENTTRUST_API_KEY say where
and as whom; OPERATOR_KEY decides approvals. With AGENT_ID the key is that agent's own; without, it is an
admin's, which registers an agent first and revokes it in the end.
"""

import os

from agenttrustid import AgentTrustClient
from agenttrustid.exceptions import AgentTrustError, AuthenticationError, AuthorizationError
from agenttrustid.guard import AgentTrustGuard

URL = os.environ["AGENTTRUST_URL"]
AGENT_ID = os.environ.get("AGENT_ID")
TIMEOUT = int(os.environ["TIMEOUT"])


def client_with(key):
    return AgentTrustClient(base_url=URL, api_key=key, timeout=TIMEOUT)


def code_of(call, *args, **kwargs):
    """The error that a call ends with."""
    try:
        call(*args, **kwargs)
    except AgentTrustError as error:
        return error.code, error
    raise AssertionError(f"{call} was let through")


def agent_of(client):
    assert client.health()["status"] == "healthy"
    if AGENT_ID:
        agent = client.agents.get(AGENT_ID)
    else:
        agent = client.agents.create(
            name="research-bot",
            framework="langchain",
            capabilities=["files:read", "web:search", "db:delete"],
        )
    assert agent.id and agent.org_id and agent.created_at
    assert agent.status.value == "active"
    assert [listed.id for listed in client.agents.list()].count(agent.id) == 1
    return agent


def tokens(client, agent):
    token = client.tokens.issue(agent_id=agent.id, scopes=["files:read"], ttl_seconds=300)
    assert token.token.startswith("at_") and 200 < token.ttl_seconds <= 300
    # Cached by default.
    again = client.tokens.issue(agent_id=agent.id, scopes=["files:read"], ttl_seconds=300)
    assert again.token == token.token
    result = client.tokens.introspect(token=token.token, target="mcp://filesystem")
    assert result.active and result.agent_id == agent.id and result.scopes == ["files:read"]
    # Without a target, which it sends as null.
    assert client.tokens.introspect(token.token).active
    session = client.sessions.init_api_session(token.token)
    assert session.source == "api" and session.scope_ceiling == ["files:read"]
    client.tokens.revoke(token.token)
    assert not client.tokens.introspect(token.token).active


def sessions(client, agent):
    session = client.sessions.init_session(agent_id=agent.id, server_id="mcp-code-tools")
    assert session.session_id and session.mode == "open" and session.scope_ceiling == []

    def check(tool, effect=""):
        return client.actions.check(
            agent_id=agent.id,
            action="tool_call",
            tool_name=tool,
            tool_input_summary="AI safety papers",
            session_id=session.session_id,
            action_effect=effect,
        )

    result = check("web_search", "read")
    assert result.allowed and result.confidence == 0.9 and not result.elevation_required
    assert result.check_id and result.guard_tier == "fast"
    result = check("mail_send")
    assert not result.allowed and result.reason and not result.elevation_required
    result = check("db_delete")
    assert not result.allowed and result.elevation_required and result.approval_id
    session = client.sessions.get_session(session.session_id)
    assert (session.total_calls, session.denied_calls) == (3, 1), session
    # Without a session, which it sends as "".
    assert client.actions.check(agent_id=agent.id, tool_name="web_search").allowed


def guard(client, operator, agent):
    with AgentTrustGuard(client, agent_id=agent.id, fail_open=False) as guard:
        assert guard.check("web_search", input_summary="AI news", action_effect="read")
        code, _ = code_of(guard.check, "mail_send", "hello")
        assert code == "ACTION_DENIED"

        def delete(table="users"):
            return guard.check("db_delete", f"drop table {table}", action_effect="destructive")

        code, error = code_of(delete)
        assert code == "ELEVATION_REQUIRED"
        approval_id = error.details["approval_id"]
        approval = client.approvals.get(approval_id)
        assert approval.status == "pending" and approval.action_name == "db_delete"
        assert approval.action_effect == "destructive" and approval.expires_at > approval.created_at
        answer = operator.approvals.approve(approval_id, decided_by="admin@company.com")
        assert answer["status"] == "approved"
        approval = client.approvals.get(approval_id)
        assert (approval.status, approval.decided_by) == ("approved", "admin@company.com")
        # Retry the check -- now it succeeds within the elevation window
        assert delete()

        code, error = code_of(delete, "invoices")
        approval_id = error.details["approval_id"]
        if AGENT_ID:
            code, refused = code_of(client.approvals.approve, approval_id)
            assert code == "AUTH_DENIED" and isinstance(refused, AuthorizationError)
            assert client.approvals.get(approval_id).status == "pending"
        answer = operator.approvals.deny(approval_id, decided_by="security@company.com")
        assert answer["status"] == "denied"
        code, _ = code_of(delete, "invoices")
        assert code == "ACTION_DENIED"

        # Ten of them are a batch, which it sends at once; the rest goes on close.
        for _ in range(11):
            guard.report("web_search", success=True, duration_ms=12)
        guard.report("web_search", success=False, duration_ms=3, error_type="TimeoutError")


def telemetry(client, agent):
    events = [
        {"event_type": "tool_start", "tool_name": "web_search", "duration_ms": 0, "success": True},
        {"event_type": "tool_end", "tool_name": "web_search", "duration_ms": 12, "success": True},
    ]
    answer = client.telemetry.report(agent_id=agent.id, session_id="sess-abc", events=events)
    assert answer == {"accepted": True, "events_processed": 2}, answer


def errors(client, agent):
    code, error = code_of(client_with("sk_wrong").agents.list)
    assert code == "AUTH_FAILED" and isinstance(error, AuthenticationError)
    code, _ = code_of(client.approvals.get, "apr_nobody")
    assert code == "NOT_FOUND"
    code, _ = code_of(client.actions.check, agent.id, tool_name="web_search", action_effect="banana")
    assert code == "VALIDATION_ERROR"


def delegations(client):
    giver, receiver = (
        client.agents.create(name=name, capabilities=capabilities)
        for name, capabilities in [("giver", ["web_search", "files:*"]), ("receiver", [])]
    )
    # Delegate web_search capability for 1 hour
    delegation = client.delegations.create(
        from_agent_id=giver.id,
        to_agent_id=receiver.id,
        scope=["web_search"],
        ttl_seconds=3600,
        restrictions={"max_calls": 1},
    )
    assert delegation.expires_at > delegation.created_at and delegation.revoked_at is None
    assert (delegation.scope, delegation.delegation_chain) == (["web_search"], [])
    assert [it.id for it in client.delegations.list()] == [delegation.id]
    session = client.delegations.init_session(delegation.id)
    assert (session.delegation_id, session.source) == (delegation.id, "delegation")
    assert session.scope_ceiling == ["web_search"]

    def search():
        return client.actions.check(
            agent_id=receiver.id, session_id=session.session_id, tool_name="web_search"
        )

    assert search().allowed and not search().allowed
    code, _ = code_of(
        client.delegations.create,
        from_agent_id=receiver.id,
        to_agent_id=giver.id,
        scope=["web_search"],
    )
    assert code == "AUTH_DENIED", code
    client.delegations.revoke(delegation.id)
    code, _ = code_of(client.delegations.init_session, delegation.id)
    assert code == "NOT_FOUND", code
    assert client.delegations.list()[0].revoked_at is not None
    # Bridge an already-issued API token into a local session
    token = client.tokens.issue(agent_id=giver.id, scopes=["web_search"])
    session = client.sessions.init_api_session(token.token)
    assert (session.agent_id, session.source) == (giver.id, "api")


def main():
    client = client_with(os.environ["AGENTTRUST_API_KEY"])
    operator = client_with(os.environ["OPERATOR_KEY"])
    agent = agent_of(client)
    print("agent", flush=True)
    for part in [tokens, sessions, telemetry, errors]:
        part(client, agent)
        print(part.__name__, flush=True)
    guard(client, operator, agent)
    print("guard", flush=True)
    if not AGENT_ID:
        delegations(client)
        print("delegations", flush=True)
        assert client.agents.revoke(agent.id, reason="compromised")
        assert client.agents.get(agent.id).status.value == "revoked"
    print("all of it", flush=True)


main()
