"""Finding an endpoint: by a look into a dictionary, where Starlette would try the pattern of every route in turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from starlette.convertors import Convertor
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

_NONE: Final[Mapping[str, Any]] = {}

Methods = dict[str, ASGIApp]


class Placed(NamedTuple):
    """An application, and the method and path it answers."""

    method: str
    path: str
    app: ASGIApp


class _Pattern(NamedTuple):
    """A path with parameters in it."""

    regex: re.Pattern[str]
    convertors: dict[str, Convertor[Any]]
    methods: Methods


class Table(BaseRoute):
    """One route for many paths: those without parameters first, the others in the order they were given."""

    def __init__(self, entries: Iterable[Placed]) -> None:
        by_path: dict[str, Methods] = {}
        for entry in entries:
            by_path.setdefault(entry.path, {})[entry.method] = entry.app
        for methods in by_path.values():
            if "GET" in methods:
                methods.setdefault("HEAD", methods["GET"])
        self._plain = {path: methods for path, methods in by_path.items() if "{" not in path}
        self._patterns = [_pattern(path, methods) for path, methods in by_path.items() if "{" in path]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find what answers; a path that is known answers other methods, too: that it does not."""
        if scope["type"] != "http":
            return Match.NONE, {}
        found = self._find(scope["path"])
        if found is None:
            return Match.NONE, {}
        methods, parameters = found
        app = methods.get(scope["method"]) or _refusing(methods)
        return Match.FULL, {"endpoint": app, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it answer."""
        await scope["endpoint"](scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Nothing here has a name."""
        raise NoMatchFound(name, path_params)

    def _find(self, path: str) -> tuple[Methods, Mapping[str, Any]] | None:
        if (methods := self._plain.get(path)) is not None:
            return methods, _NONE
        for pattern in self._patterns:
            if match := pattern.regex.match(path):
                told = match.groupdict()
                return pattern.methods, {name: pattern.convertors[name].convert(told[name]) for name in told}
        return None


def _pattern(path: str, methods: Methods) -> _Pattern:
    regex, _, convertors = compile_path(path)
    return _Pattern(regex, convertors, methods)


def _refusing(methods: Methods) -> ASGIApp:
    async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise HTTPException(405, headers={"allow": ", ".join(sorted(methods))})

    return refuse
