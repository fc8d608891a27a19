// Puts a bearer token on every request, because the conformance suite cannot; changes nothing else.
//
// `node shim.mjs PORT TARGET_PORT`, the token in SHIM_TOKEN. Both ends are on 127.0.0.1. `Host` and
// `Origin` stay what the suite wrote, so that what the gateway makes of them is still tested. Bodies pass
// piece by piece in both directions, and a side that goes away takes the other with it.

import http from "node:http";

const [port, target] = process.argv.slice(2).map(Number);
const authorization = `Bearer ${process.env.SHIM_TOKEN}`;
// What concerns one connection only (RFC 9110 §7.6.1); chunks are kept, as we send them on as such.
const ofTheConnection = new Set(["connection", "keep-alive", "proxy-connection", "te", "upgrade"]);

function passedOn(raw) {
  const kept = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (!ofTheConnection.has(raw[at].toLowerCase())) kept.push(raw[at], raw[at + 1]);
  }
  return kept;
}

const server = http.createServer((request, response) => {
  const headers = [...passedOn(request.rawHeaders), "Authorization", authorization];
  const { method, url: path } = request;
  const onward = http.request({ host: "127.0.0.1", port: target, method, path, headers, setHost: false });
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode, answer.statusMessage, passedOn(answer.rawHeaders));
    response.flushHeaders();
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  });
  onward.on("error", (error) => {
    if (response.headersSent) return response.destroy();
    response.writeHead(502, { "Content-Type": "text/plain" });
    response.end(`the gateway does not answer: ${error.message}\n`);
  });
  response.on("close", () => onward.destroy());
  request.pipe(onward);
});

// A stream may say nothing for as long as it likes.
server.requestTimeout = 0;
server.listen(port, "127.0.0.1", () => console.log(`listens on 127.0.0.1:${port}`));
