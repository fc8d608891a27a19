// The TypeScript SDK, version 1: the legacy era.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { run } from "./cases.mjs";

await run({
  "sdk 1": {
    async open(url, bearer, fetch) {
      const headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
      const client = new Client({ name: "portcullis-tests", version: "1" });
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch }));
      return client;
    },
    call: (client, params, options) => client.callTool(params, undefined, options),
    reason(error) {
      if (error instanceof McpError) return { code: error.code };
      if (error instanceof StreamableHTTPError) return { status: error.code };
      throw error;
    },
  },
});
