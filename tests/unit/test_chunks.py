from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.search.chunks import (
    CHUNKS_MAX,
    EXCERPT_LETTERS_MAX,
    FUNCTION_BYTES_MAX,
    NAME_LETTERS_MAX,
    WORDS_BYTES_MAX,
    Chunk,
    Lines,
    chunks,
    digest_of,
)


def chunked(source: str, language: str = "python", path: str = "") -> list[Chunk]:
    content = source.encode()
    return chunks(content, parse(content, LANGUAGES[language]), path)


def spans(source: str, language: str = "python") -> dict[str, tuple[int, int]]:
    return {chunk.qualified_name: (chunk.start_line, chunk.end_line) for chunk in chunked(source, language)}


ORDERS = '''import os

class Order(Base):
    """An order of goods."""

    limit = 5

    # How much it costs,
    # taxes included.
    @property
    def total(self):
        return sum(self.prices)

    class Line:
        def price(self):
            return self.amount * self.each


@retried
async def fetch(url):
    def inner():
        return url
    return inner
'''


def test_classes_and_their_members_are_chunks_of_their_own() -> None:
    assert spans(ORDERS) == {
        "Order": (3, 16),
        "Order.total": (8, 12),
        "Order.Line": (14, 16),
        "Order.Line.price": (15, 16),
        "fetch": (19, 23),
    }


def test_a_class_says_what_is_beside_its_members_and_their_names() -> None:
    found = {chunk.qualified_name: chunk for chunk in chunked(ORDERS)}
    words = found["Order"].words
    assert {"good", "limit", "total", "line"} <= words.keys()
    assert not {"price", "amount", "tax", "property", "retry"} & words.keys()
    assert {"tax", "property", "cost", "order"} <= found["Order.total"].words.keys()
    assert {"inner", "url", "retry"} <= found["fetch"].words.keys()


def test_the_path_and_the_name_count() -> None:
    (chunk,) = chunked("def run(self):\n    pass\n", path="billing/invoice_mailer.py")
    assert {"bill", "invoic", "mailer"} <= chunk.words.keys()
    assert chunk.words["run"] > 1


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        (
            "go",
            "package a\n\n// Serve answers.\n// It blocks.\nfunc (s *Server) Serve() error {\n\treturn nil\n}\n",
            {"Serve": (3, 7)},
        ),
        (
            "typescript",
            "const a = 1;\n\n/**\n * Adds.\n */\nexport const add = (x: number) => {\n  return x + a;\n};\n",
            {"add": (3, 8)},
        ),
        ("java", "class A {\n  @Override\n  void b() {\n  }\n}\n", {"A": (1, 5), "A.b": (2, 4)}),
        ("rust", "/// Reads.\n#[inline]\nfn read() -> u8 {\n    1\n}\n", {"read": (1, 5)}),
        (
            "elixir",
            'defmodule A do\n  @doc """\n  Opens.\n\n  Twice.\n  """\n  def b() do\n    1\n  end\nend\n',
            {"A": (1, 10), "A.b": (2, 9)},
        ),
    ],
)
def test_what_is_said_above_a_definition_belongs_to_it(
    language: str, source: str, expected: dict[str, tuple[int, int]]
) -> None:
    assert spans(source, language) == expected


def test_only_large_functions_are_divided() -> None:
    small = "def outer():\n    def inner():\n        return 1\n    return inner\n"
    assert spans(small).keys() == {"outer"}
    large = small.replace("    return inner", "    x = 1\n" * (FUNCTION_BYTES_MAX // 10 + 1) + "    return inner")
    assert spans(large).keys() == {"outer", "outer.inner"}


def test_a_name_fits_into_a_line_and_a_database() -> None:
    module, function = chunked(f'defmodule {"A" * 300} do\n  def "b\0c"(), do: 1\nend\n', "elixir")
    assert (len(module.name), function.name) == (NAME_LETTERS_MAX, '"bc"')


def test_everything_is_bounded() -> None:
    many = chunked("".join(f"def f{number}(): pass\n" for number in range(CHUNKS_MAX + 5)))
    assert len(many) == CHUNKS_MAX
    (long,) = chunked("def f():\n" + "".join(f"    x{number} = y{number}\n" for number in range(5000)))
    assert 0 < len(long.words) < WORDS_BYTES_MAX
    minified = ";".join(f"function f{number}(){{return {number}}}" for number in range(5000))
    assert len(chunked(minified, "javascript")) < 100


def test_the_digest_is_of_what_a_model_reads() -> None:
    (chunk,) = chunked("# Says so.\ndef f():\n    return 'é'\n\nx = 1\n")
    text = Lines("# Says so.\ndef f():\n    return 'é'\n\nx = 1\n".encode()).excerpt(chunk.start_line, chunk.end_line)
    assert text == "# Says so.\ndef f():\n    return 'é'\n"
    assert chunk.digest == digest_of(text)
    assert pickle.loads(pickle.dumps(chunk)) == chunk  # noqa: S301 - chunks come back from a process pool


@given(st.text(st.sampled_from("a\n\ré漢"), max_size=60))
def test_lines_are_counted_from_one(text: str) -> None:
    source = text.encode()
    lines = Lines(source)
    assert len(lines.starts) == source.count(b"\n") + 1
    for offset in range(len(source)):
        assert lines.number(offset) == source[:offset].count(b"\n") + 1
    assert b"".join(source[start : lines.end(at + 1)] for at, start in enumerate(lines.starts)) == source
    assert lines.excerpt(1, len(lines.starts)) == text
    assert lines.excerpt(len(lines.starts) + 1, len(lines.starts) + 2) == ""


def test_an_excerpt_ends_somewhere() -> None:
    lines = Lines(("漢" * 5000 + "\n").encode())
    assert lines.excerpt(1, 1) == "漢" * EXCERPT_LETTERS_MAX
