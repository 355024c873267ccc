"""The mesh as it changes, in a terminal: the same picture as the dashboard's first page, from the same answers."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mesh.shown import duration
from shared.commandline import print_json, printable
from shared.config import Settings
from shared.errors import ContractError, UnreachableError

EVERY_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
POINTS: Final = 60
FEED: Final = 12
INSTANCES: Final = 20
_BARS: Final = "▁▂▃▄▅▆▇█"
_MARKS: Final = {
    "online": ("●", "green"),
    "paused": ("‖", "yellow"),
    "draining": ("↓", "yellow"),
    "suspect": ("?", "yellow"),
    "inactive": ("○", "red"),
    "offline": ("·", "dim"),
}


class Picture(Struct, frozen=True):
    """What is shown at once, as the API answers it."""

    overview: dict[str, Any]
    instances: list[dict[str, Any]]
    learned: list[float | None]
    """Events per minute, a minute apart."""
    feed: list[dict[str, Any]]


def watch(url: str, settings: Settings, *, as_json: bool) -> None:
    """Draw again and again until interrupted: on a terminal in place, else, and as JSON, one picture after another.

    Centralcloud may be away for a while: that is said, and it is asked again.
    """
    console = Console()
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(Live(console=console, screen=True)) if console.is_terminal and not as_json else None
        while True:
            try:
                picture = look(url, settings.tenant, settings.http_token or settings.http_read_token)
            except UnreachableError as error:
                shown: RenderableType = Text(str(error))
                told: Any = {"error": str(error)}
            else:
                shown, told = drawn(picture), picture
            if as_json:
                print_json(told)
            elif live is not None:
                live.update(shown, refresh=True)
            else:
                console.print(shown)
            time.sleep(EVERY_SECONDS)


def look(url: str, tenant: str, token: str | None) -> Picture:
    """Ask once."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_SECONDS)
    try:
        ask = _Asking(connection, tenant, token)
        return Picture(
            overview=ask("overview"),
            instances=ask("instances", limit=INSTANCES)["items"],
            learned=ask("series", name="learned", seconds=3_600, points=POINTS)["values"],
            feed=ask("activity", limit=FEED)["items"],
        )
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"centralcloud does not answer at {url} ({error}); see `flocklore status`") from error
    finally:
        connection.close()


class _Asking:
    """Asks the API over one connection."""

    def __init__(self, connection: http.client.HTTPConnection, tenant: str, token: str | None) -> None:
        self._connection = connection
        self._tenant = tenant
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, what: str, **query: object) -> Any:
        words = urlencode({"tenant": self._tenant, **query})
        self._connection.request("GET", f"/api/v1/{what}?{words}", headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise ContractError(f"centralcloud answers {response.status} to {what}: {body[:200]!r}")
        return msgspec.json.decode(body)


def drawn(picture: Picture) -> RenderableType:
    """Lay a picture out."""
    return Group(_tiles(picture.overview, picture.learned), _instances(picture.instances), _feed(picture.feed))


def sparkline(values: Sequence[float | None]) -> str:
    """Draw a series in one line of bars; a gap where nothing was measured."""
    top = max((value for value in values if value is not None), default=0.0)
    if top == 0:
        return "".join(" " if value is None else _BARS[0] for value in values)
    return "".join(" " if value is None else _BARS[round(value / top * (len(_BARS) - 1))] for value in values)


def _tiles(overview: Mapping[str, Any], learned: Sequence[float | None]) -> RenderableType:
    rates, adoption, leader = overview["rates"], overview["adoption"], overview["leader"]
    tiles = [
        ("instances", _by_status(overview["instances"])),
        ("patterns", _number(overview["patterns"])),
        ("insights", f"{overview['insights']} (version {overview['insight_version']})"),
        ("learned", f"{_number(rates['events'])} a minute  {sparkline(learned)}"),
        (
            "adopted",
            f"{adoption['up_to_date']} of {adoption['instances']}, half in {_seconds(adoption['p50_seconds'])}",
        ),
        ("leader", f"{leader['candidate']} since epoch {leader['epoch']}" if leader else "nobody leads"),
        ("waiting", f"{overview['waiting']} to merge, {overview['dead_letters']} unreadable"),
    ]
    return Columns([Panel(Text(printable(text)), title=name, title_align="left") for name, text in tiles], expand=True)


def _instances(instances: Sequence[Mapping[str, Any]]) -> RenderableType:
    laid_out = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for column in ("", "instance", "load", "heard", "learned", "on its way", "patterns", "insights behind"):
        laid_out.add_column(column, justify="left" if column in ("", "instance") else "right")
    for one in instances:
        mark, style = _MARKS.get(one["status"], ("?", ""))
        cells = [
            one["instance_id"],
            str(one["load"]),
            f"{duration(one['seconds_since_heartbeat'])} ago",
            str(one["learned"]),
            str(one["lag"]),
            _number(one["patterns"]),
            str(one["insight_lag"]),
        ]
        laid_out.add_row(Text(f"{mark} {one['status']}", style=style), *map(Text, map(printable, cells)))
    return laid_out


def _feed(feed: Sequence[Mapping[str, Any]]) -> RenderableType:
    lines = Text()
    for item in feed:
        at = datetime.fromisoformat(item["at"]).astimezone()
        told = ", ".join(f"{key} {value}" for key, value in item["data"].items() if value not in (None, 0, ""))
        lines.append(f"{at:%H:%M:%S} ", style="dim")
        lines.append(printable(f"{item['kind']:<11} {item['instance'] or '':<20} {told}") + "\n")
    return lines


def _by_status(instances: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in instances.items()) or "none yet"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
