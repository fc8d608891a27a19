// The TypeScript SDKs over stdio, with `portcullis connect` between them and the gateway: both eras.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { Client as Client2, ProtocolError } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";
import { plan, run } from "./cases.mjs";

const MODERN = "2026-07-28";
const folder = mkdtempSync(join(tmpdir(), "bridge-"));
let files = 0;

function bridge(url, bearer) {
  const args = ["connect", url];
  if (bearer) {
    const file = join(folder, `token-${files++}`);
    writeFileSync(file, bearer, { mode: 0o600 });
    args.push("--token-file", file);
  }
  return { command: plan.bridge, args };
}

function reason(error) {
  if (error instanceof McpError || error instanceof ProtocolError) return { code: error.code, scopes: error.data?.scopes };
  throw error;
}

const about = { name: "portcullis-tests", version: "1" };

const two = (mode, version) => ({
  bridged: true,
  async open(url, bearer) {
    const client = new Client2(about, { versionNegotiation: { mode } });
    await client.connect(new Stdio2(bridge(url, bearer)));
    assert.equal(client.getNegotiatedProtocolVersion(), version);
    return client;
  },
  call: (client, params, options) => client.callTool(params, options),
  reason,
});

await run({
  "sdk 1, bridged": {
    bridged: true,
    async open(url, bearer) {
      const client = new Client1(about);
      await client.connect(new Stdio1(bridge(url, bearer)));
      return client;
    },
    call: (client, params, options) => client.callTool(params, undefined, options),
    reason,
  },
  "client 2, legacy, bridged": two("legacy", "2025-11-25"),
  "client 2, auto, bridged": two("auto", MODERN),
  "client 2, pinned, bridged": two({ pin: MODERN }, MODERN),
});
