"""An agent on the official SDK of A2A, as the target of a Guardian's dispatch or of a client directly.

Run by `a2a/`. It says `listening on URL`: its card is where every A2A client looks for it, and its interfaces are
`URL/rpc` (JSON-RPC, 1.0 and 0.3 by the header) and `URL/rest` (HTTP+JSON, 1.0). What it does is the first word of the
message that begins a task; `URL/seen` has every message that it was given, with the headers that came along.
"""

import asyncio
import socket

import uvicorn
from a2a.helpers import get_message_text, new_text_message
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part, Role, Task, TaskState, TaskStatus
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

# How long a task that goes on would go on.
LONG = 60
# The pause between two chunks.
PAUSE = 0.2

SEEN = []


class Peer(AgentExecutor):
    """Does what the first message of a task says."""

    async def execute(self, context, event_queue):
        text = get_message_text(context.message)
        SEEN.append(
            {
                "messageId": context.message.message_id,
                "taskId": context.task_id,
                "text": text,
                "continues": context.current_task is not None,
                "headers": dict(context.call_context.state["headers"]),
            }
        )
        first = get_message_text(context.current_task.history[0]) if context.current_task else text
        verb, _, rest = first.partition(" ")
        if verb == "message":
            await event_queue.enqueue_event(new_text_message(rest, context_id=context.context_id, role=Role.ROLE_AGENT))
            return
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        if not context.current_task:
            status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
            task = Task(id=context.task_id, context_id=context.context_id, status=status, history=[context.message])
            await event_queue.enqueue_event(task)
        await updater.start_work()
        await getattr(self, f"do_{verb}", self.do_echo)(updater, context, rest)

    async def do_echo(self, updater, context, rest):
        """Gives back every part as it came, and the text without the verb."""
        await updater.add_artifact([Part(text=rest), *context.message.parts], name="echo")
        await updater.complete()

    async def do_count(self, updater, _context, rest):
        """As many chunks of one artifact, one after the other."""
        for count in range(int(rest)):
            await asyncio.sleep(PAUSE)
            last = count == int(rest) - 1
            await updater.add_artifact(
                [Part(text=f"{count} ")], artifact_id="numbers", name="numbers", append=count > 0, last_chunk=last
            )
        await updater.complete()

    async def do_wait(self, updater, _context, _rest):
        """Goes on until it is canceled."""
        await asyncio.sleep(LONG)
        await updater.complete()

    async def do_sleep(self, updater, context, rest):
        """Goes on for so many seconds."""
        await asyncio.sleep(float(rest))
        await self.do_echo(updater, context, rest)

    async def do_ask(self, updater, context, _rest):
        """Wants to know more once."""
        if not context.current_task or context.current_task.status.state != TaskState.TASK_STATE_INPUT_REQUIRED:
            await updater.requires_input(updater.new_agent_message([Part(text="which one?")]))
            return
        answer = get_message_text(context.message)
        await updater.add_artifact([Part(text=f"you said {answer}")], name="answer")
        await updater.complete()

    async def do_fail(self, updater, _context, rest):
        await updater.failed(updater.new_agent_message([Part(text=rest)]))

    async def do_reject(self, updater, _context, rest):
        await updater.reject(updater.new_agent_message([Part(text=rest)]))

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def card(url):
    skill = AgentSkill(id="peer", name="Peer", description="Does as it is told", tags=["test"])
    return AgentCard(
        name="peer",
        description="An agent on the official SDK",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="1.0"),
            AgentInterface(url=f"{url}/rest", protocol_binding="HTTP+JSON", protocol_version="1.0"),
            AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="0.3"),
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        default_input_modes=["text/plain", "application/json", "application/octet-stream"],
        default_output_modes=["text/plain", "application/json", "application/octet-stream"],
        skills=[skill],
    )


async def seen(_request):
    return JSONResponse(SEEN)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    described = card(url)
    handler = DefaultRequestHandler(agent_executor=Peer(), task_store=InMemoryTaskStore(), agent_card=described)
    routes = [
        Route("/seen", seen),
        *create_agent_card_routes(described),
        *create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=True),
        # Last: it takes any path whatever as a tenant's.
        *create_rest_routes(handler, path_prefix="/rest"),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="warning"))
    print(f"listening on {url}", flush=True)
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
