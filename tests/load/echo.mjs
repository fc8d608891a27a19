// The yardstick: the plainest MCP server that Node's own `http` makes, with the answers of
// `load upstream`. A gateway in front of it should not spend more than it does.
//
// node echo.mjs PORT

import { createServer } from "node:http";

const schema = {
  type: "object",
  properties: {
    text: { type: "string", description: "What to say again" },
    path: { type: "string", description: "Where it is from, below the project's root" },
  },
  required: ["text"],
};

function result(method, params) {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "echo", version: "1.0.0" },
      };
    case "tools/list":
      return { tools: [{ name: "echo", description: "Says again what it is told", inputSchema: schema }] };
    case "tools/call":
      return { content: [{ type: "text", text: JSON.stringify(params?.arguments ?? {}) }] };
    default:
      return {};
  }
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (id === undefined) {
      response.writeHead(202, { "content-length": 0 }).end();
      return;
    }
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, result: result(method, params) }));
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
});

server.keepAliveTimeout = 120_000;
server.listen(Number(process.argv[2] ?? 4101), "127.0.0.1");
