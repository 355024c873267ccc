"""Which commit a job made, from what git said when it was made: the link from a job to its tests and to a revert."""

from __future__ import annotations

import re
from typing import Final

_SAID: Final = re.compile(r"^\[[^\]\n]{1,200} ([0-9a-f]{7,40})\] ", re.MULTILINE)
_ASKED_MAX: Final = 1000


class Commits:
    """Pairs the commands that commit with what they printed."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def asked(self, identity: str, command: str) -> None:
        """Note a command; only of one that commits is the output looked at."""
        if "git" in command and "commit" in command and len(self._asked) < _ASKED_MAX:
            self._asked.add(identity)

    def said(self, identity: str, output: str) -> list[str]:
        """Return the commits that a command printed it had made."""
        if identity not in self._asked:
            return []
        self._asked.discard(identity)
        return _SAID.findall(output)
