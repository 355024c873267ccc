"""From source text to flat lists of tokens and statements, in one pass over the syntax tree.

Hostile input costs bounded time and memory: the parser gets a budget of steps (not of seconds, so that every machine
leaves out the same files), the walk a maximal depth and number of nodes. What the parser remembers of brackets that
are never closed grows with their square, in one step at the end of the file, so there must not be many. What else
makes single steps slow is stopped by the clock, when a file takes many times what any file takes that a person wrote.
What was left out is counted.
"""

from __future__ import annotations

import time

import numpy as np
import tree_sitter

from instance.analysis.grammar import grammar
from instance.analysis.language import Language
from instance.analysis.passage import Passage
from instance.analysis.tokens import Tokens

MAX_SOURCE_BYTES = 1 << 20
MAX_PARSE_STEPS = 100_000
MAX_OPEN_BRACKETS = 500
MAX_OPEN_ANGLES = 2000  # most are no brackets at all
_GRACE_SECONDS = 0.25
_SECONDS_PER_BYTE_MAX = 2e-6  # of this thread's own work; what people write takes a twentieth
_STEPS_A_LOOK = 4  # at the clock, which takes a fifteenth of a step
_CHUNK_BYTES = 1 << 16


def parse(source: bytes, language: Language) -> Tokens:
    """Parse one file; never raises on any bytes. What could not be read is counted in `left_out`."""
    tokens = Tokens(language.name)
    if len(source) > MAX_SOURCE_BYTES:
        tokens.leave_out("too_large")
        return tokens
    if _BRACKETS.open_more_than(MAX_OPEN_BRACKETS, source) or _ANGLES.open_more_than(MAX_OPEN_ANGLES, source):
        tokens.leave_out("too_nested")
        return tokens
    rules = grammar(language.name)
    tree = _tree(source, rules.parser)
    if tree is None:
        tokens.leave_out("parse_budget")
        return tokens
    Passage(source, rules, tokens, has_errors=tree.root_node.has_error).run(tree.walk())
    broken = len(tokens.whole) - sum(tokens.whole)
    if broken:
        tokens.leave_out("broken_statements", broken)
    return tokens


class _Brackets:
    """Some kinds of brackets; counts how many of them are open at once."""

    def __init__(self, openers: bytes, closers: bytes) -> None:
        self._steps = np.zeros(256, dtype=np.int32)
        self._steps[list(openers)], self._steps[list(closers)] = 1, -1
        self._others = bytes(set(range(256)) - {*openers, *closers})

    def open_more_than(self, most: int, source: bytes) -> bool:
        """Tell whether more are open somewhere, wherever one begins to count; those in strings and comments count."""
        brackets = source.translate(None, self._others)
        if len(brackets) <= most:
            return False
        depths = np.cumsum(self._steps[np.frombuffer(brackets, dtype=np.uint8)])
        return bool((depths - np.minimum.accumulate(depths)).max() > most)


_BRACKETS, _ANGLES = _Brackets(b"([{", b")]}"), _Brackets(b"<", b">")


def _tree(source: bytes, parser: tree_sitter.Parser) -> tree_sitter.Tree | None:
    steps = 0
    stop_at = time.thread_time() + _GRACE_SECONDS

    def exhausted(offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - the binding calls it by position
        nonlocal steps
        steps += 1
        if steps > MAX_PARSE_STEPS:
            return True
        return steps % _STEPS_A_LOOK == 0 and time.thread_time() > stop_at + offset * _SECONDS_PER_BYTE_MAX

    def chunk(offset: int, _point: tree_sitter.Point) -> bytes:
        return source[offset : offset + _CHUNK_BYTES]

    try:
        return parser.parse(chunk, progress_callback=exhausted)
    except ValueError:  # the binding's word for "cancelled"; without a reset it would resume this very file
        parser.reset()
        return None
