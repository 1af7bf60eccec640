"""What `scripts/mcp-conformance` and `scripts/mcp-overhead` start: a Guardian, and an MCP server behind it."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import urllib.error
import urllib.request

from load_servers import ROOT, Failed, Server, headers

PEERS = ROOT / "tests" / "peers" / "mcp"

# What is tried is how messages travel, so whatever an agent asks for is allowed.
POLICY = """\
@id("all")
@reason("all of it is tried")
permit (principal, action, resource);
"""


def node():
    """The Node.js of the peers: the kit needs a newer one than Debian's."""
    program = PEERS / "node_modules" / ".bin" / "node"
    if not os.access(program, os.X_OK):
        raise Failed(f"the peers are not there; install them with `(cd {PEERS.relative_to(ROOT)} && npm ci)`")
    return program


@contextlib.contextmanager
def listening(folder, command, environment=None):
    """A server that says where it listens; its URL and itself. It is stopped afterwards."""
    folder.mkdir()
    server = Server(folder, command, environment)
    try:
        # A line that is not over may be half an address.
        found = server.wait_for(lambda: re.search(r"listening on (http://\S+)\s", server.said()))
        yield found.group(1), server
    finally:
        server.stop()


def asked(method, url, body, key):
    """The answer to a request of an admin."""
    request = urllib.request.Request(url, json.dumps(body).encode(), headers(key), method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failed(f"{method} {url} was answered {error.code}: {error.read().decode()}") from error


class Behind:
    """A Guardian on this machine that may reach it, and an agent that may do all there."""

    def __init__(self, url, admin, server):
        self.url = url
        self.admin = admin
        self.process = server
        wanted = {"name": "tried", "capabilities": ["*"]}
        self.agent = asked("POST", f"{url}/api/v1/agents", wanted, admin)["id"]
        wanted = {"role": "agent", "agents": [self.agent]}
        self.key = asked("POST", f"{url}/api/v1/keys", wanted, admin)["key"]

    def register(self, name, upstream):
        """Puts a server behind the Guardian, and returns where it is reached there."""
        made = asked("POST", f"{self.url}/mcp/servers", {"name": name, "url": upstream, "capabilities": []}, self.admin)
        return f"{self.url}/mcp/{made['id']}"

    def credentials(self):
        return {"X-API-Key": self.key, "X-Agent-ID": self.agent}


@contextlib.contextmanager
def guardian(folder, program, database="guardian.db"):
    """A Guardian in a folder of its own, until the end of the block; in memory where it has no database."""
    policies = folder / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(POLICY)
    admin = f"sk_live_{secrets.token_hex(32)}"
    command = [program, "serve", "--listen", "127.0.0.1:0", "--database", str(folder / database) if database else "memory"]
    command += ["--policies", policies, "--allow-outbound", "127.0.0.0/8", "--log", "warn"]
    with listening(folder / "guardian", command, {"AGENTTRUST_ADMIN_KEY": admin}) as (url, server):
        yield Behind(url, admin, server)
