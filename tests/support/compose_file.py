"""compose.yaml read as an engine reads it, for a machine without one: what is mounted stands below a directory here.

Each service has a root of its own; in it links stand for mounts, and a volume is a directory that several may link to.
Only paths and addresses are different from what a container would see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML

from shared.embedded.ports import LOOPBACK, free_port
from tests.support.processes import REPOSITORY

COMPOSE: Final = REPOSITORY / "compose.yaml"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_ADDRESS: Final = re.compile(r"(?<![\w.-])([a-z0-9][a-z0-9.-]*):(\d{4,5})\b")
_IN_THE_IMAGE: Final = re.compile(r"\b(FLOCKLORE_\w+)=(\S+)")
_OWN: Final = {"0.0.0.0", "127.0.0.1"}


class Mount(NamedTuple):
    """What a service finds at a path: a directory or file of this machine."""

    source: Path
    target: str


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}`."""
    return _VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", text)


def document() -> dict[str, Any]:
    """The file as it stands."""
    read: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
    return read


class ComposeFile:
    """The services, with what `variables` say, below `directory`."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.directory = directory
        self._variables = variables
        self._services: dict[str, dict[str, Any]] = document()["services"]
        self._ports: dict[tuple[str, int], int] = {}

    def root(self, service: str) -> Path:
        """Where the files of a service are."""
        return self.directory / service

    def volume(self, name: str) -> Path:
        """Where a volume is."""
        return self.directory / "volumes" / name

    def mounts(self, service: str) -> list[Mount]:
        """What is mounted, the outer before the inner."""
        found = [self._mount(interpolated(text, self._variables)) for text in self._services[service]["volumes"]]
        return sorted(found, key=lambda mount: mount.target)

    def lay_out(self, service: str) -> Path:
        """Make the root of a service, with its mounts and what is in memory; returns it."""
        root = self.root(service)
        for mount in self.mounts(service):
            if not mount.source.exists():
                mount.source.mkdir(parents=True)
            place = root / mount.target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.symlink_to(mount.source)
        for path in self._in_memory(service):
            (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        return root

    def command(self, service: str) -> list[str]:
        """The words of its command."""
        return [self.here(service, word) for word in self._services[service]["command"]]

    def environment(self, service: str) -> dict[str, str]:
        """What the image and the file say."""
        dockerfile = (REPOSITORY / "deploy" / "Dockerfile").read_text(encoding="utf-8")
        built_in = dict(_IN_THE_IMAGE.findall(dockerfile)) if self._services[service].get("build") else {}
        said = {name: interpolated(str(value), self._variables) for name, value in self._said(service).items()}
        found = {name: self.here(service, value) for name, value in {**built_in, **said}.items()}
        return found | ({"PORT": str(self.port(service, int(found["PORT"])))} if "PORT" in found else {})

    def check(self, service: str) -> list[str]:
        """The command that says whether it is healthy."""
        words: list[str] = self._services[service]["healthcheck"]["test"]
        assert words[0] == "CMD"
        return [self.here(service, word) for word in words[1:]]

    def port(self, service: str, inside: int) -> int:
        """The port here that stands for one of a service."""
        while (service, inside) not in self._ports:
            # Of the system's choice: tests that run beside this one look for ports as well.
            if (port := free_port(0)) not in self._ports.values():
                self._ports[service, inside] = port
        return self._ports[service, inside]

    def here(self, service: str, text: str) -> str:
        """Put the paths and addresses of this machine in the place of those that only a container knows."""
        places = [*(mount.target for mount in self.mounts(service)), *self._in_memory(service)]
        paths = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
        located = re.sub(
            rf"(?<![\w.])(?:{paths})(?=[/\s\"',]|$)", lambda found: f"{self.root(service)}{found[0]}", text
        )
        return _ADDRESS.sub(lambda found: self._address(service, found[1], int(found[2])), located)

    def _address(self, service: str, host: str, port: int) -> str:
        if host not in self._services and host not in _OWN:
            return f"{host}:{port}"
        return f"{LOOPBACK}:{self.port(service if host in _OWN else host, port)}"

    def _said(self, service: str) -> Mapping[str, Any]:
        said: Mapping[str, Any] = self._services[service].get("environment", {})
        return said

    def _in_memory(self, service: str) -> list[str]:
        return [text.partition(":")[0] for text in self._services[service].get("tmpfs", [])]

    def _mount(self, text: str) -> Mount:
        source, target, *_ = text.split(":")
        if source[0] in "./":
            return Mount((REPOSITORY / source).resolve(), target)
        return Mount(self.volume(source), target)
