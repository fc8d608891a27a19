"""What is soaked: a gateway before servers of every kind, and who may do what there.

The servers are demo servers, one that misbehaves and four fixtures: both eras over both transports.
Who may do what is told here once more, in a few lines of our own, and not asked of the gateway.
"""

import asyncio
import json
import subprocess
import time
from calendar import timegm
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gateway import Gateway, free_port
from processes import children, command

CONFIGURATION = """\
version: 1
listen: {{address: "127.0.0.1:{port}", limits: {{request: {request}s}}}}
tags: {{clock: a, text: b, notes: c, write: d, echo: e, old: f, new: g, oldweb: h, newweb: i, archive: j, secret: k}}
servers:
  time: {{tags: [clock], stdio: {{command: ["{binary}", demo-server, time], env: {{SOAK: "{mark}"}}}}}}
  text: {{tags: [text], stdio: {{command: ["{binary}", demo-server, text], env: {{SOAK: "{mark}"}}}}}}
  notes:
    tags: [notes]
    stdio: {{command: ["{binary}", demo-server, notes, --dir, ./notes], env: {{SOAK: "{mark}"}}}}
    tools: {{write_note: {{tags: [write]}}, delete_note: deny}}
    resources: {{"notes://private*": deny}}
  archive:
    tags: [archive]
    stdio: {{command: ["{binary}", demo-server, notes, --dir, ./archive], env: {{SOAK: "{mark}"}}}}
  echo: {{tags: [echo], stdio: {{command: ["{hostile}", listed], env: {{SOAK: "{mark}"}}}}}}
  old: {{tags: [old], {asks}stdio: {{command: ["{fixture}", --era, legacy], env: {{SOAK: "{mark}"}}}}}}
  new: {{tags: [new], {asks}stdio: {{command: ["{fixture}", --era, modern], env: {{SOAK: "{mark}"}}}}}}
  oldweb: {{tags: [oldweb], {asks}http: {{url: "http://127.0.0.1:{oldweb}/mcp"}}}}
  newweb: {{tags: [newweb], {asks}http: {{url: "http://127.0.0.1:{newweb}/mcp"}}}}
  hidden: {{tags: [secret], stdio: {{command: ["{binary}", demo-server, text], env: {{SOAK: "{mark}"}}}}}}
grants:
{grants}"""
# No call may take longer.
REQUEST = 15
FIXTURES, WEB, MODERN = ("old", "new", "oldweb", "newweb"), ("oldweb", "newweb"), ("new", "newweb")
TAGS = {name: name for name in ("text", "notes", "archive", "echo", *FIXTURES)} | {"time": "clock", "hidden": "secret"}
# More than fits on one page of a list.
ARCHIVED = 1100


@dataclass(frozen=True)
class Account:
    """Who asks: what its tokens hold, and what besides they could hold."""

    name: str
    kind: str
    scopes: frozenset
    more: frozenset = frozenset()

    def principal(self):
        return f"local/{self.name}" if self.kind == "user" else self.name

    def servers(self):
        return [server for server, tag in TAGS.items() if tag in self.scopes]

    def may(self, server, kind, name):
        """`yes`; `step-up`, where a token with more scopes could; `no`, where none could."""
        needed = {TAGS[server]} if server in TAGS else {None}
        if (server, kind, name) == ("notes", "tool", "write_note"):
            needed.add("write")
        if (server, kind, name) == ("notes", "tool", "delete_note") or name.startswith("notes://private"):
            return "no"
        if needed <= self.scopes:
            return "yes"
        return "step-up" if needed <= self.scopes | self.more else "no"


def account(name, kind, scopes, more=""):
    return Account(name, kind, frozenset(scopes.split()), frozenset(more.split()))


OWNER = account("owner", "user", "clock text notes write archive echo old new oldweb newweb")
ACCOUNTS = [
    account("ana", "user", "clock text notes write archive echo old new oldweb newweb"),
    account("ben", "user", "clock echo old", "text"),
    account("cyd", "user", "text notes echo new", "write newweb"),
    account("dan", "user", "notes write archive oldweb echo"),
    account("eve", "user", "newweb text", "clock"),
    account("fay", "user", "old newweb clock echo"),
    account("robot", "client", "clock text echo"),
    account("crawler", "client", "old new text"),
]


@dataclass
class Token:
    """A token, and what was done to it. Its own lifetime is its mark in the list of tokens."""

    account: Account
    server: str | None
    text: str
    life: int
    revoking: bool = False
    revoked_at: float | None = None


@dataclass
class Web:
    """A fixture over HTTP, always on the same port."""

    name: str
    era: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def start(self, fixture):
        words = [fixture, "--era", self.era, "--http", str(self.port)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        # It says where it listens, once it does.
        assert self.process.stdout.readline(), f"the fixture `{self.name}` ended with {self.process.wait()}"

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()


class Setting:
    """The gateway, its servers and the tokens."""

    def __init__(self, binary, directory, seed):
        self.mark, self.lives = f"soak-{seed}-{time.time_ns()}", count(7200)
        self.fixture, self.hostile = (
            str(Path(binary).parent / "examples" / name) for name in ("fixture-upstream", "hostile-upstream")
        )
        self.web = {"oldweb": Web("oldweb", "legacy"), "newweb": Web("newweb", "modern")}
        # What there is, learned before anything is disturbed: servers, their lists, the order of all, features.
        self.there, self.catalog, self.order, self.features = set(), {}, {}, set()
        self.stopping, self.pace = asyncio.Event(), 0.2
        schema = subprocess.run([binary, "schema"], capture_output=True, text=True, check=False).stdout
        self.asks = '"asks"' in schema
        self.gateway = Gateway(
            binary,
            directory,
            CONFIGURATION,
            mark=self.mark,
            request=REQUEST,
            fixture=self.fixture,
            hostile=self.hostile,
            asks="asks: [elicitation, sampling, roots], " if self.asks else "",
            oldweb=self.web["oldweb"].port,
            newweb=self.web["newweb"].port,
            grants="".join(map(grant, [OWNER, *ACCOUNTS])) + "  - {to: {user: boss}, scopes: ['tag:secret']}\n",
        )
        for name in ("notes", "archive"):
            (directory / name).mkdir()
        for number in range(ARCHIVED):
            (directory / f"archive/old-{number}.md").touch()
        (directory / "notes/private.md").write_text("for nobody\n", encoding="utf-8")

    def offers(self, feature):
        return feature in self.features

    def start(self):
        for web in self.web.values():
            web.start(self.fixture)
        self.gateway.start()

    def end(self):
        for web in self.web.values():
            web.end()

    def issue(self, account, server=None):
        """A token for everything, or for one server's endpoint."""
        life = next(self.lives)
        scopes = ",".join(f"tag:{scope}" for scope in sorted(account.scopes))
        words = ["token", "issue", f"--{account.kind}", account.name, "--scopes", scopes, "--ttl", f"{life}s"]
        if server:
            words += ["--resource", f"http://127.0.0.1:{self.gateway.port}/mcp/{server}"]
        return Token(account, server, self.gateway.run(*words), life)

    def revoke(self, token):
        listed = json.loads(self.gateway.run("token", "list", "--format", "json"))
        [known] = [entry["id"] for entry in listed if life(entry) == token.life]
        token.revoking = True
        self.gateway.run("token", "revoke", known)
        token.revoked_at = time.monotonic()

    def servers(self):
        """The children of the gateway that serve, by pid, with the name of the server that each is."""
        found = {}
        for pid in children(self.gateway.process.pid):
            words = command(pid)
            if words[:1] == [self.hostile]:
                found[pid] = "echo"
            elif words[:1] == [self.fixture]:
                found[pid] = {"legacy": "old", "modern": "new"}[words[2]]
            elif "demo-server" in words:
                # Its kind is its name, but for the one of another directory.
                found[pid] = "archive" if words[-1] == "./archive" else words[words.index("demo-server") + 1]
            else:
                found[pid] = "?"
        return found


def grant(account):
    scopes = ", ".join(f"'tag:{scope}'" for scope in sorted(account.scopes | account.more))
    return f"  - {{to: {{{account.kind}: {account.name}}}, scopes: [{scopes}]}}\n"


def life(entry):
    """For how many seconds a listed token was issued."""

    def seconds(text):
        whole, _, rest = text.rstrip("Z").partition(".")
        return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest or 0}")

    return round(seconds(entry["expires_at"]) - seconds(entry["issued_at"]))

