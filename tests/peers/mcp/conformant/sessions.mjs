// The sessions of the protocol up to 2025-11-25, each with a server of its own and its events, so that a stream which
// broke is taken up again where it ended.

import { randomUUID } from "node:crypto";

import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import { isInitializeRequest } from "@modelcontextprotocol/server";

/** What was sent in one session, in order. */
class Events {
  #sent = [];

  async storeEvent(streamId, message) {
    const id = `${streamId}::${this.#sent.length}`;
    this.#sent.push({ id, streamId, message });
    return id;
  }

  async getStreamIdForEventId(id) {
    return id.split("::")[0];
  }

  async replayEventsAfter(lastId, { send }) {
    const [streamId, number] = lastId.split("::");
    for (const event of this.#sent.slice(Number(number) + 1)) {
      const hasMessage = event.message && Object.keys(event.message).length > 0;
      if (event.streamId === streamId && hasMessage) await send(event.id, event.message);
    }
    return streamId;
  }
}

export class Sessions {
  #open = new Map();
  #made;

  constructor(made) {
    this.#made = made;
  }

  /** Ends the stream of a request, so that its client has to come back for the answer. */
  closeStream(sessionId, requestId) {
    this.#open.get(sessionId)?.closeSSEStream(requestId);
  }

  async answer(request, answer, body) {
    const id = request.headers["mcp-session-id"];
    if (id === undefined && request.method === "POST" && isInitializeRequest(body)) {
      const transport = await this.#begun();
      return transport.handleRequest(request, answer, body);
    }
    const transport = this.#open.get(id);
    if (transport) return transport.handleRequest(request, answer, body);
    const [status, message] = id === undefined ? [400, "which session?"] : [404, "there is no such session"];
    answer.writeHead(status, { "content-type": "application/json" });
    answer.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32001, message } }));
  }

  async #begun() {
    const server = this.#made();
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: new Events(),
      retryInterval: 500,
      onsessioninitialized: (id) => this.#open.set(id, transport),
    });
    transport.onclose = () => this.#open.delete(transport.sessionId);
    await server.connect(transport);
    return transport;
  }
}
