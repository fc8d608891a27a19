// Puts a bearer token on every request, because the conformance suite cannot; changes nothing else.
//
// `node shim.mjs PORT TARGET_PORT`, the token in SHIM_TOKEN. Both ends are on 127.0.0.1. `Host` and
// `Origin` stay what the suite wrote, so that what the gateway makes of them is still tested. Bodies pass
// piece by piece in both directions, and a side that goes away takes the other with it.
//
// With SHIM_PREFIX (as `fixture__`) it also stands for a client that knows how `/mcp` names things: tools and
// prompts that the suite names have the prefix in what is asked, and have lost it in what is listed. What
// fails at `/mcp` without it and passes with it fails for its name alone.

import http from "node:http";
import { Transform } from "node:stream";

const [port, target] = process.argv.slice(2).map(Number);
const authorization = `Bearer ${process.env.SHIM_TOKEN}`;
const prefix = process.env.SHIM_PREFIX ?? "";
// What concerns one connection only (RFC 9110 §7.6.1); chunks are kept, as we send them on as such.
const ofTheConnection = new Set(["connection", "keep-alive", "proxy-connection", "te", "upgrade"]);
// The methods whose `params.name` is of a tool or a prompt.
const named = new Set(["tools/call", "prompts/get"]);

function passedOn(raw, without = []) {
  const kept = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at].toLowerCase();
    if (!ofTheConnection.has(name) && !without.includes(name)) kept.push(raw[at], raw[at + 1]);
  }
  return kept;
}

// A JSON text with something done to its value; what is no JSON stays as it is.
function changed(text, change) {
  try {
    const value = JSON.parse(text);
    change(value);
    return JSON.stringify(value);
  } catch {
    return text;
  }
}

function asked(message) {
  if (named.has(message.method)) message.params.name = prefix + message.params.name;
  if (message.params?.ref?.type === "ref/prompt") message.params.ref.name = prefix + message.params.ref.name;
}

function listed(message) {
  for (const entry of [...(message.result?.tools ?? []), ...(message.result?.prompts ?? [])]) {
    if (entry.name?.startsWith(prefix)) entry.name = entry.name.slice(prefix.length);
  }
}

// Lets whole lines of a stream of events through, their data changed.
function events() {
  const text = new TextDecoder();
  let rest = "";
  return new Transform({
    transform(chunk, _, done) {
      const lines = (rest + text.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop();
      const told = lines.map((line) => (line.startsWith("data: ") ? `data: ${changed(line.slice(6), listed)}` : line));
      done(null, told.map((line) => `${line}\n`).join(""));
    },
    flush(done) {
      done(null, rest);
    },
  });
}

// Lets a whole body through, changed.
function whole(change) {
  const chunks = [];
  return new Transform({
    transform(chunk, _, done) {
      chunks.push(chunk);
      done();
    },
    flush(done) {
      done(null, changed(Buffer.concat(chunks).toString(), change));
    },
  });
}

function headersOf(request) {
  // Of a body that is changed nobody knows the length before.
  const headers = passedOn(request.rawHeaders, prefix ? ["content-length"] : []);
  for (let at = 0; prefix && at < headers.length; at += 2) {
    if (headers[at].toLowerCase() === "mcp-name" && named.has(request.headers["mcp-method"])) headers[at + 1] = prefix + headers[at + 1];
  }
  return [...headers, "Authorization", authorization];
}

const server = http.createServer((request, response) => {
  const { method, url: path } = request;
  const onward = http.request({ host: "127.0.0.1", port: target, method, path, headers: headersOf(request), setHost: false });
  onward.on("response", (answer) => {
    const isStream = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
    response.writeHead(answer.statusCode, answer.statusMessage, passedOn(answer.rawHeaders, prefix ? ["content-length"] : []));
    response.flushHeaders();
    answer.on("error", () => response.destroy());
    if (prefix) answer.pipe(isStream ? events() : whole(listed)).pipe(response);
    else answer.pipe(response);
  });
  onward.on("error", (error) => {
    if (response.headersSent) return response.destroy();
    response.writeHead(502, { "Content-Type": "text/plain" });
    response.end(`the gateway does not answer: ${error.message}\n`);
  });
  response.on("close", () => onward.destroy());
  if (prefix && method === "POST") request.pipe(whole(asked)).pipe(onward);
  else request.pipe(onward);
});

// A stream may say nothing for as long as it likes.
server.requestTimeout = 0;
server.listen(port, "127.0.0.1", () => console.log(`listens on 127.0.0.1:${port}`));
