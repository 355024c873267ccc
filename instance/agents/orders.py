"""What is handed from one step of a study to the next: values that another process can go on with."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from msgspec import Struct, field

from instance.analysis.workspace import Skipped


class Order(Struct, frozen=True, kw_only=True):
    """Which directory to study."""

    root: str


class Part(Struct, frozen=True, kw_only=True):
    """Files to be mined together."""

    root: str
    look: str
    """Names the walk that found them."""
    first: bool
    """Whether this is the first scan of the directory."""
    in_process: bool
    """Whether there is so much to read in all that processes are worth their start."""
    begun: float
    """When the study began, in seconds since 1970."""
    packed: bytes
    """Their paths: a large repository has hundreds of thousands, and every one goes through the database."""

    @property
    def paths(self) -> list[str]:
        """Paths of the files, below the root."""
        return zlib.decompress(self.packed).decode().split("\0")


def pack_paths(paths: Iterable[str]) -> bytes:
    """Return paths as a part holds them."""
    return zlib.compress("\0".join(paths).encode())


class Found(Struct, frozen=True, kw_only=True):
    """What a walk through a directory found against what was known of it."""

    root: str
    look: str
    """Names this walk, so that later steps in the same process need not walk again."""
    begun: float
    parts: list[Part]
    unchanged: int
    removed: int
    rest: int
    """How many files to read are left for another study."""
    skipped: Skipped
    touched: frozenset[str] | None
    """Fingerprints, in hex, of patterns whose counts changed; None when it is quicker to look at all."""


class Mined(Struct, frozen=True, kw_only=True):
    """What mining one part did."""

    files: int
    bytes: int
    touched: frozenset[str] | None
    left_out: Skipped


class AgentOrder(Struct, frozen=True, kw_only=True):
    """Which agent shall study; `inputs` is the digest of what it may depend on."""

    root: str
    look: str
    agent: str
    inputs: str


class Published(Struct, frozen=True, kw_only=True):
    """How many events were said, who is to study next, and what is gone because its agent is."""

    said: int
    due: list[AgentOrder]
    touched: frozenset[str]


class Consulted(Struct, frozen=True, kw_only=True):
    """Fingerprints of an agent's findings that changed or are gone."""

    agent: str
    touched: frozenset[str]


class Scan(Struct, frozen=True, kw_only=True):
    """What one study of a directory did."""

    root: str
    read: int = 0
    unchanged: int = 0
    removed: int = 0
    rest: int = 0
    """How many files are left for another study."""
    bytes: int = 0
    said: int = 0
    seconds: float = 0.0
    skipped: Skipped = field(default_factory=Skipped)
    left_out: Skipped = field(default_factory=Skipped)
    """Of the files read."""

    @property
    def changed(self) -> bool:
        """Whether anything was read or removed."""
        return bool(self.read or self.removed)
