"""What the official Python client of A2A does with an agent, directly or behind a Guardian.

Run by `a2a/`, as `a2a_clients.py VERSION BINDING`, such as `1.0 JSONRPC`, with the agent of `a2a_target.py`.
A2A_URL is where its card is looked for, A2A_HEADERS what is sent along.
"""

import asyncio
import json
import os
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_message_text
from a2a.types import (
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import A2AError, InvalidParamsError, TaskNotCancelableError, TaskNotFoundError
from a2a.utils.errors import UnsupportedOperationError
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

URL = os.environ["A2A_URL"]
HEADERS = json.loads(os.environ.get("A2A_HEADERS", "{}"))
VERSION, BINDING = sys.argv[1:]
# How long anything may take.
STEP_TIMEOUT = 30


def asked(*parts, task=None, message_id=None, at_once=False):
    """A request that sends these parts, texts among them, to begin a task or to continue this one."""
    parts = [Part(text=part) if isinstance(part, str) else part for part in parts]
    message = Message(message_id=message_id or str(uuid.uuid4()), role=Role.ROLE_USER, parts=parts)
    if task:
        message.task_id, message.context_id = task.id, task.context_id
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(return_immediately=at_once))


async def only(events):
    """The one event of an answer that is no stream."""
    all_of_them = [event async for event in events]
    assert len(all_of_them) == 1, all_of_them
    return all_of_them[0]


async def refused(error, call):
    """The error that a call ends with."""
    try:
        came = await asyncio.wait_for(call, STEP_TIMEOUT)
    except A2AError as refusal:
        assert isinstance(refusal, error), repr(refusal)
        return
    raise AssertionError(f"it was let through: {came}")


def state(task):
    return TaskState.Name(task.status.state).removeprefix("TASK_STATE_")


def texts(task):
    return [get_artifact_text(artifact) for artifact in task.artifacts]


class Trial:
    """One agent, by a client that waits for answers and by one that streams."""

    def __init__(self, http, card):
        self.card = card
        bindings = [BINDING]
        plain = ClientConfig(httpx_client=http, streaming=False, supported_protocol_bindings=bindings)
        streams = ClientConfig(httpx_client=http, streaming=True, supported_protocol_bindings=bindings)
        self.client = ClientFactory(plain).create(card)
        self.streaming = ClientFactory(streams).create(card)

    async def say(self, *parts, **how):
        """Sends, and waits until the task is over or wants something, as it does by default."""
        event = await only(self.client.send_message(asked(*parts, **how)))
        assert event.HasField("task"), event
        return event.task

    async def until(self, task, *states):
        async def looking():
            while True:
                now = await self.client.get_task(GetTaskRequest(id=task.id))
                assert now.id == task.id and now.context_id == task.context_id, now
                if state(now) in states:
                    return now
                await asyncio.sleep(0.05)

        return await asyncio.wait_for(looking(), STEP_TIMEOUT)

    async def answers(self):
        """What is done is done with what was sent, of every kind."""
        data = ParseDict({"größe": [1, 2.5, None, {"a": "😀"}]}, Value())
        parts = [
            "echo größe 😀",
            Part(data=data, media_type="application/json"),
            Part(raw=b"\x00\xff", media_type="application/octet-stream", filename="raw.bin"),
            Part(url="https://example.com/x.png", media_type="text/plain"),
        ]
        task = await self.say(*parts)
        task = await self.until(task, "COMPLETED")
        (artifact,) = task.artifacts
        assert artifact.name == "echo" and artifact.parts[0].text.startswith("größe 😀"), artifact
        given = artifact.parts[1:]
        assert given[0].text == "echo größe 😀"
        assert given[1].data == data, given[1]
        assert given[2].raw == b"\x00\xff" and given[2].filename == "raw.bin", given[2]
        assert given[3].url == "https://example.com/x.png", given[3]
        failed = await self.until(await self.say("fail no luck"), "FAILED")
        assert get_message_text(failed.status.message) == "no luck", failed
        rejected = await self.until(await self.say("reject not today"), "REJECTED")
        assert get_message_text(rejected.status.message) == "not today", rejected

    async def messages(self):
        """A bare message, which a Guardian makes a task of."""
        event = await only(self.client.send_message(asked("message hello")))
        if event.HasField("message"):
            assert get_message_text(event.message) == "hello", event
            return
        task = await self.until(event.task, "COMPLETED")
        assert get_message_text(task.status.message) == "hello" or texts(task) == ["hello"], task

    async def turns(self):
        """A task that wants to know more is continued, and no other is."""
        task = await self.until(await self.say("ask"), "INPUT_REQUIRED")
        assert get_message_text(task.status.message) == "which one?", task
        again = await self.say("the red one", task=task)
        assert (again.id, again.context_id) == (task.id, task.context_id)
        done = await self.until(task, "COMPLETED")
        assert texts(done) == ["you said the red one"], done
        await refused((UnsupportedOperationError, InvalidParamsError), self.say("and another", task=done))

    async def cancels(self):
        task = await self.until(await self.say("wait", at_once=True), "WORKING")
        canceled = await self.client.cancel_task(CancelTaskRequest(id=task.id))
        assert canceled.id == task.id
        await self.until(task, "CANCELED")
        done = await self.until(await self.say("echo over"), "COMPLETED")
        await refused(TaskNotCancelableError, self.client.cancel_task(CancelTaskRequest(id=done.id)))

    async def unknown(self):
        await refused(TaskNotFoundError, self.client.get_task(GetTaskRequest(id="nothing")))
        await refused(TaskNotFoundError, self.client.cancel_task(CancelTaskRequest(id="nothing")))
        message = asked("echo")
        message.message.task_id = "nothing"
        await refused(TaskNotFoundError, only(self.client.send_message(message)))

    async def streams(self):
        """Chunks come one by one, all of them, and then the end."""
        chunks, states, ids = [], [], set()
        loop = asyncio.get_running_loop()
        async for event in self.streaming.send_message(asked("count 3")):
            if event.HasField("task"):
                ids.add(event.task.id)
                states.append(state(event.task))
                chunks += [(text, loop.time()) for text in texts(event.task)]
            elif event.HasField("status_update"):
                ids.add(event.status_update.task_id)
                states.append(state(event.status_update))
            elif event.HasField("artifact_update"):
                ids.add(event.artifact_update.task_id)
                assert event.artifact_update.append == bool(chunks), event
                chunks.append((get_artifact_text(event.artifact_update.artifact), loop.time()))
        assert [text for text, _ in chunks] == ["0 ", "1 ", "2 "], chunks
        assert chunks[-1][1] - chunks[0][1] > 0.1, f"they came all at once: {chunks}"
        assert states[-1] == "COMPLETED" and len(ids) == 1, (states, ids)
        task = await self.client.get_task(GetTaskRequest(id=ids.pop()))
        assert "".join(texts(task)).replace("\n", "") == "0 1 2 ", task

    async def subscribes(self):
        """A stream that is taken up again goes on until the task is over."""
        task = await self.until(await self.say("sleep 2", at_once=True), "WORKING")
        states = []
        async for event in self.streaming.subscribe(SubscribeToTaskRequest(id=task.id)):
            if event.HasField("task"):
                assert event.task.id == task.id
                states.append(state(event.task))
            elif event.HasField("status_update"):
                states.append(state(event.status_update))
        assert states and states[-1] == "COMPLETED", states

    async def lists(self):
        task = await self.until(await self.say("echo listed"), "COMPLETED")
        listed = await self.client.list_tasks(ListTasksRequest(context_id=task.context_id))
        assert [it.id for it in listed.tasks] == [task.id] and listed.total_size == 1, listed
        assert not listed.tasks[0].artifacts
        with_them = ListTasksRequest(context_id=task.context_id, include_artifacts=True)
        assert (await self.client.list_tasks(with_them)).tasks[0].artifacts
        seen, token = [], ""
        while True:
            page = await self.client.list_tasks(ListTasksRequest(page_size=2, page_token=token))
            assert len(page.tasks) <= 2
            seen += [it.id for it in page.tasks]
            token = page.next_page_token
            if not token:
                break
        assert len(seen) == len(set(seen)) == page.total_size and task.id in seen, seen

    async def pushes(self):
        """Who asked for it is told when the task ends, with the token that it gave."""
        told = asyncio.Queue()

        async def receive(reader, writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:"))
            body = json.loads(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()
            told.put_nowait((head, body))

        server = await asyncio.start_server(receive, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/told"
        task = await self.until(await self.say("wait", at_once=True), "WORKING")
        config = TaskPushNotificationConfig(task_id=task.id, id="mine", url=url, token="a-token")
        made = await self.client.create_task_push_notification_config(config)
        assert made.url == url, made
        get = GetTaskPushNotificationConfigRequest(task_id=task.id, id=made.id)
        assert (await self.client.get_task_push_notification_config(get)).url == url
        listing = ListTaskPushNotificationConfigsRequest(task_id=task.id)
        assert [it.id for it in (await self.client.list_task_push_notification_configs(listing)).configs] == [made.id]
        await self.client.cancel_task(CancelTaskRequest(id=task.id))
        while True:
            head, body = await asyncio.wait_for(told.get(), STEP_TIMEOUT)
            assert "x-a2a-notification-token: a-token" in head, head
            assert task.id in json.dumps(body), body
            if "CANCELED" in json.dumps(body).upper():
                break
        await self.client.delete_task_push_notification_config(
            DeleteTaskPushNotificationConfigRequest(task_id=task.id, id=made.id)
        )
        assert not (await self.client.list_task_push_notification_configs(listing)).configs
        server.close()


async def main():
    async with httpx.AsyncClient(headers=HEADERS, timeout=STEP_TIMEOUT) as http:
        card = await A2ACardResolver(http, URL).get_agent_card()
        assert card.capabilities.streaming and card.skills, card
        # It would take the newest version of those at the same address.
        wanted = [it for it in card.supported_interfaces if (it.protocol_version, it.protocol_binding) == (VERSION, BINDING)]
        assert wanted, f"the card offers no {VERSION} {BINDING}: {card.supported_interfaces}"
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(wanted)
        trial = Trial(http, card)
        parts = [trial.answers, trial.messages, trial.turns, trial.cancels, trial.unknown, trial.streams, trial.subscribes]
        parts += [trial.lists] if VERSION == "1.0" else []
        parts += [trial.pushes] if card.capabilities.push_notifications else []
        for part in parts:
            await part()
            print(part.__name__, flush=True)
    print("all of it")


if __name__ == "__main__":
    asyncio.run(main())
