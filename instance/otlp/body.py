"""The body of a request: read in time, unpacked, and never larger than it may be."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.requests import ClientDisconnect, Request

from shared.errors import FlockloreError

BYTES_MAX: Final = 4 * 1024 * 1024
"""Unpacked; packed it is never larger either."""

READ_SECONDS_MAX: Final = 10.0
GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class RefusalError(FlockloreError):
    """A request is not taken; `status` is HTTP's, and says whether to send it again."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def unpacked(request: Request) -> bytes:
    """Read a body; raises `RefusalError` when it is too large or too slow, is cut off, or packed otherwise."""
    unpack = _unpacking(request.headers.get("content-encoding", "identity").strip().lower())
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            return await _read(request, unpack)
    except TimeoutError as error:
        raise RefusalError(408, f"the body did not come within {READ_SECONDS_MAX:g} seconds") from error
    except ClientDisconnect as error:
        raise RefusalError(400, "the body was cut off") from error


async def _read(request: Request, unpack: _Plain | _Gzip) -> bytes:
    body, packed = bytearray(), 0
    async for chunk in request.stream():
        packed += len(chunk)
        body += unpack.more(chunk, BYTES_MAX + 1 - len(body))
        if max(packed, len(body)) > BYTES_MAX:
            raise RefusalError(413, f"the body is larger than {BYTES_MAX} bytes; export smaller batches")
    unpack.end()
    return bytes(body)


def _unpacking(encoding: str) -> _Plain | _Gzip:
    if encoding in ("identity", ""):
        return _Plain()
    if encoding == "gzip":
        return _Gzip()
    raise RefusalError(415, "the body may be packed with gzip, or not at all")


class _Plain:
    """What is not packed."""

    def more(self, chunk: bytes, bytes_max: int) -> bytes:
        return chunk[:bytes_max]

    def end(self) -> None:
        """There is nothing to complete."""


class _Gzip:
    """Unpacks as far as it is let, so that little cannot become much."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(GZIP_WINDOW)

    def more(self, chunk: bytes, bytes_max: int) -> bytes:
        try:
            found = self._stream.decompress(chunk, bytes_max)
        except zlib.error as error:
            raise RefusalError(400, "the body is not packed with gzip") from error
        if self._stream.unused_data:
            raise RefusalError(400, "something follows what is packed with gzip")
        return found

    def end(self) -> None:
        if not self._stream.eof:
            raise RefusalError(400, "the body packed with gzip is cut off")
