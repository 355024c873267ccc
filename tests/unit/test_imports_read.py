"""What an import statement makes known in a file."""

from __future__ import annotations

import pytest

from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.imports import Import, read_imports


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", "import a.b as c, d\nfrom .e import (f as g, h)\n",
         [Import("c", "a.b"), Import("d", "d"), Import("g", ".e", "f"), Import("h", ".e", "h")]),
        ("typescript", 'import fs = require("node:fs");\n', [Import("fs", "fs")]),
        ("typescript", 'import a, { type B, c as d } from "m";\n',
         [Import("a", "m"), Import("B", "m", "B"), Import("d", "m", "c")]),
        ("javascript", 'const { a, b: c } = require("m");\n', [Import("a", "m", "a"), Import("c", "m", "b")]),
        ("go", 'package p\nimport (\n\t"os"\n\t. "strings"\n\t_ "embed"\n\tx "a.b/c/v2"\n)\n',
         [Import("os", "os"), Import("*", "strings", "*"), Import("x", "a.b/c/v2")]),
        ("rust", "use a::{b, c::D as E, f::*};\n",
         [Import("b", "a", "b"), Import("E", "a::c", "D"), Import("*", "a::f", "*")]),
        ("java", "import static a.b.C.d;\nimport a.e.*;\n", [Import("d", "a.b.C", "d"), Import("*", "a.e", "*")]),
        ("elixir", "alias A.{B, C.D}\nalias A.E, as: F\n",
         [Import("B", "A.B"), Import("D", "A.C.D"), Import("F", "A.E")]),
    ],
)  # fmt: skip
def test_an_import_binds_names(language: str, source: str, expected: list[Import]) -> None:
    assert read_imports(parse(source.encode(), LANGUAGES[language])) == expected
