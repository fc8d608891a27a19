"""A caller of either era, and what it holds every answer to.

All callers use the same few ids and the same progress token, so that whatever the gateway mixes up is
noticed: a nonce in the request must come back to its caller and to nobody else.
"""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field

from .setting import REQUEST
from .tally import NONCE
from .wire import Lost, Wire

MODERN, LEGACY = "2026-07-28", ("2025-03-26", "2025-06-18", "2025-11-25")
META = "io.modelcontextprotocol/"
# Nothing may take longer than what the gateway grants each of up to ten rounds; nobody waits for so many.
PATIENCE = 4 * REQUEST
# A running gateway hears of a revocation within a quarter of a second; this machine may be busy.
NOTICE = 3
CANCELLED, TOKEN, UPSTREAM, PARAMS, METHOD = -31003, -31002, -32603, -32602, -32601
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Asked:
    """A request under way."""

    id: object
    method: str
    token: object
    own: set
    progress: bool = False
    cancelled: bool = False
    # The word that it is not wanted any more, on its way.
    told: asyncio.Task | None = None
    # Answers a question of the server's: method and parameters in, result or nothing out.
    answer: object = None
    started: float = field(default_factory=time.monotonic)
    agent: str = ""
    status: int = 0
    headers: dict = field(default_factory=dict)
    message: dict | None = None
    last: float = -1.0

    def result(self):
        return (self.message or {}).get("result")

    def error(self):
        return (self.message or {}).get("error") or {}

    def __str__(self):
        return f"{self.agent} {self.method} id {self.id!r}: {self.status} {json.dumps(self.message)[:600]}"


class Caller:
    def __init__(self, number, setting, tally, chance, account, server, modern):
        self.number, self.setting, self.tally, self.chance = number, setting, tally, chance
        self.account, self.server, self.modern = account, server, modern
        self.path = f"/mcp/{server}" if server else "/mcp"
        self.version = MODERN if modern else chance.choice(LEGACY)
        self.asked = self.version != LEGACY[0] and chance.random() < 0.7
        self.wire, self.session, self.sessions = Wire(setting.gateway.port), None, setting.offers("sessions")
        self.token, self.free, self.progress = None, [1, 2, 3], False
        self.streams, self.watched = set(), set()

    def __str__(self):
        era = "modern" if self.modern else "legacy"
        return f"caller {self.number} ({self.account.name}, {era}, {self.path})"

    def owner(self):
        return self.account.name, self.path

    def name(self, server, bare):
        """A tool or prompt as this endpoint has it."""
        return bare if self.server else f"{server}__{bare}"

    def servers(self):
        """The servers that can be reached here."""
        known = self.account.servers()
        return [self.server] if self.server else known

    def abilities(self):
        return {"elicitation": {}, "sampling": {}, "roots": {}} if self.asked else {}

    def violation(self, kind, asked):
        self.tally.violation(kind, f"{self} {asked}")

    # Sending.

    def headers(self, token, **more):
        headers = {
            "Authorization": f"Bearer {token.text}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        if self.modern:
            headers["MCP-Protocol-Version"] = MODERN
        else:
            if self.session:
                headers["Mcp-Session-Id"] = self.session
            if self.session and self.version != LEGACY[0]:
                headers["MCP-Protocol-Version"] = self.version
        return headers | more

    def request(self, asked, params, more):
        params = dict(params)
        meta = {"progressToken": "a"} if asked.progress else {}
        headers = {"User-Agent": asked.agent}
        if self.modern:
            meta[META + "protocolVersion"] = MODERN
            meta[META + "clientCapabilities"] = self.abilities()
            meta[META + "clientInfo"] = {"name": "soak", "version": "1"}
            headers["Mcp-Method"] = asked.method
            if key := NAMED.get(asked.method):
                headers["Mcp-Name"] = params[key]
        if meta:
            params["_meta"] = meta
        message = {"jsonrpc": "2.0", "id": asked.id, "method": asked.method, "params": params}
        return self.headers(asked.token, **headers, **more), json.dumps(message).encode()

    async def ask(self, method, params, own=(), leave=None, cancel=None, answer=None, progress=False, **more):
        """Asks and reads to the end. Nothing where the caller left before that."""
        path, headers = more.pop("path", self.path), more.pop("headers", {})
        number = more.pop("id", None)
        asked = Asked(number or self.take(), method, more.pop("token", self.token), set(own), answer=answer)
        asked.agent = f"soak/{next(self.tally.serials)}"
        asked.progress = progress and not self.progress
        self.progress |= asked.progress
        canceller = None
        try:
            headers, body = self.request(asked, params, headers)
            exchange = await self.wire.send("POST", path, headers, body)
            if leave is not None:
                self.tally.counts["left"] += 1
                await asyncio.sleep(leave)
                exchange.cut()
                return None
            if cancel is not None:
                canceller = asyncio.create_task(self.cancel(asked, cancel))
            await self.read(asked, exchange)
        except (Lost, ValueError, TimeoutError) as error:
            self.violation("no whole answer", f"{asked} {type(error).__name__} {error}")
            return None
        finally:
            if canceller:
                canceller.cancel()
                with suppress(asyncio.CancelledError):
                    await canceller
                # An id is free once nothing about it is on its way: it would take back whoever has it next.
                if asked.told:
                    await asked.told
            if asked.progress:
                self.progress = False
            if number is None:
                self.free.append(asked.id)
        return asked

    def take(self):
        return self.free.pop(0) if self.free else f"more-{next(self.tally.serials)}"

    async def read(self, asked, exchange):
        try:
            async with asyncio.timeout(PATIENCE):
                await exchange.head()
                asked.status, asked.headers = exchange.status, exchange.headers
                async for message in exchange.messages():
                    if message is not None:
                        await self.take_in(asked, message)
        finally:
            if not exchange.ended:
                exchange.cut()
        if asked.message is None and asked.status < 400:
            self.violation("no answer in the answer", asked)
        self.tally.counts["answers"] += 1
        if asked.status != 401:
            verdict = "allow" if asked.result() is not None else None
            self.remember(asked, json.dumps(asked.id), verdict)
        self.timely(asked)

    def remember(self, asked, rpc_id, verdict):
        self.tally.answered[asked.agent] = (self.account.principal(), asked.method, rpc_id, verdict)

    def timely(self, asked):
        """A token is good until it is revoked, and not a moment longer than it takes to hear of it."""
        revoked = asked.token.revoked_at
        if asked.status == 401 and not asked.token.revoking:
            self.violation("a good token was refused", asked)
        elif asked.status != 401 and revoked and asked.started > revoked + NOTICE:
            self.violation("a revoked token was good", asked)

    # What comes back.

    async def take_in(self, asked, message):
        self.foreign(asked, message)
        if "method" in message and "id" in message:
            await self.question(asked, message)
        elif "method" in message:
            self.told(asked, message)
        elif asked.message is not None:
            self.violation("two answers", f"{asked} {message}")
        else:
            asked.message = message
            known = message.get("id")
            same = known == asked.id and type(known) is type(asked.id)
            if not same and not (known is None and asked.status >= 400):
                self.violation("an answer under another id", asked)
            if ("result" in message) == ("error" in message):
                self.violation("neither result nor error", asked)

    def foreign(self, asked, message):
        """No nonce but those of this request."""
        found = set(NONCE.findall(json.dumps(message, ensure_ascii=False)))
        if not found <= asked.own:
            self.violation("another caller's nonce", f"{asked}, not {asked.own}: {json.dumps(message)[:600]}")

    def told(self, asked, message):
        method, params = message["method"], message.get("params", {})
        self.tally.heard[method] += 1
        if method == "notifications/progress":
            if not asked.progress or params.get("progressToken") != "a":
                self.violation("progress that was not asked for", f"{asked} {message}")
            if params.get("progress", -1) <= asked.last:
                self.violation("progress that does not increase", f"{asked} {message}")
            asked.last = params.get("progress", asked.last)
        elif method != "notifications/message" or self.modern:
            self.violation("told what was not asked for", f"{asked} {message}")
        if asked.message is not None:
            self.violation("told after the answer", f"{asked} {message}")

    async def question(self, asked, message):
        """A server asks, in the stream of the call that made it."""
        if self.modern or not asked.answer:
            self.violation("a question to who cannot be asked", f"{asked} {message}")
            return
        self.tally.counts["questions"] += 1
        result = asked.answer(message["method"], message.get("params", {}))
        if result is None:
            # The question stays without an answer: the call is taken back.
            asked.cancelled = True
            await self.notify("notifications/cancelled", {"requestId": asked.id})
        else:
            await self.post({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def cancel(self, asked, after):
        await asyncio.sleep(after)
        asked.cancelled = True
        self.tally.counts["cancelled"] += 1
        asked.told = asyncio.create_task(self.notify("notifications/cancelled", {"requestId": asked.id}))
        await asyncio.shield(asked.told)

    async def notify(self, method, params=None):
        await self.post({"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {}))

    async def post(self, message):
        """Sends what has no answer: a notification, or an answer of ours."""
        token = self.token
        try:
            async with asyncio.timeout(PATIENCE):
                exchange = await self.wire.send("POST", self.path, self.headers(token), json.dumps(message).encode())
                await exchange.head()
                text = await exchange.whole()
        except (Lost, TimeoutError) as error:
            self.tally.violation("no whole answer", f"{self} {message} {error}")
            return
        taken = (202,) if self.session or self.modern or not self.sessions else (202, 400)
        revoked = exchange.status == 401 and token.revoking
        lost = exchange.status == 404 and self.lost()
        if exchange.status not in taken and not revoked and not lost:
            self.tally.violation("not taken", f"{self} {message} {exchange.status} {text[:300]}")

    # Judging.

    def judge(self, asked, expected, server=None):
        """Whether it is the answer that was due: the result, or nothing where there is none to look at."""
        if asked is None:
            return None
        result, error = asked.result(), asked.error()
        code, text = error.get("code"), str(error.get("message"))
        # A call whose stream has begun cannot be 401 any more: revoked under way, it ends with the same error.
        if asked.status == 401 or (code == TOKEN and asked.token.revoking):
            self.tally.counts["refused since revoked"] += 1
            return None
        if expected != "yes":
            wanted = (403,) if expected == "step-up" else (200, 400, 404)
            if result is not None:
                self.violation("a result for a forbidden call", asked)
            elif asked.status not in wanted or (expected == "no" and code != PARAMS):
                self.violation(f"a forbidden call was refused in another way ({expected})", asked)
            else:
                self.tally.counts["forbidden, refused"] += 1
                self.remember(asked, json.dumps(asked.id), "deny")
            return None
        if result is not None:
            if asked.status != 200:
                self.violation("a result with an odd status", asked)
            self.tally.counts["results"] += 1
            return result
        named = f"server `{server}` " if server else "server `"
        # Whose a resource is cannot be said while its server is away.
        nobody = text.startswith("no server that answers offers this resource; ") and f"`{server or ''}" in text
        if code == UPSTREAM and (text.startswith(named) or nobody):
            self.tally.error(text)
        elif code == CANCELLED and asked.cancelled:
            self.tally.counts["cancelled, and answered so"] += 1
        elif asked.status == 503:
            self.tally.error(text)
        elif asked.status == 404 and self.lost():
            self.tally.counts["sessions lost to newer ones"] += 1
        else:
            self.violation("an allowed call was refused", asked)
        return None

    def lost(self):
        """Whether a session may be gone: the owner has too many, and this is not the youngest."""
        if not self.session:
            return False
        own = [owner for owner in self.tally.sessions.values() if owner == self.owner()]
        if len(own) < 64:
            return False
        self.tally.sessions.pop(self.session, None)
        self.session = None
        return True

    async def fresh(self):
        """Waits for a token that is not being revoked."""
        while self.token.revoking:
            await asyncio.sleep(0.05)

    # Sessions.

    async def open(self):
        """Opens a session, where there are such things."""
        self.session, self.watched = None, set()
        params = {
            "protocolVersion": self.version,
            "capabilities": self.abilities(),
            "clientInfo": {"name": "soak", "version": "1"},
        }
        asked = await self.ask("initialize", params)
        result = self.judge(asked, "yes", self.server)
        if result is None:
            return False
        if result["protocolVersion"] != self.version:
            self.violation("another version", asked)
        if self.sessions:
            known = asked.headers.get("mcp-session-id")
            if not known or known in self.tally.opened:
                self.violation("no session of its own", asked)
                return False
            self.session = known
            self.tally.opened[known] = self.owner()
            self.tally.sessions[known] = self.owner()
            self.tally.counts["sessions"] += 1
        await self.notify("notifications/initialized")
        return True

    async def about(self, method, token=None, session=None):
        """`DELETE` or `GET`: the status, and the exchange where it is a stream."""
        asked = Asked(None, method, token or self.token, set(), agent=f"soak/{next(self.tally.serials)}")
        headers = self.headers(asked.token, **{"User-Agent": asked.agent}) | {"Accept": "text/event-stream"}
        if session:
            headers["Mcp-Session-Id"] = session
        try:
            async with asyncio.timeout(PATIENCE):
                exchange = await (await self.wire.send(method, self.path, headers)).head()
                asked.status = exchange.status
                if not exchange.streams():
                    text = await exchange.whole()
                    asked.message = json.loads(text) if text else None
        except (Lost, TimeoutError) as error:
            self.violation("no whole answer", f"{asked} {error}")
            return asked, None
        if asked.status != 401:
            self.remember(asked, None, "allow" if asked.status in (200, 204) else "deny")
        self.timely(asked)
        return asked, exchange

    async def leave(self):
        """Ends the session, or forgets it."""
        session, self.session = self.session, None
        if session and self.chance.random() < 0.7:
            asked, _ = await self.about("DELETE", session=session)
            if asked.status in (204, 404):
                self.tally.sessions.pop(session, None)
            elif asked.status != 401:
                self.violation("a session was not ended", asked)
        elif session:
            self.tally.counts["sessions abandoned"] += 1
