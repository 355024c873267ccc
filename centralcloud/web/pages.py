"""The dashboard: files of this package, served as they are, under a policy that lets a page load nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

STATIC: Final = Path(__file__).parent / "static"
PAGES: Final = ("instances", "patterns", "insights", "jobs", "results", "bus", "system")
"""Beside the overview at `/`; what follows a page in its path is for the page itself to read."""

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; whatever else lies there, licences for example, is not."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page(NamedTuple):
    """A file as it is served."""

    body: bytes
    media_type: str
    etag: str


def routes() -> list[BaseRoute]:
    """Read the files once and serve them: the page under each address it has, the others under `/assets/`."""
    index = _serving(_read(STATIC / "index.html"))
    addresses = ["/", *(f"/{page}{rest}" for page in PAGES for rest in ("", "/{id}"))]
    files = sorted(path for path in STATIC.rglob("*") if path.suffix in TYPES)
    return [
        *(Route(address, index) for address in addresses),
        *(Route(f"/assets/{path.relative_to(STATIC).as_posix()}", _serving(_read(path))) for path in files),
    ]


def _read(path: Path) -> Page:
    body = path.read_bytes()
    return Page(body, TYPES[path.suffix], f'"{blake2b(body, digest_size=16).hexdigest()}"')


def _serving(page: Page) -> Callable[[Request], Awaitable[Response]]:
    headers = {
        "cache-control": "no-cache",  # asked for again each time, and answered 304: an upgrade shows at once
        "content-security-policy": POLICY,
        "etag": page.etag,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }

    async def serve(request: Request) -> Response:
        if _has(request, page.etag):
            return Response(status_code=304, headers=headers)
        return Response(page.body, headers=headers, media_type=page.media_type)

    return serve


def _has(request: Request, etag: str) -> bool:
    """Whether the browser has this very file already; what it says may be weakened by a proxy on the way."""
    told = request.headers.get("if-none-match", "")
    return told.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in told.split(","))
