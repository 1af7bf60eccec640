"""All that the published Python client of AgentTrust has for cards and for tasks.

Run by `a2a/`. AGENTTRUST_API_KEY is the key of the agent AGENT_ID, ADMIN_KEY an admin's; REACHED_ID is an agent that is
reached through the Guardian, FETCHES_ID one that fetches its tasks itself.
"""

import os
import time

from agenttrustid import AgentTrustClient
from agenttrustid.exceptions import AgentTrustError

URL = os.environ["AGENTTRUST_URL"]
REACHED, FETCHES, AGENT = (os.environ[name] for name in ("REACHED_ID", "FETCHES_ID", "AGENT_ID"))


def client_with(key):
    return AgentTrustClient(base_url=URL, api_key=key, timeout=20)


def refused(call, *args, **kwargs):
    try:
        came = call(*args, **kwargs)
    except AgentTrustError as error:
        return error.code
    raise AssertionError(f"it was let through: {came}")


def cards(admin, anyone):
    agent = admin.agents.create(name="described", capabilities=["files:read"])
    assert refused(admin.agent_cards.get, agent.id) == "NOT_FOUND"
    made = admin.agent_cards.generate(agent_id=agent.id)
    assert made.name == "described" and made.description and made.version and made.skills, made
    assert made.primary_url == f"{URL}/a2a/agents/{agent.id}" and made.trust_score == 0.0, made
    assert made.capabilities["streaming"] and made.security_schemes and made.default_input_modes, made
    assert admin.agent_cards.get(agent_id=agent.id).skills == made.skills
    assert refused(anyone.agent_cards.get_public, agent_id=agent.id) == "NOT_FOUND"
    assert admin.agent_cards.publish(agent_id=agent.id).name == "described"
    public = anyone.agent_cards.get_public(agent_id=agent.id)
    assert public.signatures and public.name == "described", public
    assert admin.agents.revoke(agent.id, reason="compromised")
    assert refused(anyone.agent_cards.get_public, agent_id=agent.id) == "NOT_FOUND"


def ended(client, task):
    for _ in range(600):
        now = client.a2a.get_task(task.id)
        if now.status not in ("pending", "running"):
            return now
        time.sleep(0.05)
    raise AssertionError(f"it is still {now}")


def tasks(client):
    task = client.a2a.send_message(REACHED, "echo hello")
    assert task.id and task.context_id and task.state in ("submitted", "working", "completed"), task
    assert task.status_timestamp, task
    done = ended(client, task)
    assert (done.status, done.source_agent_id, done.target_agent_id) == ("completed", AGENT, REACHED), done
    assert "echo hello" in str(done.artifacts) and done.created_at <= done.updated_at, done
    asks = client.a2a.send_message(REACHED, "ask", message_id="asks-2")
    assert client.a2a.send_message(REACHED, "ask", message_id="asks-2").id == asks.id
    assert client.a2a.send_message(REACHED, "done", task_id=asks.id).id == asks.id
    assert ended(client, asks).status == "completed"
    kept = client.a2a.send_task(
        source_agent_id=AGENT, target_agent_id=FETCHES, message="Summarize the report", metadata={"topic": "security"}
    )
    assert kept.status == "pending" and kept.message == "Summarize the report", kept
    assert kept.metadata.get("topic") == "security", kept
    assert client.a2a.get_task(kept.id).status == "pending"
    assert client.a2a.cancel_task(kept.id).status == "cancelled"
    assert client.a2a.get_task(kept.id).status == "cancelled"


def main():
    client = client_with(os.environ["AGENTTRUST_API_KEY"])
    cards(client_with(os.environ["ADMIN_KEY"]), client_with("sk_wrong"))
    print("cards", flush=True)
    tasks(client)
    print("all of it")


if __name__ == "__main__":
    main()
