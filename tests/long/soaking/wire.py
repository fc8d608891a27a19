"""HTTP/1.1 as far as callers of the gateway speak it: kept connections, whole answers and event streams."""

import asyncio
import json
import time

# A kept connection that was idle for so long is not used again: the gateway may be closing it (75 s).
FRESH = 30
LARGEST = 1 << 24


class Lost(Exception):
    """A connection ended where an answer was due."""


class Wire:
    """The connections of one caller."""

    def __init__(self, port):
        self.port, self.idle, self.open = port, [], set()

    async def send(self, method, path, headers, body=b""):
        """Sends a request; whatever comes back is read from the exchange."""
        reader, writer = await self._connection()
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return Exchange(self, reader, writer)

    async def _connection(self):
        while self.idle:
            reader, writer, since = self.idle.pop()
            if time.monotonic() - since < FRESH and not reader.at_eof() and not writer.is_closing():
                return reader, writer
            self.drop(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LARGEST)
        self.open.add(writer)
        return reader, writer

    def keep(self, reader, writer):
        self.idle.append((reader, writer, time.monotonic()))

    def drop(self, writer):
        self.open.discard(writer)
        writer.transport.abort()

    def close(self):
        """Ends every connection, abruptly."""
        self.idle.clear()
        for writer in list(self.open):
            self.drop(writer)


class Exchange:
    """A request that was sent, and its answer as it comes."""

    def __init__(self, wire, reader, writer):
        self.wire, self.reader, self.writer = wire, reader, writer
        self.status, self.headers, self.ended = None, {}, False

    async def head(self):
        """Reads status and header fields."""
        try:
            await self.writer.drain()
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (OSError, asyncio.IncompleteReadError) as error:
            self.cut()
            raise Lost(f"no answer: {error}") from None
        first, *rest = text[:-4].split("\r\n")
        self.status = int(first.split(" ", 2)[1])
        for line in rest:
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        return self

    def cut(self):
        """Leaves, without a word."""
        self.ended = True
        self.wire.drop(self.writer)

    def streams(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    async def pieces(self):
        """The body, piece by piece."""
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    yield (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readuntil(b"\r\n")
            elif length := int(self.headers.get("content-length", 0)):
                yield await self.reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.cut()
            raise Lost(f"the answer broke off: {error}") from None
        self.ended = True
        if self.headers.get("connection", "").lower() == "close":
            self.wire.drop(self.writer)
        else:
            self.wire.keep(self.reader, self.writer)

    async def whole(self):
        return b"".join([piece async for piece in self.pieces()])

    async def messages(self):
        """Every message: one where the answer is whole, else one an event; nothing for a sign of life."""
        if not self.streams():
            body = await self.whole()
            if body:
                yield json.loads(body)
            return
        waiting = b""
        async for piece in self.pieces():
            waiting += piece
            *events, waiting = waiting.split(b"\n\n")
            for event in events:
                data = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
                yield json.loads(b"\n".join(data)) if any(data) else None
        if waiting.strip():
            raise ValueError(f"an event without an end: {waiting[:200]!r}")
