"""What Python clients do with MCP servers, directly or behind a Guardian.

Run by `mcp_clients/`, as `mcp_clients.py legacy|modern|agenttrustid`: the official SDK of 2.x by the protocol up to
2025-11-25 with the "everything" server, by 2026-07-28 with `conformant`, and the published client of AgentTrust.
MCP_URL says where the server is, MCP_HEADERS what is sent along.
"""

import asyncio
import json
import os
import re
import sys
import time

CALLS = [
    ("echo", {"message": "größe 😀"}, "^Echo: größe 😀$"),
    ("get-annotated-message", {"messageType": "success", "includeImage": True}, "completed successfully"),
    ("get-env", {}, "AS_IF_SECRET"),
    ("get-resource-links", {"count": 2}, "2 resource links"),
    ("get-resource-reference", {"resourceType": "Blob", "resourceId": 3}, "resource reference"),
    ("get-structured-content", {"location": "Chicago"}, '"temperature"'),
    ("get-sum", {"a": 2, "b": 40}, "42"),
    ("get-tiny-image", {}, "image"),
    ("gzip-file-as-resource", {"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"}, "gzip"),
    ("toggle-simulated-logging", {}, "^Started|^Stopped"),
    ("toggle-simulated-logging", {}, "^Started|^Stopped"),
    ("toggle-subscriber-updates", {}, "^Started|^Stopped"),
    ("toggle-subscriber-updates", {}, "^Started|^Stopped"),
]
# Only as a task, and this client has no words for the tasks of that version.
NOT_CALLED = {"simulate-research-query"}


def said(content):
    """The text of a result, and all else of it as JSON."""
    parts = [part if isinstance(part, dict) else part.model_dump(mode="json", by_alias=True) for part in content]
    return "\n".join(part["text"] if part["type"] == "text" else json.dumps(part) for part in parts)


class Asked:
    """Answers what a server asks, and remembers that it did."""

    def __init__(self):
        self.kinds = []
        self.logs = []

    async def elicitation(self, _context, params):
        from mcp_types import ElicitResult

        self.kinds.append("elicitation")
        schema = getattr(params, "requested_schema", None)
        if schema is None:
            return ElicitResult(action="accept")
        name, about = next(iter(schema["properties"].items()))
        return ElicitResult(action="accept", content={name: True if about.get("type") == "boolean" else "Ada"})

    async def sampling(self, _context, _params):
        from mcp_types import CreateMessageResult, TextContent

        self.kinds.append("sampling")
        content = TextContent(type="text", text="Paris")
        return CreateMessageResult(role="assistant", content=content, model="none")

    async def roots(self, _context):
        from mcp_types import ListRootsResult, Root

        self.kinds.append("roots")
        return ListRootsResult(roots=[Root(uri="file:///srv/plans", name="plans")])

    async def log(self, params):
        self.logs.append(params.data)


async def with_client(mode, use):
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    asked = Asked()
    headers = json.loads(os.environ.get("MCP_HEADERS", "{}"))
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
        client = Client(
            transport,
            mode="legacy" if mode == "legacy" else "auto",
            elicitation_callback=asked.elicitation,
            sampling_callback=asked.sampling,
            list_roots_callback=asked.roots,
            logging_callback=asked.log,
        )
        async with client:
            await use(client, asked)


async def checked(client, name, given, expected):
    result = await client.call_tool(name, given)
    assert not result.is_error, f"{name}: {said(result.content)}"
    assert re.search(expected, said(result.content)), f"{name}: {said(result.content)}"


async def steps_of(client, name, given):
    """How far it was when, as the server told."""
    steps = []

    async def told(progress, _total, _message):
        steps.append((progress, time.monotonic()))

    began = time.monotonic()
    result = await client.call_tool(name, given, progress_callback=told)
    assert not result.is_error
    return [step for step, _ in steps], steps[0][1] - began, time.monotonic() - began


async def given_up(client, name, given):
    call = asyncio.create_task(client.call_tool(name, given))
    await asyncio.sleep(0.5)
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return
    raise AssertionError("it ran to its end")


async def legacy(client, asked):
    assert client.protocol_version == "2025-11-25"
    wanted = {name for name, _, _ in CALLS} | {"trigger-long-running-operation", "trigger-elicitation-request"}
    wanted |= {"trigger-sampling-request", "get-roots-list", "trigger-url-elicitation"}
    names = set()
    # The server adds tools by what the client can do, a moment after it has said so.
    for _ in range(100):
        names = {tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools}
        if wanted <= names:
            break
        await asyncio.sleep(0.05)
    assert names - NOT_CALLED == wanted, names ^ wanted
    for name, given, expected in CALLS:
        await checked(client, name, given, expected)
    steps, first, took = await steps_of(client, "trigger-long-running-operation", {"duration": 2, "steps": 4})
    assert steps == [1, 2, 3, 4] and first < took - 1, (steps, first, took)
    await given_up(client, "trigger-long-running-operation", {"duration": 60, "steps": 60})
    await checked(client, "trigger-elicitation-request", {}, "Ada")
    await checked(client, "trigger-url-elicitation", {"url": "https://example.com/"}, "completed the URL")
    await checked(client, "trigger-sampling-request", {"prompt": "?", "maxTokens": 5}, "Paris")
    await checked(client, "get-roots-list", {}, "plans")
    assert {"elicitation", "sampling", "roots"} <= set(asked.kinds)
    read = await client.read_resource("demo://resource/dynamic/text/1")
    assert read.contents[0].text


async def modern(client, asked):
    assert client.protocol_version == "2026-07-28"
    names = [tool.name for tool in (await client.list_tools()).tools]
    assert len(names) > 30, names
    for name, given, expected in [
        ("test_simple_text", {}, "simple text"),
        ("test_image_content", {}, "image/png"),
        ("test_audio_content", {}, "audio/wav"),
        ("test_embedded_resource", {}, "embedded resource"),
        ("test_multiple_content_types", {}, "mixed-content"),
        ("test_x_mcp_header", {"region": "größe ", "level": 3}, "region=größe "),
        ("json_schema_2020_12_tool", {"email": "a@b", "contactMethod": "email"}, "a@b"),
        ("greet", {"name": "Ada"}, "Hello, Ada!"),
        ("slow_compute", {"seconds": 0}, "computed"),
        ("test_input_required_result_elicitation", {}, "Hello, Ada!"),
        ("test_input_required_result_sampling", {}, "Paris"),
        ("test_input_required_result_list_roots", {}, "plans"),
        ("test_input_required_result_request_state", {}, "state-ok"),
        ("test_input_required_result_multiple_inputs", {}, "Paris Ada, 1 roots"),
        ("test_input_required_result_multi_round", {}, "Ada likes Ada"),
    ]:
        await checked(client, name, given, expected)
    assert {"elicitation", "sampling", "roots"} <= set(asked.kinds)
    steps, _, _ = await steps_of(client, "test_tool_with_progress", {})
    assert steps == [0, 50, 100], steps
    assert (await client.call_tool("test_error_handling", {})).is_error
    await given_up(client, "slow_compute", {"seconds": 60})
    read = await client.read_resource("test://template/7/data")
    assert "Data for ID: 7" in read.contents[0].text
    prompt = await client.get_prompt("test_input_required_result_prompt")
    assert "Ada" in prompt.messages[0].content.text


def agenttrustid():
    """The published client registers the server, calls each tool that answers by itself, and removes it."""
    from agenttrustid import AgentTrustClient

    client = AgentTrustClient(base_url=os.environ["AGENTTRUST_URL"], api_key=os.environ["AGENTTRUST_API_KEY"])
    server = client.mcp.register_server(name="everything", url=os.environ["MCP_URL"], capabilities=["echo"])
    assert server.name == "everything" and server.capabilities == ["echo"]
    assert server.id in [known.id for known in client.mcp.list_servers()]
    agent = os.environ["AGENT_ID"]
    session = client.sessions.init_session(agent, server.id)
    for name, given, expected in CALLS:
        params = {"name": name, "arguments": given}
        result = client.mcp.call_tool(server.id, agent, "tools/call", params, session_id=session.session_id)
        assert not result.get("isError"), f"{name}: {result}"
        assert re.search(expected, said(result["content"])), f"{name}: {result}"
    slow = {"name": "trigger-long-running-operation", "arguments": {"duration": 1, "steps": 2}}
    assert "completed" in said(client.mcp.call_tool(server.id, agent, "tools/call", slow)["content"])
    listed = client.mcp.call_tool(server.id, agent, "tools/list")
    assert "echo" in [tool["name"] for tool in listed["tools"]]
    client.mcp.remove_server(server.id)
    assert server.id not in [known.id for known in client.mcp.list_servers()]


if __name__ == "__main__":
    (mode,) = sys.argv[1:]
    if mode == "agenttrustid":
        agenttrustid()
    else:
        asyncio.run(with_client(mode, legacy if mode == "legacy" else modern))
    print("all of it")
