// Programs that sign in by themselves and name the page on stderr: `mcp-remote`, the CLI of the MCP Inspector, and
// `portcullis connect`. None is told more than the URL.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { endpoint, names, plan, withPerson } from "./flow.mjs";

const home = mkdtempSync(join(tmpdir(), "flow-"));
const package_ = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
const env = {
  PATH: process.env.PATH, HOME: home, BROWSER: "true", XDG_DATA_HOME: join(home, "data"), NO_COLOR: "1",
  MCP_REMOTE_CONFIG_DIR: join(home, "remote"), MCP_STORAGE_DIR: join(home, "inspector"), MCP_AUTO_OPEN_ENABLED: "true", MCP_INSPECTOR_SECRET_STORE: "file",
};

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** The page that a program names, each once. */
function pages(stream) {
  let text = "";
  const seen = new Set();
  const wanted = [];
  const found = [];
  stream.on("data", (piece) => {
    text += piece;
    // A line that has not ended may be half there.
    const lines = text.slice(0, text.lastIndexOf("\n") + 1);
    for (const [url] of lines.matchAll(/http:\/\/[^\s"'\x1b\x07]*code_challenge=[^\s"'\x1b\x07]*/g)) {
      if (seen.has(url)) continue;
      seen.add(url);
      const next = wanted.shift();
      if (next) next(url); else found.push(url);
    }
  });
  return {
    said: () => text,
    next: () => (found.length ? Promise.resolve(found.shift()) : new Promise((resolve) => wanted.push(resolve))),
  };
}

/** A program that speaks MCP over stdio. */
async function bridge(person, command, args, modern) {
  const open = async (sign) => {
    const transport = new StdioClientTransport({ command, args, env, stderr: "pipe" });
    const heard = pages(transport.stderr);
    const client = new Client({ name: "portcullis-tests", version: "1" });
    const connected = client.connect(transport, { timeout: 60_000 });
    connected.catch(() => {});
    if (sign) await person.decide(await Promise.race([heard.next(), failing(connected, heard)]));
    try {
      await connected;
    } catch (error) {
      throw new Error(`${command} ${args}: ${error}\n${heard.said()}`);
    }
    return { client, heard };
  };
  let { client } = await open(true);
  assert.deepEqual(names((await client.listTools()).tools), plan.tools);
  const call = ({ tool, arguments: given }) => client.callTool({ name: tool, arguments: given });
  assert.equal((await call(plan.call)).content[0].text, plan.call.text);
  await client.close();
  // What it keeps is enough the next time.
  let heard;
  ({ client, heard } = await open(false));
  assert.equal((await call(plan.call)).content[0].text, plan.call.text);
  if (modern) {
    const more = call(plan.more.call);
    await person.decide(await heard.next());
    assert.equal((await more).content[0].text, plan.more.call.text);
  }
  await client.close();
}

const failing = (work, heard) => work.then(
  () => { throw new Error(`nobody had to sign in: ${heard.said()}`); },
  (error) => { throw new Error(`${error}\n${heard.said()}`); },
);

async function inspector(person) {
  const cli = package_("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
  const run = async (sign, ...more) => {
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
    const args = [cli, "--cli", endpoint, "--transport", "http", "--callback-url", callback, "--format", "json", ...more];
    const child = spawn(plan.node22 ?? process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    child.stdout.on("data", (piece) => { out += piece; });
    const heard = pages(child.stderr);
    const ended = once(child, "close");
    if (sign) {
      const early = ended.then(() => { throw new Error(`the Inspector ended: ${out}\n${heard.said()}`); });
      early.catch(() => {});
      await person.decide(await Promise.race([heard.next(), early]));
    }
    const [status] = await ended;
    assert.equal(status, 0, `${out}\n${heard.said()}`);
    return JSON.parse(out);
  };
  const listed = await run(true, "--method", "tools/list");
  assert.deepEqual(names((listed.result ?? listed).tools), plan.tools);
  const called = await run(false, "--method", "tools/call", "--tool-name", plan.call.tool, "--tool-args-json", JSON.stringify(plan.call.arguments));
  assert.equal((called.result ?? called).content[0].text, plan.call.text);
}

const programs = {
  "mcp-remote": async (person) => {
    const args = [package_("mcp-remote/dist/proxy.js"), endpoint, String(await freePort())];
    await bridge(person, process.execPath, args, false);
  },
  inspector,
  "portcullis connect": (person) => bridge(person, plan.bridge, ["connect", endpoint], true),
};

try {
  await withPerson(async (person) => {
    for (const [name, program] of Object.entries(programs)) {
      if (plan.only && plan.only !== name) continue;
      console.log(name);
      await program(person);
    }
  });
} finally {
  rmSync(home, { recursive: true, force: true });
}
