"""Something that stands between as pgBouncer does: it refuses settings, and what is notified is not passed on."""

from __future__ import annotations

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

_FATAL = b"SFATAL\0C08P01\0Munsupported startup parameter in options: synchronous_commit\0\0"


@asynccontextmanager
async def pooler(url: str, directory: Path) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Stand between clients and the server of a URL with a unix socket; gives the new URL, and counts what it saw."""
    seen: Counter[str] = Counter()
    behind = f"{parse_qs(urlsplit(url).query)['host'][0]}/.s.PGSQL.5432"
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await _between(reader, writer, behind, seen)
        writer.close()

    server = await asyncio.start_unix_server(serve, directory / ".s.PGSQL.5432")
    try:
        yield f"{urlsplit(url)._replace(query='').geturl()}?host={quote(str(directory))}", seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _between(reader: StreamReader, writer: StreamWriter, behind: str, seen: Counter[str]) -> None:
    first = await _packet(reader)
    if b"options\0" in first:
        seen["refused"] += 1
        writer.write(b"E" + struct.pack("!i", 4 + len(_FATAL)) + _FATAL)
        await writer.drain()
        return
    back, forth = await asyncio.open_unix_connection(behind)
    try:
        forth.write(first)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(reader, forth, seen))
            group.create_task(_pass_on(back, writer, seen))
    except* (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        forth.close()


async def _pass_on(source: StreamReader, sink: StreamWriter, seen: Counter[str]) -> None:
    while True:
        kind = await source.readexactly(1)
        message = await _packet(source)
        if kind == b"A":
            seen["swallowed"] += 1
            continue
        if kind == b"P" and message[4:5] != b"\0":
            seen["prepared"] += 1
        sink.write(kind + message)
        await sink.drain()


async def _packet(reader: StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(struct.unpack("!i", length)[0] - 4)
