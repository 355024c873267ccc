"""Reading the documents: fences, links, tables between markers, commands as a shell would split them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.processes import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\s]+)`")
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_CONTROL = {"&", "&&", "||", ";", "|", "do", "done", "until", "then"}


class Fence(NamedTuple):
    """One fenced block."""

    language: str
    body: str


def fences(document: Path) -> list[Fence]:
    """Every fenced block, in order."""
    return [Fence(*found) for found in _FENCE.findall(document.read_text(encoding="utf-8"))]


def prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def links(document: Path) -> list[str]:
    """Targets of links into the repository."""
    return [target for target in _LINK.findall(prose(document)) if "://" not in target]


def quoted(document: Path) -> list[str]:
    """What stands between backticks, without spaces."""
    return _QUOTED.findall(prose(document))


def anchors(document: Path) -> set[str]:
    """The fragments its headings may be reached by."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(document: Path) -> Iterator[list[str]]:
    """Every simple command of its shell fences, without assignments before it and comments after it."""
    for fence in fences(document):
        if fence.language in ("console", "sh"):
            for line in fence.body.replace("\\\n", "").splitlines():
                yield from _simple(line)


def rows(document: Path, name: str) -> list[list[str]]:
    """Cells of the table between `<!-- name -->` and `<!-- /name -->`, without its two heading lines."""
    _, _, after = document.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    lines = after.partition(f"<!-- /{name} -->")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _simple(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word in _CONTROL:
            if command:
                yield command
            command = []
        elif command or not _ASSIGNMENT.match(word):
            command.append(word)
