"""Hex: `mix.exs`, read from the tokens of its syntax tree and never run, and `mix.lock`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from instance.analysis.language import Role
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.technology.dependency import LOCAL, Manifest, Scope
from instance.learning.technology.documents import UnreadableError

ECOSYSTEM: Final = "hex"
_REQUIREMENT = re.compile(r'"\s*(?:[~><=!]+\s*)?\d[^"]*"')
_LOCKED = re.compile(r'^[ \t]*"([a-z][a-z0-9_]*)":\s*\{:(hex|git),\s*(?::[\w"]+,\s*)?"([^"]*)"', re.MULTILINE)
_LOCAL = frozenset({"path:", "in_umbrella:"})
_REMOTE = frozenset({"git:", "github:"})
_NOT_SHIPPED = frozenset({":dev", ":test", ":docs", ":lint"})


def read_mix_exs(path: str, source: str) -> Manifest:
    """Read the tuples `{:name, "~> 1.0", only: :test}` of a project."""
    tokens = parse(source.encode("utf-8", "replace"), LANGUAGES["elixir"])
    texts = [text.strip() for text in tokens.texts]
    if "defmodule" not in texts:
        raise UnreadableError("not a Mix project")
    manifest = Manifest(ECOSYSTEM, path)
    manifest.call_own(next((name[1:] for key, name in pairwise(texts) if key == "app:"), ""))
    for start, end in _tuples(texts):
        if tokens.roles[start] == Role.ATOM:
            _add(manifest, texts[start:end])
    return manifest


def _tuples(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where the inside of each innermost `{...}` begins and ends."""
    start = -1
    for at, text in enumerate(texts):
        if text == "{":
            start = at + 1
        elif text == "}" and 0 < start < at:
            yield start, at
            start = -1


def _add(manifest: Manifest, inside: list[str]) -> None:
    requirement = next((text for text in inside[2:3] if _REQUIREMENT.fullmatch(text)), "")
    options = set(inside[2:])
    if not (requirement or options & (_LOCAL | _REMOTE)):
        return  # some other tuple
    spec = LOCAL if options & _LOCAL else requirement.strip('"')
    manifest.add(inside[0].removeprefix(":"), spec, _scope(inside))


def _scope(inside: list[str]) -> Scope:
    if "only:" in inside and not {":prod"} & set(inside) and _NOT_SHIPPED & set(inside):
        return Scope.DEV
    pairs = set(pairwise(inside))
    if ("optional:", "true") in pairs:
        return Scope.OPTIONAL
    return Scope.BUILD if ("runtime:", "false") in pairs else Scope.RUNTIME


def read_mix_lock(path: str, source: str) -> Manifest:
    """Read `mix.lock`, one package to a line; a package from git has no version."""
    if not source.lstrip().startswith("%{"):
        raise UnreadableError("not a Mix lock file")
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    for name, kind, version in _LOCKED.findall(source):
        manifest.add(name, "", Scope.INDIRECT, version if kind == "hex" else None)
    return manifest
