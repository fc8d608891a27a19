// The reference server over streamable HTTP, on the loopback interface alone and on a port that the
// system picks. By itself it listens on every interface. Prints the port, alone on a line.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (_port, ...rest) {
  const done = rest.findLast((argument) => typeof argument === "function");
  return listen.call(this, 0, "127.0.0.1", () => {
    process.stdout.write(`${this.address().port}\n`);
    done?.();
  });
};
// Standard output is for the port.
console.log = () => {};
process.argv[2] = "streamableHttp";
await import("@modelcontextprotocol/server-everything/dist/index.js");
