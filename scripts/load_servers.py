"""The servers that `scripts/load` drives: how each is set up, asked, and stopped."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent

# How long a server may take to be there, and to be gone.
STEP_TIMEOUT = 60

# What is asked: our tool, and their action on a resource of the kind `files`.
KINDS = {"read": ("files_read", "read"), "mutating": ("files_write", "write")}

# Decisions in our log.
DECISIONS = "SELECT COUNT(*) FROM audit WHERE kind = 'decision'"

CERBOS_CONFIG = """\
server:
  httpListenAddr: "127.0.0.1:{http}"
  grpcListenAddr: "127.0.0.1:{grpc}"
telemetry:
  disabled: true
storage:
  driver: disk
  disk:
    directory: "{folder}/policies"
    watchForChanges: false
audit:
  enabled: true
  accessLogsEnabled: false
  decisionLogsEnabled: true
  backend: file
  file:
    path: "{folder}/decisions.log"
"""

CERBOS_POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: files
  version: default
  rules:
    - actions: ["read", "write"]
      effect: EFFECT_ALLOW
      roles: ["agent"]
"""

class Failed(Exception):
    """What happened, and what to do."""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def clean_environment(more):
    """The environment without what would set up a server otherwise than by default."""
    of_servers = ("AGENTTRUST_", "CERBOS_", "OTEL_")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(of_servers)}, **more}


def headers(key):
    return {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}


def post(url, body, key=None):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers(key))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failed(f"POST {url} was answered {error.code}: {error.read().decode()}") from error


class Server:
    """A server of one side, with a folder of its own, until it is stopped."""

    def __init__(self, folder, command, environment=None):
        self.folder = folder
        self.output = folder / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=clean_environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, ready):
        """Waits until `ready` returns something, and returns that."""
        until = time.monotonic() + STEP_TIMEOUT
        while time.monotonic() < until:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                found = ready()
                if found:
                    return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"{self.process.args[0]} did not start: {self.said()[-2000:]}")

    def said(self):
        return self.output.read_text(errors="replace")

    def stop(self):
        """Stops it in order, so that its log is whole; by force only when it hangs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STEP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def status(self, name):
        """A number of `/proc/PID/status`."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1))

    def processor_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def opened_to_sync(self, name):
        """Whether every write to this file is a sync, by the flags that it was opened with."""
        for fd in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if pathlib.Path(os.readlink(fd)).name == name:
                    info = pathlib.Path(f"/proc/{self.process.pid}/fdinfo/{fd.name}").read_text()
                    flags = int(re.search(r"^flags:\s+(\d+)", info, re.MULTILINE).group(1), 8)
                    if flags & os.O_DSYNC:
                        return True
        return False


class Agenttrust:
    """The Guardian on a database file."""

    name = "agenttrust"
    allowed = '"allowed":true'
    log = "guardian.db-wal"

    def __init__(self, program):
        self.program = program

    def database(self, folder):
        return str(folder / "guardian.db")

    def start(self, folder, kind):
        """Returns the server, and the request that is to be sent to it."""
        admin = f"sk_live_{secrets.token_hex(32)}"
        command = [self.program, "serve", "--listen", "127.0.0.1:0"]
        environment = {
            "AGENTTRUST_DATABASE": self.database(folder),
            "AGENTTRUST_ADMIN_KEY": admin,
            "AGENTTRUST_AUDIT_KEY": str(folder / "audit.key"),
            "AGENTTRUST_AUDIT_CHECKPOINTS": str(folder / "checkpoints"),
        }
        server = Server(folder, command, environment)
        try:
            found = server.wait_for(lambda: re.search(r"listening on (http://\S+)", server.said()))
            base = found.group(1)
            wanted = {"name": "load", "capabilities": ["files:*"]}
            agent = post(f"{base}/api/v1/agents", wanted, admin)
            wanted = {"role": "agent", "agents": [agent["id"]]}
            key = post(f"{base}/api/v1/keys", wanted, admin)["key"]
        except BaseException:
            server.stop()
            raise
        # As the published Python client sends it, whose guard makes up the id of its session.
        body = {
            "agent_id": agent["id"],
            "session_id": str(uuid.uuid4()),
            "action_name": KINDS[kind][0],
            "action_source": "api",
            "action_input_summary": "[120 chars]",
            "action_effect": kind,
        }
        return server, (f"{base}/api/v1/agenttrust/check", body, key)

    def rows(self, folder):
        """How many decisions are in the log, once the server is stopped."""
        with contextlib.closing(sqlite3.connect(self.database(folder))) as database:
            return database.execute(DECISIONS).fetchone()[0]

    def syncs(self, kind, counted):
        if kind == "read":
            return f"answered first, on disk with the next transaction; {counted}"
        return f"on disk before the answer; {counted}"

    def gone(self, folder):
        """Nothing is left outside of the folder."""


class OnPostgres(Agenttrust):
    """The Guardian on PostgreSQL, in a database of its own."""

    name = "agenttrust on PostgreSQL"
    log = None

    def __init__(self, program, url):
        super().__init__(program)
        self.url = url
        self.made = {}

    def sql(self, statement, database=None):
        command = ["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement, database or self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=STEP_TIMEOUT)
        if done.returncode:
            raise Failed(f"PostgreSQL did not do {statement!r}: {done.stderr.strip()}")
        return done.stdout.strip()

    def database(self, folder):
        if folder not in self.made:
            name = f"agenttrust_load_{secrets.token_hex(6)}"
            self.sql(f"CREATE DATABASE {name}")
            self.made[folder] = name
        parts = urllib.parse.urlsplit(self.url)
        return parts._replace(path=f"/{self.made[folder]}").geturl()

    def rows(self, folder):
        return int(self.sql(DECISIONS, self.database(folder)))

    def syncs(self, kind, counted):
        names = ("synchronous_commit", "fsync")
        settings = ", ".join(f"{name} = {self.sql(f'SHOW {name}')}" for name in names)
        return super().syncs(kind, f"the database's own settings: {settings}")

    def gone(self, folder):
        name = self.made.pop(folder, None)
        if name:
            self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Cerbos:
    """Cerbos, with its log of decisions in a file."""

    name = "cerbos"
    allowed = "EFFECT_ALLOW"
    log = "decisions.log"

    def __init__(self, program, log_level):
        self.program = program
        self.log_level = log_level

    def start(self, folder, kind):
        ports = {"http": free_port(), "grpc": free_port()}
        (folder / "policies").mkdir()
        (folder / "policies" / "files.yaml").write_text(CERBOS_POLICY)
        (folder / "cerbos.yaml").write_text(CERBOS_CONFIG.format(folder=folder, **ports))
        command = [self.program, "server", "--config=cerbos.yaml", f"--log-level={self.log_level}"]
        server = Server(folder, command)
        base = f"http://127.0.0.1:{ports['http']}"
        try:
            server.wait_for(lambda: urllib.request.urlopen(f"{base}/_cerbos/health", timeout=5))
        except BaseException:
            server.stop()
            raise
        tool, action = KINDS[kind]
        body = {
            "requestId": str(uuid.uuid4()),
            "principal": {"id": "load", "roles": ["agent"]},
            "resources": [{"actions": [action], "resource": {"kind": "files", "id": tool}}],
        }
        return server, (f"{base}/api/check/resources", body, None)

    def rows(self, folder):
        with open(folder / self.log, "rb") as log:
            return sum(b'"log.kind":"decision"' in line for line in log)

    def syncs(self, kind, counted):
        return counted

    def gone(self, folder):
        """Nothing is left outside of the folder."""


def find_cerbos(given):
    """The binary itself: the npm package's own command is a script that starts it."""
    on_path = shutil.which("cerbos")
    for place in [given] if given else [ROOT, *filter(None, [on_path])]:
        place = pathlib.Path(place).resolve()
        if place.is_file() and place.suffix != ".js":
            return place
        # npm installs into a folder, or into `lib` of the one for all; a package may have its own.
        within = ("node_modules", "lib/node_modules", "node_modules/cerbos/node_modules",
                  "lib/node_modules/cerbos/node_modules")
        for folder in (place, *(place.parents if place.is_file() else ())):
            for modules in within:
                for binary in (folder / modules / "@cerbos").glob("cerbos-*/cerbos-*"):
                    if os.access(binary, os.X_OK):
                        return binary
    if given:
        raise Failed(f"cerbos is not in {given}; give the folder that `npm install --prefix DIR cerbos` filled")
    raise Failed(
        "cerbos is not there; install it with `npm install --prefix DIR cerbos` and give --cerbos DIR, "
        "or measure ours alone with --only ours"
    )


def find_agenttrust(given):
    if given:
        program = pathlib.Path(given).resolve()
        if not os.access(program, os.X_OK):
            raise Failed(f"--agenttrust names no program: {given}")
        return program
    print("building agenttrust in release", file=sys.stderr)
    command = ["cargo", "build", "--release", "--quiet", "-p", "agenttrust-guardian", "--bin", "agenttrust"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return (ROOT / target / "release" / "agenttrust").resolve()
