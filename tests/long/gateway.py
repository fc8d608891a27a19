"""A gateway of one's own: started on a free port in a directory, asked by its commands, ended."""

import http.client
import os
import socket
import subprocess

from processes import PATIENCE, children, lives, until


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Gateway:
    def __init__(self, binary, directory, configuration, **names):
        """`configuration` is a format that is given `port`, `binary` and whatever else `names` has."""
        self.binary, self.directory, self.port = binary, directory, free_port()
        text = configuration.format(port=self.port, binary=binary, **names)
        (directory / "portcullis.yaml").write_text(text, encoding="utf-8")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTCULLIS_")}
        # A raw key: deriving one from a passphrase would cost a third of a second at each command.
        self.environment["PORTCULLIS_ENCRYPTION_KEY"] = "base64:" + "A" * 42 + "E="
        self.log_file, self.trail = directory / "serve.log", directory / ".portcullis/audit.ndjson"
        self.log = self.log_file.open("ab")
        self.process = None

    def command(self, *words, **options):
        return dict(args=[self.binary, *words], cwd=self.directory, env=self.environment, **options)

    def run(self, *words):
        """What a command prints; it must succeed."""
        done = subprocess.run(**self.command(*words), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def start(self):
        self.process = subprocess.Popen(**self.command("serve", stderr=self.log))
        until("readiness", self.ready)

    def ready(self):
        if (status := self.process.poll()) is not None:
            raise AssertionError(f"the gateway ended with {status}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def end(self, how):
        """Ends it and its servers; gives its status and how many servers it had."""
        servers = children(self.process.pid)
        self.process.send_signal(how)
        status = self.process.wait(timeout=PATIENCE)
        until(f"the end of the servers {servers}", lambda: not any(lives(server) for server in servers))
        return status, len(servers)
