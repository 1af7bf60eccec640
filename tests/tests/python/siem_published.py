"""All that the published Python client of AgentTrust has for SIEM streaming.

Run by `siem/`. AGENTTRUST_API_KEY is an admin's key, AGENT_ID an agent that may do anything; COLLECTOR takes what Splunk's
HTTP Event Collector takes, with TOKEN.
"""

import os
import time

from agenttrustid import AgentTrustClient
from agenttrustid.exceptions import AgentTrustError

URL, KEY = os.environ["AGENTTRUST_URL"], os.environ["AGENTTRUST_API_KEY"]
AGENT, COLLECTOR, TOKEN = (os.environ[name] for name in ("AGENT_ID", "COLLECTOR", "TOKEN"))


def refused(call, *args, **kwargs):
    try:
        came = call(*args, **kwargs)
    except AgentTrustError as error:
        return error.code
    raise AssertionError(f"it was let through: {came}")


def until(look):
    """Looks again until there is something, for half a minute at most."""
    for _ in range(600):
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def check(tool):
    assert client.actions.check(agent_id=AGENT, action="tool_call", tool_name=tool).allowed


client = AgentTrustClient(base_url=URL, api_key=KEY, timeout=20)
streaming = client.streaming

destination = streaming.create(
    name="Splunk HEC",
    destination_type="splunk",
    endpoint_url=COLLECTOR,
    auth_token=TOKEN,
    batch_size=1,
    flush_interval_seconds=1,
    filter_event_types=["decision"],
)
assert destination.id and destination.org_id and destination.is_active, destination
assert (destination.name, destination.destination_type) == ("Splunk HEC", "splunk"), destination
assert (destination.endpoint_url, destination.auth_token) == (COLLECTOR, ""), destination
assert (destination.batch_size, destination.flush_interval_seconds) == (1, 1), destination
assert destination.filter_event_types == ["decision"], destination
assert destination.created_at and destination.updated_at, destination
plain = streaming.create("plain", "splunk", COLLECTOR, TOKEN)
assert (plain.batch_size, plain.flush_interval_seconds, plain.filter_event_types) == (100, 30, []), plain
assert {listed.id for listed in streaming.list()} == {destination.id, plain.id}
streaming.delete(plain.id)
assert streaming.get(destination.id).name == "Splunk HEC"

check("files_read")
log = until(lambda: streaming.delivery_log(destination.id))
assert (log[0].destination_id, log[0].status, log[0].status_code) == (destination.id, "success", 200), log
assert log[0].id and log[0].batch_size == 1 and log[0].delivered_at and not log[0].error_message, log

test = streaming.test(destination.id)
assert test["success"] and test["status_code"] == 200, test

paused = streaming.update(destination.id, name="Splunk of the SOC", is_active=False)
assert paused.name == "Splunk of the SOC" and not paused.is_active and paused.batch_size == 1, paused
check("files_list")
logged = {delivery.id for delivery in streaming.delivery_log(destination.id)}
resumed = streaming.update(
    destination.id,
    endpoint_url=COLLECTOR + "/event",
    auth_token=TOKEN,
    is_active=True,
    batch_size=2,
    flush_interval_seconds=1,
    filter_event_types=["decision.allowed"],
)
assert resumed.is_active and resumed.batch_size == 2, resumed
until(lambda: {delivery.id for delivery in streaming.delivery_log(destination.id)} - logged)

streaming.update(destination.id, auth_token="mistyped")
test = streaming.test(destination.id)
assert not test["success"] and test["status_code"] == 403 and test["error_message"], test

for wrong in (
    {"destination_type": "sentinel"},
    {"endpoint_url": "http://192.168.0.1/services/collector"},
    {"batch_size": 0},
    {"flush_interval_seconds": 0},
    {"filter_event_types": ["decisions"]},
    {"auth_token": "two\nlines"},
):
    request = {"name": "wrong", "destination_type": "splunk", "endpoint_url": COLLECTOR, **wrong}
    assert refused(streaming.create, **request) == "VALIDATION_ERROR", wrong

streaming.delete(destination.id)
assert streaming.list() == []
for call in (streaming.get, streaming.delivery_log, streaming.test, streaming.delete):
    assert refused(call, destination.id) == "NOT_FOUND"

print("all of it")
