"""How stale a replica is, told from notes of where the primary was. Pure.

A replica that has replayed up to a note shows everything committed before it. So the age of the newest such note says
how stale an answer is at most: by one clock, whether or not the replica still hears of the primary.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from msgspec import Struct

NOTES_MAX: Final = 900
"""A quarter of an hour, one a second."""


class Lag(Struct, frozen=True):
    """How far behind: seconds at most, and bytes of the log that are still to be replayed."""

    seconds: float
    bytes: int


class Standing(NamedTuple):
    """Where a server is in the log, and which one it is."""

    place: int
    follows: bool
    """Whether it replays what another one writes."""
    started: float
    shown_seconds: float
    """How long ago the last change was committed that it shows, by the clocks of both servers."""


class Note(NamedTuple):
    """The primary was here at this moment, in seconds of any clock that never goes back."""

    at: float
    place: int


class Notes:
    """Where the primary was, oldest first."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque(maxlen=NOTES_MAX)

    def __bool__(self) -> bool:
        return bool(self._notes)

    def add(self, note: Note) -> None:
        """Remember one more; after a failover that lost something the log goes on from before."""
        while self._notes and self._notes[-1].place > note.place:
            self._notes.pop()
        self._notes.append(note)

    def lag(self, standing: Standing, now: float, *, primary_answers: bool) -> Lag:
        """How far behind a server is; 0 s when it has all that was known of at the last look, and that was just now.

        Further behind than all notes: since its last change, or the oldest note, whichever is longer ago.
        """
        behind = max(0, self._notes[-1].place - standing.place)
        if primary_answers and not behind:
            return Lag(0.0, 0)
        reached = next((note.at for note in reversed(self._notes) if note.place <= standing.place), None)
        if reached is None:
            return Lag(round(max(now - self._notes[0].at, standing.shown_seconds), 3), behind)
        return Lag(round(now - reached, 3), behind)
