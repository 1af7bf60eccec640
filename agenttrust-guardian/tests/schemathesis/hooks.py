"""What Schemathesis cannot know of a Guardian."""

import json
import os

import schemathesis
from hypothesis import strategies as st

# Half of all strings of the right form are no point of the curve. The second is that of RFC 8410.
PUBLIC_KEYS = [
    "",
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n",
]
schemathesis.openapi.format("ed25519-public-key", st.sampled_from(PUBLIC_KEYS))


@schemathesis.hook
def before_call(context, case, kwargs):
    # Without its own key everything is a 401 from then on, and nothing is tested.
    ids = case.path_parameters or {}
    if case.method != "GET" and ids.get("id") == os.environ["AGENTTRUST_OWN_KEY"]:
        ids["id"] = "key_of_somebody_else"
    # What a digest is of goes with a digest, which no schema of a header can say of another one.
    headers = case.headers or {}
    if "agenttrust-binds" in headers and not headers.get("agenttrust-input-digest"):
        headers["agenttrust-input-digest"] = "0" * 64
    # Of an agent that nobody knows there is no entry to look at.
    if case.path == "/api/v1/audit/export":
        for name in [name for name in headers if name.lower() == "x-agent-id"]:
            del headers[name]
    # A pending approval is waited for as long as was asked.
    query = case.query or {}
    if str(query.get("wait")).isdecimal() and 1 < int(query["wait"]) <= 60:
        query["wait"] = 1


@schemathesis.deserializer("application/x-ndjson")
def json_lines(context, response):
    lines = [json.loads(line) for line in response.content.splitlines()]
    # The schema is that of one entry.
    return lines[-1]
