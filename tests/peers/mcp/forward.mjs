// A forwarder on this machine that adds headers, for a client which cannot be told to send any:
//
//     node forward.mjs TARGET "Name: value" ...
//
// All else passes as it comes, the host that was asked for and each piece of a stream included.

import { createServer, request as requested } from "node:http";

const [target, ...added] = process.argv.slice(2);
const to = new URL(target);
const headers = added.flatMap((header) => [header.slice(0, header.indexOf(":")), header.slice(header.indexOf(":") + 1).trim()]);

const server = createServer((request, answer) => {
  const options = { host: to.hostname, port: to.port, path: to.pathname, method: request.method };
  const onward = requested({ ...options, headers: [...request.rawHeaders, ...headers] }, (came) => {
    answer.writeHead(came.statusCode, came.rawHeaders);
    answer.flushHeaders();
    came.pipe(answer);
    came.on("error", () => answer.destroy());
  });
  onward.on("error", () => answer.destroy());
  answer.on("close", () => onward.destroy());
  request.pipe(onward);
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}/mcp`));
