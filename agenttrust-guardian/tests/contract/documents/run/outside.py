"""What documents name outside of the machine, as little of it as their commands need.

outside.py CERTIFICATE KEY: an issuer of tokens (login.partner.example) and an MCP server (mcp.example.com) at port 443, an
HTTP Event Collector of Splunk (splunk.example:8088), a receiver of syslog (log.example:6514). `token.txt` is a token of
the issuer, written here. A file `changed` changes a tool of the MCP server.
"""

import base64
import http.server
import json
import os
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import time

CERTIFICATE, KEY = sys.argv[1:]
ISSUER = "https://login.partner.example"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, given=b""):
    return subprocess.run(["openssl", *arguments], input=given, stdout=subprocess.PIPE, check=True).stdout


def key_set():
    modulus = openssl("rsa", "-in", KEY, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
    key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "e": "AQAB"}
    return {"keys": [key | {"n": encoded(bytes.fromhex(modulus))}]}


def token():
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "https://guardian.example", "sub": "desk-7", "groups": ["agents"]}
    head = {"alg": "RS256", "kid": "1", "typ": "JWT"}
    parts = [head, claims | {"iat": now, "exp": now + 3000, "jti": "1"}]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return text + "." + encoded(openssl("dgst", "-sha256", "-sign", KEY, given=text.encode()))


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/.well-known/openid-configuration":
            self.answer(200, {"issuer": ISSUER, "jwks_uri": ISSUER + "/keys", "response_types_supported": ["id_token"],
                              "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]})
        elif self.path == "/keys":
            self.answer(200, key_set())
        else:
            self.answer(405, {})

    def do_DELETE(self):
        self.answer(200, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/services/collector"):
            return self.answer(200, {"text": "Success", "code": 0})
        message = json.loads(body)
        if "id" not in message:
            return self.answer(202, None)
        self.answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": self.result(message)})

    def result(self, message):
        if message["method"] == "initialize":
            return {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                    "serverInfo": {"name": "files", "version": "1"}}
        if message["method"] != "tools/list":
            return {}
        words = "Writes a file, and its folder" if os.path.exists("changed") else "Writes a file"
        return {"tools": [{"name": "read", "description": "Reads a file", "inputSchema": {"type": "object"}},
                          {"name": "write", "description": words, "inputSchema": {"type": "object"}}]}


class Syslog(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(4096):
            pass


class Secure(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def get_request(self):
        socket, address = super().get_request()
        return context.wrap_socket(socket, server_side=True), address

    def handle_error(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
for port, handler in [(443, Web), (8088, Web), (6514, Syslog)]:
    server = Secure(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open("token.txt", "w") as file:
    file.write(token())
print("listening on 443", flush=True)
