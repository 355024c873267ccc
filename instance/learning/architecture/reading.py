"""From the tokens of a file to its outline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from instance.analysis.tokens import Tokens
from instance.learning.architecture.habits import counts
from instance.learning.architecture.languages import elixir, go, java, python, rust, script
from instance.learning.architecture.outline import Need, Outline

_NEEDS: MappingProxyType[str, Callable[[Tokens], Iterator[Need]]] = MappingProxyType(
    {"python": python.needs, "go": go.needs, "java": java.needs, "rust": rust.needs, "elixir": elixir.needs}
)
_DECLARES: MappingProxyType[str, Callable[[Tokens], Iterator[str]]] = MappingProxyType(
    {"go": go.declares, "java": java.declares, "elixir": elixir.declares}
)
NEEDS_MAX = 10_000
"""A file that names more modules is generated; the rest is left out."""


def outline(tokens: Tokens) -> Outline:
    """Return what one file says about the architecture it is part of."""
    strongest: dict[tuple[str, tuple[str, ...]], int] = {}
    for need in _NEEDS.get(tokens.language, script.needs)(tokens):
        if len(strongest) == NEEDS_MAX:
            break
        key = (need.module, need.names)
        strongest[key] = min(need.reach, strongest.get(key, need.reach))
    needs = tuple(Need(module, names, int(reach)) for (module, names), reach in strongest.items())
    declared = _DECLARES.get(tokens.language)
    return Outline(needs, tuple(declared(tokens)) if declared else (), counts(tokens))
