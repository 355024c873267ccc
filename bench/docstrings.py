"""Questions with known answers: the docstrings of real functions, taken out of the code they describe."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Final, NamedTuple

from bench.corpora import corpus
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.analysis.workspace import read_source, walk
from instance.learning.search.chunks import Chunk, Lines, chunks

QUESTION_WORDS_MIN: Final = 3
QUESTION_WORDS_MAX: Final = 60
BODY_LINES_MIN: Final = 2
_FIRST_PARAGRAPH = re.compile(r"\n\s*\n|:param|@param|\n\s*Args?:|>>>")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Pair(NamedTuple):
    """A function without its docstring, as it is indexed, and the first paragraph of that docstring."""

    question: str
    chunk: Chunk
    excerpt: str


def documented_functions() -> list[Pair]:
    """Return the documented functions of the Python repositories; no question and no function is among them twice."""
    found: dict[str, Pair] = {}
    known: set[bytes] = set()
    for source in corpus("python"):
        for file in walk(source.root).files:
            if file.language == "python" and "test" not in file.path:
                for pair in _pairs(read_source(source.root, file.path), file.path):
                    if pair.question not in found and pair.chunk.digest not in known:
                        found[pair.question] = pair
                        known.add(pair.chunk.digest)
    return list(found.values())


def _pairs(source: bytes, path: str) -> Iterator[Pair]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other people's escape sequences
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    questions = {(node.name, node.end_lineno): text for node in functions if (text := _question(node))}
    bare = _without_docstrings(source, tree)
    lines = Lines(bare)
    for chunk in chunks(bare, parse(bare, LANGUAGES["python"]), path):
        question = questions.get((chunk.name, chunk.end_line))
        if question is not None:
            yield Pair(question, chunk, lines.excerpt(chunk.start_line, chunk.end_line))


def _question(node: _Function) -> str | None:
    """Return what a function's docstring says first; None for one that tells too little or is too small."""
    docstring = ast.get_docstring(node)
    if docstring is None or node.name.startswith("__") or len(node.body) == 1:
        return None
    text = " ".join(_FIRST_PARAGRAPH.split(docstring)[0].split())
    body_lines = (node.end_lineno or 0) - (node.body[0].end_lineno or 0)
    fits = QUESTION_WORDS_MIN <= len(text.split()) <= QUESTION_WORDS_MAX and text.isascii()
    return text if fits and body_lines >= BODY_LINES_MIN else None


def _without_docstrings(source: bytes, tree: ast.AST) -> bytes:
    """Replace every docstring, and whatever else is a mere string, by `0`; each line keeps its number."""
    starts = Lines(source).starts
    bare = bytearray(source)
    mere = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    for node in sorted(mere, key=lambda node: -node.lineno):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        bare[start:end] = b"0" + b"\n" * bytes(bare[start:end]).count(b"\n")
    return bytes(bare)
