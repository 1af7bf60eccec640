// Resources, and who wants to hear of them.

import { ResourceTemplate } from "@modelcontextprotocol/server";

import { PICTURE } from "./content.mjs";

export function addResources(server) {
  const add = (name, mimeType, content) => {
    const uri = `test://${name}`;
    const read = async () => ({ contents: [{ uri, mimeType, ...content }] });
    server.registerResource(name, uri, { title: name, description: name, mimeType }, read);
  };
  add("static-text", "text/plain", { text: "This is the content of the static text resource." });
  add("static-binary", "image/png", { blob: PICTURE });
  add("watched-resource", "text/plain", { text: "Watched resource content" });
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { title: "template", description: "By an id", mimeType: "application/json" },
    async (uri, { id }) => {
      const said = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri: uri.toString(), mimeType: "application/json", text: said }] };
    },
  );

  const { server: plain } = server;
  plain.setRequestHandler("resources/subscribe", async () => ({}));
  plain.setRequestHandler("resources/unsubscribe", async () => ({}));
  plain.setRequestHandler("logging/setLevel", async () => ({}));
  plain.setRequestHandler("completion/complete", async () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
}
