// What the tools of `server-everything` are called with that answer by themselves, and what has to come of it.

export const CALLS = [
  ["echo", { message: "größe 😀" }, /^Echo: größe 😀$/],
  ["get-annotated-message", { messageType: "success", includeImage: true }, /completed successfully/],
  ["get-env", {}, /AS_IF_SECRET/],
  ["get-resource-links", { count: 2 }, /2 resource links/],
  ["get-resource-reference", { resourceType: "Blob", resourceId: 3 }, /resource reference/i],
  ["get-structured-content", { location: "Chicago" }, /"temperature"/],
  ["get-sum", { a: 2, b: 40 }, /42/],
  ["get-tiny-image", {}, /image/],
  ["gzip-file-as-resource", { name: "a.gz", data: "data:text/plain,hello", outputType: "resource" }, /application\/gzip/],
  ["toggle-simulated-logging", {}, /^Started/],
  ["toggle-simulated-logging", {}, /^Stopped/],
  ["toggle-subscriber-updates", {}, /^Started/],
  ["toggle-subscriber-updates", {}, /^Stopped/],
];

/** The text of a result, and all else of it as JSON. */
export function said({ content }) {
  return content.map((part) => (part.type === "text" ? part.text : JSON.stringify(part))).join("\n");
}

/** Waits until something is so. */
export async function until(what, isSo, patience = 20_000) {
  for (const end = Date.now() + patience; !isSo(); ) {
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await new Promise((passed) => setTimeout(passed, 20));
  }
}

/** Where the server is, and what says who asks. */
export const target = process.env.MCP_URL && new URL(process.env.MCP_URL);
export const headers = JSON.parse(process.env.MCP_HEADERS ?? "{}");
