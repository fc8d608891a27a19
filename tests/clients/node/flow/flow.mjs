// What every client shows once it has signed in: `tools` of the plan are listed, a call goes well. Run by
// `tests/integration/clients/flow.rs`, which writes the plan.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { Person } from "./person.mjs";

export const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const endpoint = `${plan.url}/mcp`;

/** A place on this machine that takes the answer, as a client would have it. */
export async function landing() {
  const server = createServer((request, response) => response.end("you may close this"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { uri: `http://127.0.0.1:${server.address().port}/callback`, close: () => server.close() };
}

/** Runs the work with a person at the browser. */
export async function withPerson(work) {
  const person = await Person.at(plan);
  try {
    await work(person);
  } finally {
    await person.leave();
  }
}

export const names = (tools) => tools.map((tool) => tool.name).sort();

/** The answer at a redirect URI, as every client must find it. */
export function answered(url, state) {
  const { searchParams } = new URL(url);
  for (const name of ["code", "state", "iss"]) assert.equal(searchParams.getAll(name).length, 1, `${name} in ${url}`);
  assert.equal(searchParams.get("state"), state);
  assert.equal(searchParams.get("iss"), plan.url);
  return searchParams;
}

/** What a token opens, asked without any SDK. */
export async function listed(token) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token}`, "Content-Type": "application/json", Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list",
    },
    body: JSON.stringify({
      jsonrpc: "2.0", id: 1, method: "tools/list",
      params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } },
    }),
  });
  if (response.status !== 200) return response.status;
  return names((await response.json()).result.tools);
}
