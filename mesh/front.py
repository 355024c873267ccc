"""Where centralcloud answers over HTTP: on one port, the same at every start."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Final

from shared.config import Settings
from shared.embedded.ports import LOOPBACK, free_port

DEFAULT_PORT: Final = 8080
_FILES: Final = ("http.json", "http-standby.json")
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - where it listens is not decided here


class Chosen:
    """Ports that were chosen, by whom: somebody will listen there, and does not yet."""

    def __init__(self) -> None:
        self._by: dict[Path, int] = {}
        self._choosing = Lock()  # parts are started in threads of their own

    def choose(self, who: Path, preferred: int) -> int:
        """Choose this port or the next that is free and nobody else's; 0 leaves the choice to the system."""
        with self._choosing:
            self._by.pop(who, None)
            port = free_port(preferred)
            while port in self._by.values():
                port = free_port(port + 1)
            self._by[who] = port
            return port


class Front:
    """The port that was asked for, or the one of the last time, or the next that is free.

    Fronts with the same `chosen` never choose the same; that of the standby, in `place` 1, begins to look one further.
    """

    def __init__(self, state: Path, settings: Settings, chosen: Chosen | None = None, place: int = 0) -> None:
        self._file = state / _FILES[place]
        self._place = place
        self._chosen = chosen or Chosen()
        self._asked = settings.http_port
        self._host = LOOPBACK if settings.http_host in _EVERYWHERE else settings.http_host
        self._port: int | None = None

    def choose(self) -> int:
        """Choose a port anew, as somebody else may have taken the last one, and remember it."""
        self._port = port = self._chosen.choose(self._file, self._preferred())
        unfinished = self._file.with_name(f"{self._file.name}.unfinished")
        unfinished.write_text(json.dumps({"port": port}) + "\n", encoding="ascii")
        unfinished.replace(self._file)
        return port

    @property
    def url(self) -> str | None:
        """What to open in a browser; None before a port was chosen."""
        if self._port is None:
            return None
        return f"http://[{self._host}]:{self._port}" if ":" in self._host else f"http://{self._host}:{self._port}"

    def _preferred(self) -> int:
        if self._asked is None:
            return self._kept() or DEFAULT_PORT + self._place
        return self._asked + self._place if self._asked else 0

    def _kept(self) -> int | None:
        try:
            return int(json.loads(self._file.read_bytes())["port"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
