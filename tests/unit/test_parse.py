from __future__ import annotations

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.analysis import parse as parsing
from instance.analysis import passage
from instance.analysis.language import Language, Role
from instance.analysis.languages import GO, LANGUAGES, PYTHON, TYPESCRIPT, language_of
from instance.analysis.parse import parse
from instance.analysis.tokens import Tokens


def statements(tokens: Tokens) -> list[str]:
    return [" ".join(tokens.texts[start:end]) for start, end in zip(tokens.starts, tokens.ends, strict=True)]


def roles(source: str, language: Language = PYTHON) -> dict[str, Role]:
    tokens = parse(source.encode(), language)
    return {text: Role(role) for text, role in zip(tokens.texts, tokens.roles, strict=True) if role}


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.py", "python"), ("b/c.MJS", "javascript"), ("x.tsx", "tsx"), ("a.exs", "elixir"), ("A.java", "java")],
)
def test_a_language_is_known_by_its_extension(path: str, name: str) -> None:
    language = language_of(path)
    assert language is not None
    assert language.name == name


def test_other_files_have_no_language() -> None:
    assert language_of("README.md") is None
    assert language_of("py") is None


def test_statements_lie_in_the_bodies_they_stand_in() -> None:
    tokens = parse(b"def f(a):\n    if a:\n        return 1\n    b()\n", PYTHON)
    assert statements(tokens)[1:] == ["if a : return 1", "return 1", "b ( )"]
    assert [tokens.owners[home] for home in tokens.homes] == [-1, 0, 1, 0]


def test_comments_docstrings_and_optional_marks_are_no_tokens() -> None:
    source = b'def f():\n    """What it does."""\n    x = g(1, 2,);  # why\n'
    assert statements(parse(source, PYTHON))[0] == "def f ( ) : x = g ( 1 , 2 )"
    assert statements(parse(b"let a = [1, 2,];\n", TYPESCRIPT)) == ["let a = [ 1 , 2 ]"]


def test_the_comma_that_makes_a_tuple_stays() -> None:
    assert statements(parse(b"x = (1,)\ny = (1, 2,)\n", PYTHON)) == ["x = ( 1 , )", "y = ( 1 , 2 )"]


def test_names_have_roles() -> None:
    found = roles("def f(a, *b, c=d):\n    e.g = h(i=1)\n")
    assert found["f"] == Role.DEFINITION
    assert {found[name] for name in "abc"} == {Role.BINDING}
    assert {found[name] for name in "deh"} == {Role.NAME}
    assert found["g"] == Role.FIELD
    assert found["i"] == Role.LABEL


def test_bindings_know_their_scope() -> None:
    tokens = parse(b"def f(len):\n    return len\n\n\nlen(x)\n", PYTHON)
    inside, outside = (at for at, text in enumerate(tokens.texts) if text == "len" and tokens.roles[at] == Role.NAME)
    assert tokens.is_bound("len", tokens.scopes[inside])
    assert not tokens.is_bound("len", tokens.scopes[outside])


def test_a_broken_statement_is_left_out_and_counted() -> None:
    tokens = parse(b"a = f(1)\nb = = 2\nc = g(3)\n", PYTHON)
    whole = [text for text, good in zip(statements(tokens), tokens.whole, strict=True) if good]
    assert "a = f ( 1 )" in whole
    assert "c = g ( 3 )" in whole
    assert tokens.left_out["syntax_errors"] >= 1


DEFINITIONS = [
    ("python", "class A:\n    @p\n    def f(self):\n        def g(): pass\n", "class A, method f, function g"),
    ("javascript", "const f = () => 1; class A { m() { return function () {}; } }", "function f, class A, method m"),
    ("typescript", "interface A { x: string }\nexport function f(): void {}", "class A, function f"),
    ("go", "package a\ntype A struct{}\nfunc (a *A) M() {}\nfunc F() {}\n", "class A, method M, function F"),
    ("rust", "struct A;\nimpl A { fn m(&self) {} }\nfn f() {}\n", "class A, method m, function f"),
    ("java", "class A { A() {} int m() { return 1; } }", "class A, method A, method m"),
    (
        "elixir",
        "defmodule A.B do\n  def f(x), do: x\n  defp g(x) do\n    x\n  end\nend\n",
        "class A.B, function f, function g",
    ),
]


@pytest.mark.parametrize(("language", "source", "expected"), DEFINITIONS)
def test_definitions_are_listed_with_their_bytes_and_tokens(language: str, source: str, expected: str) -> None:
    tokens = parse(source.encode(), LANGUAGES[language])
    assert ", ".join(f"{one.kind} {one.name}" for one in tokens.definitions) == expected
    for one in tokens.definitions:
        text = source[one.start_byte : one.end_byte]
        assert text.startswith(tokens.texts[one.first_token])
        assert text.rstrip(";").endswith(tokens.texts[one.end_token - 1].rstrip(";"))


@pytest.mark.parametrize("unit", ["a<", "a(=>", "(>a", "~=>", "if +", "`${"])
@pytest.mark.parametrize("language", ["python", "typescript", "rust", "java"])
def test_what_a_parser_chokes_on_ends_soon(language: str, unit: str) -> None:
    """Each of these took a grammar seconds or gigabytes before there were limits."""
    started_at = time.thread_time()
    parse(unit.encode() * 20_000, LANGUAGES[language])
    assert time.thread_time() - started_at < 2.0


def test_many_brackets_in_a_row_are_no_nesting() -> None:
    tokens = parse(b"f()\n" * 2 * parsing.MAX_OPEN_BRACKETS, PYTHON)
    assert tokens.left_out == {}


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
@given(source=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_a_parser_fail(language: Language, source: bytes) -> None:
    tokens = parse(source, language)
    assert len(tokens.texts) == len(tokens.roles) == len(tokens.scopes)
    assert all(0 <= start <= end <= len(tokens.texts) for start, end in zip(tokens.starts, tokens.ends, strict=True))


@pytest.mark.parametrize(
    "source",
    [
        b"(" * 300_000,
        b"[" * 200_000 + b"]" * 200_000,
        b"x = " + b"-" * 300_000 + b"1",
        b"f(" * 20_000 + b")" * 20_000,
        b"if x:\n" * 50_000,
        b"a." * 200_000,
        b"\xff\xfe\x00" * 100_000,
        b"f'{" * 50_000,
    ],
    ids=["open", "brackets", "minus", "calls", "blocks", "chain", "bytes", "fstrings"],
)
def test_hostile_input_ends(source: bytes) -> None:
    tokens = parse(source, PYTHON)
    assert len(tokens.texts) <= passage.MAX_NODES


def test_a_file_over_the_limit_is_not_parsed() -> None:
    assert parse(b"#" * (parsing.MAX_SOURCE_BYTES + 1), PYTHON).left_out == {"too_large": 1}


def test_too_many_tokens_stop_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage, "MAX_NODES", 40)
    tokens = parse(b"def f():\n" + b"    g(1)\n" * 10, PYTHON)
    assert tokens.left_out["too_many_tokens"] == 1
    assert len(tokens.texts) < 40
    assert tokens.whole[0] == 0


def test_a_spent_budget_gives_up_and_the_next_file_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as small:
        small.setattr(parsing, "MAX_PARSE_STEPS", 3)
        assert parse(b"x = 1\n" * 5000, PYTHON).left_out == {"parse_budget": 1}
    assert statements(parse(b"y = 2\n", PYTHON)) == ["y = 2"]


def test_tokens_travel_between_processes() -> None:
    tokens = parse(b"package a\n\nfunc f() { g() }\n", GO)
    assert pickle.loads(pickle.dumps(tokens)) == tokens  # noqa: S301 - our own bytes
