"""What kinds of jobs there are: a name, typed arguments, a typed result, and how patient the queue is with them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from shared.errors import ConfigurationError, UsageError

A = TypeVar("A")
R = TypeVar("R")

ATTEMPTS_MAX: Final = 20
BACKOFF_SECONDS_MAX: Final = 86_400.0
_BACKOFF_BASE_SECONDS: Final = 15.0
_JITTER: Final = 0.1


def backoff(attempt: int) -> float:
    """Seconds to wait after the failed `attempt` (from 1): 15 s and twice as long each time, a tenth of jitter."""
    seconds = min(BACKOFF_SECONDS_MAX, _BACKOFF_BASE_SECONDS * 2.0 ** min(attempt - 1, 30))
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - jitter


@dataclass(frozen=True)
class Kind(Generic[A, R]):
    """A kind of job; `args` and `result` are types that msgspec can read and write."""

    name: str
    args: type[A]
    result: type[R]
    queue: str = "default"
    attempts_max: int = ATTEMPTS_MAX
    timeout_seconds: float | None = None
    backoff: Callable[[int], float] = backoff


class Kinds:
    """The kinds a process knows; what is not among them is refused before it is queued."""

    def __init__(self, kinds: Iterable[Kind[Any, Any]] = ()) -> None:
        self._kinds: dict[str, Kind[Any, Any]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind[Any, Any]) -> None:
        """Add one; raises `ConfigurationError` when another of its name is there."""
        if self._kinds.setdefault(kind.name, kind) is not kind:
            raise ConfigurationError(f"two kinds of jobs are called {kind.name}; rename one")

    def __getitem__(self, name: str) -> Kind[Any, Any]:
        """Look one up; raises `UsageError` that lists what there is."""
        try:
            return self._kinds[name]
        except KeyError:
            raise UsageError(f"no kind of job is called {name}; there are {', '.join(sorted(self._kinds))}") from None

    def __iter__(self) -> Iterator[Kind[Any, Any]]:
        return iter(self._kinds.values())

    def __contains__(self, name: object) -> bool:
        return name in self._kinds
