from __future__ import annotations

import pickle

import pytest

from instance.analysis.languages import GO, PYTHON, TYPESCRIPT
from instance.learning.idioms import (
    BODY,
    CALL,
    HEADER,
    NESTED,
    OUTLINE,
    PAIR,
    STATEMENT,
    TOKENS_MAX,
    FileContext,
    FilePatterns,
    study,
)
from instance.learning.information import bits
from instance.learning.vocabulary import vocabulary
from schemas.fingerprint import fingerprint

CONTEXT = FileContext(vocabulary("python"))


def mined(source: str) -> FilePatterns:
    return study(source.encode(), PYTHON, CONTEXT)


def by_view(source: str, view: str) -> set[str]:
    return {idiom.template for idiom in mined(source).idioms.values() if idiom.view == view}


def test_every_view_of_a_function_is_seen() -> None:
    source = (
        "import os\n\n\ndef f(path):\n    full = os.path.join(path, 'x')\n"
        "    with open(full, 'rb') as file:\n        return file.read()\n"
    )
    assert by_view(source, STATEMENT) == {'$1 = os . path . join ( $2 , "S" )', "return $1 . read ( )"}
    assert by_view(source, HEADER) == {'with open ( $1 , "rb" ) as $2 : {…}'}
    assert by_view(source, PAIR) == {'$1 = os . path . join ( $2 , "S" ) ⏎ with open ( $1 , "rb" ) as $3 : {…}'}
    assert 'with open ( $1 , "rb" ) as $2 : return $2 . read ( )' in by_view(source, BODY)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from a import b",
        "x = y",
        "return x",
        "pass",
        "x()",
        "self.x = x",
        "for x in y: pass",
        "x = 1",
        "def f(): pass",
    ],
)
def test_what_tells_nothing_is_left_out(source: str) -> None:
    assert mined(source).occurrences == {}


def test_arguments_are_folded_in_outlines() -> None:
    source = (
        "import logging\nimport pytest\nlog = logging.getLogger(__name__)\n"
        "@pytest.mark.parametrize('a', x)\ndef f(a): g()\n"
    )
    assert by_view(source, OUTLINE) == {
        "$1 = logging . getLogger (…)",
        "@ pytest . mark . parametrize (…) def $1 (…) : {…}",
    }


def test_a_statement_is_seen_with_what_is_around_it() -> None:
    source = b'package a\nimport "fmt"\nfunc f() error {\nif err != nil {\nlog()\nreturn fmt.Errorf("a", err)\n}\n}\n'
    found = study(source, GO, FileContext(vocabulary("go"))).idioms.values()
    assert 'if $1 != nil ⏎ return fmt . Errorf ( "S" , $1 )' in {one.template for one in found if one.view == NESTED}


def test_calls_inside_a_statement_are_seen_from_the_head_of_their_chain() -> None:
    source = "import datetime\n\nx = f(datetime.datetime.now(datetime.timezone.utc).isoformat(), y)\n"
    assert by_view(source, CALL) == {
        "datetime . datetime . now ( datetime . timezone . utc )",
        "datetime . datetime . now ( datetime . timezone . utc ) . isoformat ( )",
    }


def test_occurrences_are_counted() -> None:
    patterns = mined("raise ValueError('a')\nraise ValueError('b')\n")
    assert list(patterns.occurrences.values()) == [2]


def test_statements_that_share_nothing_make_no_pair() -> None:
    source = "def f(a, b):\n    x = sorted(a, key=len)\n    y = print(b, sep='')\n"
    assert by_view(source, PAIR) == set()


def test_two_functions_with_a_parameter_of_one_name_make_no_pair() -> None:
    source = "class A:\n    def __enter__(self, x: str) -> str: ...\n    def __call__(self, x: str) -> bytes: ...\n"
    assert by_view(source, PAIR) == set()


def test_a_pair_needs_one_block() -> None:
    source = "if a:\n    x = open(a, 'rb')\nelse:\n    print(x.read(), file=x)\n"
    assert by_view(source, PAIR) == set()


def test_long_statements_are_left_out() -> None:
    assert mined("print(" + "len(x), " * TOKENS_MAX + ")").occurrences == {}


def test_the_view_and_the_language_are_part_of_the_identity() -> None:
    assert len({fingerprint(language, view, "x") for language in ("go", "rust") for view in (HEADER, BODY)}) == 4
    assert fingerprint("go", HEADER, "x") == fingerprint("go", HEADER, "x")
    assert len(fingerprint("go", HEADER, "x")) == 16


def test_the_fingerprint_of_a_template_never_changes() -> None:
    known = fingerprint("python", STATEMENT, 'raise ValueError ( "S" )').hex()
    assert known == "5db1e3a936ab3105d4fc19d3a742db9a"


def test_dialects_of_one_language_share_fingerprints() -> None:
    source = b"for (const key of Object.keys(x)) { console.log(key); }"
    typescript = study(source, TYPESCRIPT, FileContext(vocabulary("typescript")))
    tsx = study(source, TYPESCRIPT, FileContext(vocabulary("tsx")))
    assert typescript.occurrences == tsx.occurrences != {}


def test_public_names_tell_more_than_keywords_and_holes_nothing() -> None:
    names = (("os", "language"), ("path", "language"), ("join", "language"))
    assert bits("$1 = os . path . join ( $2 , $3 )", names) > bits("if $1 is not None : {…}", ())
    assert bits("$1 $2", ()) == 0


def test_patterns_travel_between_processes() -> None:
    patterns = mined("with open(x, 'rb') as f: pass\n")
    assert pickle.loads(pickle.dumps(patterns)) == patterns  # noqa: S301 - our own bytes
