"""What is asked: from a path, a query string and a JSON body to one struct."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from schemas.replies import ErrorCode
from shared.web.endpoint import JSON
from shared.web.refusal import RefusedError

TENANT: Final = "flocklore.tenant"
"""In the scope of a request: the one tenant it may be about; None: any."""

WANTS_PRIMARY: Final = ContextVar("flocklore.wants_primary", default=False)
"""Whether this request says `Cache-Control: no-cache`: it is not to be answered from a replica of the database."""

PARAMETERS_MAX: Final = 100
BODY_SECONDS_MAX: Final = 10.0
"""From the head of a request to the end of its body."""

_LISTS: Final = (msgspec.inspect.ListType, msgspec.inspect.SetType, msgspec.inspect.VarTupleType)


class Reader:
    """Reads requests as one kind of struct; several values of a parameter are a list."""

    def __init__(self, query: type[Struct], *, has_body: bool, bytes_max: int) -> None:
        self._query = query
        self._has_body = has_body
        self._bytes_max = bytes_max
        fields = _fields(query)
        self._names = {field.encode_name for field in fields}
        self._lists = {field.encode_name for field in fields if _is_list(field.type)}

    async def read(self, scope: Scope, receive: Receive) -> Any:
        """Give the struct; raises `RefusedError` 400, 408, 413, 415 or 422."""
        WANTS_PRIMARY.set("no-cache" in Headers(scope=scope).get("cache-control", "").lower())
        told = self._parameters(scope)
        if self._has_body:
            body = await read_body(scope, receive, self._bytes_max)
            if body:
                told = _joined(told, _document(scope, body))
        if "tenant" in self._names:
            told = bound(scope, told)
        if (name := _unkeepable(told)) is not None:
            raise _invalid(f"{name} has a NUL in it, which no text can have here", name)
        if strange := sorted(told.keys() - self._names):
            known = ", ".join(sorted(self._names)) or "none"
            raise _invalid(f"{strange[0]} is no parameter of this; there are: {known}", strange[0])
        try:
            return msgspec.convert(told, self._query, strict=False)
        except msgspec.ValidationError as error:
            raise _invalid(str(error), _field(str(error))) from error

    def _parameters(self, scope: Scope) -> dict[str, Any]:
        told: dict[str, Any] = dict(scope.get("path_params", {}))
        found: dict[str, Any] = {}
        for name, value in _pairs(scope["query_string"]):
            if name in self._lists:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise _malformed(f"{name} is given twice")
            else:
                found[name] = value
        return _joined(told, found)


def bound(scope: Scope, told: dict[str, Any]) -> dict[str, Any]:
    """See that who has the token of one tenant asks about that one; raises `RefusedError` 403."""
    tenant: str | None = scope.get(TENANT)
    if tenant is None:
        return told
    if told.get("tenant", tenant) != tenant:
        raise RefusedError(403, ErrorCode.UNAUTHORIZED, f"this token is for the tenant {tenant} alone")
    return {**told, "tenant": tenant}


def _unkeepable(told: Mapping[str, Any]) -> str | None:
    """Name a parameter with a NUL in it, which PostgreSQL neither keeps nor compares."""
    return next((name.replace("\0", "") for name, value in told.items() if _has_nul(name) or _has_nul(value)), None)


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_nul, value))
        case dict():
            return any(_has_nul(key) or _has_nul(one) for key, one in value.items())
    return False


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:
        raise _malformed("the query string cannot be read") from error


async def read_body(scope: Scope, receive: Receive, bytes_max: int) -> bytes:
    """Give the whole body; `RefusedError` 413 as soon as it is known to be too large, 408 when it is late."""
    check_length(scope, bytes_max)
    received = timely(limited(receive, bytes_max))
    chunks: list[bytes] = []
    while True:
        message = await received()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def check_length(scope: Scope, bytes_max: int) -> None:
    """Refuse with 413 a body that says of itself that it is too large."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdigit() and int(announced) > bytes_max:
        raise _too_large(bytes_max)


def limited(receive: Receive, bytes_max: int) -> Receive:
    """Let no more than so many bytes of a body through; the read that passes it raises `RefusedError` 413."""
    size = 0

    async def received() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > bytes_max:
            raise _too_large(bytes_max)
        return message

    return received


def timely(receive: Receive) -> Receive:
    """Let a body come in time: a read after that raises `RefusedError` 408, one after who asked went away 400."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BODY_SECONDS_MAX

    async def received() -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise _too_late() from error
        if message["type"] == "http.disconnect":
            raise _malformed("the request ended before its body did")
        return message

    return received


def _too_late() -> RefusedError:
    """With the end of the connection: the rest of the body is not waited for."""
    message = f"the body did not come within {BODY_SECONDS_MAX:g} s; send it faster, or in parts"
    return RefusedError(408, ErrorCode.TIMEOUT, message, headers={"connection": "close"})


def _too_large(bytes_max: int) -> RefusedError:
    return RefusedError(413, ErrorCode.INVALID_REQUEST, f"the body is larger than {bytes_max} bytes; send it in parts")


def _document(scope: Scope, body: bytes) -> dict[str, Any]:
    form = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if form != JSON:
        raise RefusedError(415, ErrorCode.INVALID_REQUEST, f"the body must be {JSON}")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _malformed("the body must be an object")
    return document


def _joined(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    if twice := sorted(one.keys() & other.keys()):
        raise _malformed(f"{twice[0]} is given twice")
    return {**one, **other}


def _fields(query: type[Struct]) -> tuple[msgspec.inspect.Field, ...]:
    described = msgspec.inspect.type_info(query)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(f"{query} is no struct")
    return described.fields


def _is_list(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(isinstance(one, _LISTS) for one in kind.types)
    return isinstance(kind, _LISTS)


def _field(message: str) -> str:
    """Read the field from msgspec's "... - at `$.field`"; empty when it names none."""
    return message.partition("`$.")[2].rstrip("`").partition("[")[0].partition(".")[0]


def _malformed(message: str) -> RefusedError:
    return RefusedError(400, ErrorCode.INVALID_REQUEST, message)


def _invalid(message: str, field: str) -> RefusedError:
    return RefusedError(422, ErrorCode.VALIDATION_ERROR, message, details={"field": field} if field else None)
