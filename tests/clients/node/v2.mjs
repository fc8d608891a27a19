// The TypeScript SDK, version 2: both eras, and the choice between them left to it.
import assert from "node:assert/strict";
import {
  Client,
  InsufficientScopeError,
  ProtocolError,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { run } from "./cases.mjs";

const MODERN = "2026-07-28";

const driver = (mode, version) => ({
  async open(url, bearer, fetch) {
    const headers = bearer ? { Authorization: `Bearer ${bearer}` } : {};
    const client = new Client({ name: "portcullis-tests", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch }));
    assert.equal(client.getNegotiatedProtocolVersion(), version);
    return client;
  },
  call: (client, params, options) => client.callTool(params, options),
  reason(error) {
    if (error instanceof ProtocolError) return { code: error.code };
    if (error instanceof InsufficientScopeError) return { status: 403 };
    if (error instanceof SdkHttpError) return { status: error.status };
    throw error;
  },
});

await run({
  "client 2, legacy": driver("legacy", "2025-11-25"),
  "client 2, auto": driver("auto", MODERN),
  "client 2, pinned": driver({ pin: MODERN }, MODERN),
});
