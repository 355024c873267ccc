from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.imports import read_imports
from instance.learning.usage.calls import LibraryCalls, calls_in, pack_calls, unpack_calls
from instance.learning.usage.sequences import SEQUENCE_CALLS_MAX
from instance.learning.vocabulary import vocabulary
from shared.errors import PermanentError
from tests.support.snippets import CANARIES, LOCALS, RESERVED

NAMES = ["first", "second", "third", "fourth", "fifth"]
local_names = st.text(string.ascii_lowercase, min_size=3, max_size=8).filter(lambda name: name not in RESERVED)


def calls(source: str, language: str, own: frozenset[str] = frozenset()) -> list[LibraryCalls]:
    tokens = parse(source.encode(), LANGUAGES[language])
    return calls_in(tokens, read_imports(tokens), vocabulary(language), own)


def told(source: str, language: str = "python", own: frozenset[str] = frozenset()) -> list[str]:
    return [" -> ".join(one.calls) for one in calls(source, language, own)]


def in_function(*lines: str, imports: str = "import requests") -> str:
    return "\n".join([imports, "def f(x, y):", *(f"    {line}" for line in lines)])


PYTHON = {
    "a function of a module, and what it returned": (
        in_function("found = requests.get(x)", "found.raise_for_status()", "return found.json()"),
        "requests.get -> requests.raise_for_status -> requests.json",
    ),
    "an object of a known type": (
        in_function("s = requests.Session()", "s.mount(x, y)", "s.get(x)"),
        "requests.Session -> requests.Session.mount -> requests.Session.get",
    ),
    "a context manager": (
        in_function("with requests.Session() as s:", "    s.get(x)", "    s.post(y)"),
        "requests.Session -> requests.Session.get -> requests.Session.post",
    ),
    "names that were imported, under another name": (
        in_function("p = P(x)", "p.mkdir()", "p.touch()", imports="from pathlib import Path as P"),
        "pathlib.Path -> pathlib.Path.mkdir -> pathlib.Path.touch",
    ),
    "a parameter with a type": (
        "import requests\ndef f(s: requests.Session | None, x):\n    s.get(x)\n    s.close()",
        "requests.Session.get -> requests.Session.close",
    ),
    "an optional parameter": (
        "from requests import Session\ndef f(s: Optional[Session], x):\n    s.get(x)\n    s.close()",
        "requests.Session.get -> requests.Session.close",
    ),
    "a field": (
        (
            "import requests\nclass A:\n    def __init__(self):\n        self.s = requests.Session()\n"
            "    def f(self):\n        self.s.get(1)\n        self.s.post(2)"
        ),
        "requests.Session.get -> requests.Session.post",
    ),
    "a global variable that is bound further down": (
        "import logging\ndef f():\n    log.info('x')\n    log.error('y')\nlog = logging.getLogger()",
        "logging.info -> logging.error",
    ),
    "arguments before the call they are for": (
        in_function("return requests.get(requests.Request(x))"),
        "requests.Request -> requests.get",
    ),
    "a comprehension, in the function around it": (
        in_function("s = requests.Session()", "return [s.get(z) for z in x]"),
        "requests.Session -> requests.Session.get",
    ),
    "an awaited call": (
        "import asyncpg\nasync def f():\n    pool = await asyncpg.create_pool()\n    await pool.fetch('x')",
        "asyncpg.create_pool -> asyncpg.fetch",
    ),
    "a class method that makes one of its class": (
        in_function("here = Path.cwd()", "here.exists()", imports="from pathlib import Path"),
        "pathlib.Path.cwd -> pathlib.Path.exists",
    ),
}

PYTHON_SILENT = {
    "one call alone": in_function("requests.get(x)"),
    "the same call again": in_function("requests.get(x)", "requests.get(y)"),
    "builtins": in_function("print(len(x))", "sorted(y)"),
    "own modules": in_function("own.a(x)", "own.b(y)", imports="import own"),
    "relative imports": in_function("a.b(x)", "a.c(y)", imports="from . import a"),
    "decorators": "import pytest\n@pytest.mark.x(1)\n@pytest.fixture()\ndef f(): pass",
    "a name bound to something else since": in_function("s = requests.Session()", "s = x", "s.get(y)", "s.post(y)"),
    "a parameter that hides an import": "import requests\ndef f(requests):\n    requests.get()\n    requests.put()",
    "a parameter that hides a variable": (
        "import requests\ns = requests.Session()\ndef f(s):\n    s.get(1)\n    s.post(2)"
    ),
    "a field that holds either": (
        "import a, b\nclass A:\n    def f(self):\n        self.s = a.B()\n    def g(self):\n        self.s = b.C()\n"
        "    def h(self):\n        self.s.x()\n        self.s.y()"
    ),
    "what a library handed out may be a string": in_function("z = requests.get(x)", "z.split()", "z.strip()"),
    "attributes of foreign objects, which may be ours": in_function("row = requests.get(x)", "row.ours.strip()"),
    "names the standard library does not have": in_function("os.ours(x)", "os.ours_too(y)", imports="import os"),
    "calling an object": in_function("s = requests.Session()", "s()", "s()"),
}

OTHERS = {
    "go": (
        (
            'package x\nimport (\n\t"net/http"\n\t"github.com/spf13/cobra"\n\t"github.com/jackc/pgx/v5/pgxpool"\n)\n'
            "type S struct { client *http.Client }\n"
            "func (s *S) f(r *http.Request) error {\n\treq, err := http.NewRequest(a, b, nil)\n"
            '\treq.Header.Set("a", "b")\n\tresp, err := s.client.Do(req)\n\tif err != nil { return err }\n'
            "\tdefer resp.Body.Close()\n\treturn nil\n}\n"
            "func g() {\n\tcmd := &cobra.Command{Use: x}\n\tcmd.AddCommand(y)\n\tcmd.Execute()\n}\n"
            "func h() {\n\tpool, err := pgxpool.New(ctx, url)\n\tdefer pool.Close()\n}\n"
        ),
        [
            "net/http.NewRequest -> net/http.Header.Set -> net/http.Client.Do",
            (
                "github.com/spf13/cobra.Command -> github.com/spf13/cobra.Command.AddCommand"
                " -> github.com/spf13/cobra.Command.Execute"
            ),
            "github.com/jackc/pgx/pgxpool.New -> github.com/jackc/pgx/pgxpool.Close",
        ],
    ),
    "rust": (
        (
            "use std::fs::File;\nuse tokio::net::TcpListener;\n"
            "fn f(x: &mut Vec<u8>) -> Result<()> {\n    let mut file = File::open(a)?;\n    file.read_to_end(x)?;\n"
            "    let l = TcpListener::bind(b).await.unwrap();\n"
            "    if let Ok(c) = TcpListener::bind(b) { c.local_addr(); }\n"
            "    l.accept().await?;\n    tokio::spawn(async move { tokio::time::sleep(c).await; });\n"
            "    serde_json::to_string::<Foo>(&serde_json::json!({}))\n}\n"
        ),
        [
            "std::fs::File::open -> std::fs::File::read_to_end",
            (
                "tokio::net::TcpListener::bind -> tokio::net::TcpListener::local_addr"
                " -> tokio::net::TcpListener::accept"
                " -> tokio::spawn -> tokio::time::sleep"
            ),
            "serde_json::json -> serde_json::to_string",
        ],
    ),
    "java": (
        (
            "package org.example;\nimport java.util.List;\nimport java.util.ArrayList;\nimport org.mockito.Mockito;\n"
            "class A {\n  private final List<String> x = new ArrayList<>();\n"
            "  void f(Foo foo) {\n    x.add(a);\n    this.x.clear();\n    StringBuilder b = new StringBuilder();\n"
            "    b.append(1).append(2);\n    Foo mocked = Mockito.mock(Foo.class);\n    mocked.ours();\n"
            "    Mockito.when(foo.ours()).thenReturn(3);\n  }\n}\n"
        ),
        [
            "java.util.List.add -> java.util.List.clear",
            "StringBuilder -> StringBuilder.append",
            "org.mockito.Mockito.mock -> org.mockito.Mockito.when -> org.mockito.thenReturn",
        ],
    ),
    "typescript": (
        (
            'import express from "express";\nimport * as fs from "node:fs";\nimport { Client as C } from "pg";\n'
            "const app = express();\napp.use(express.json());\n"
            'app.get("/", async (req, res) => { const h = await fs.openSync(a); fs.closeSync(h); });\napp.listen(3);\n'
            "class A { constructor(private readonly c: C) {}\n"
            "  async f() { await this.c.connect(); await this.c.query<Row>(a); const m = new Map<string, number>();"
            " m.set(1, 2); m.get(1); } }\n"
        ),
        [
            "express -> express.json -> express.use -> express.get -> express.listen",
            "fs.openSync -> fs.closeSync",
            "pg.Client.connect -> pg.Client.query",
            "Map -> Map.set -> Map.get",
        ],
    ),
    "elixir": (
        (
            "defmodule A do\n  alias Ecto.Changeset\n  alias A.Repo\n  def f(x) do\n"
            "    x |> String.split() |> Enum.map(&String.trim(&1)) |> Enum.filter(&Y.go/1)\n    Repo.insert(x)\n  end\n"
            "  def g(x) do\n    x |> Changeset.cast(a, b) |> Ecto.Changeset.validate_required([:a])\n  end\nend\n"
        ),
        [
            "String.split -> String.trim -> Enum.map -> Enum.filter",
            "Ecto.Changeset.cast -> Ecto.Changeset.validate_required",
        ],
    ),
}


@pytest.mark.parametrize("shown", PYTHON)
def test_calls_of_a_library_are_told_in_order(shown: str) -> None:
    source, expected = PYTHON[shown]
    assert told(source) == [expected]


@pytest.mark.parametrize("silent", PYTHON_SILENT)
def test_what_tells_nothing_is_left_out(silent: str) -> None:
    assert told(PYTHON_SILENT[silent], own=frozenset({"own"})) == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_is_understood(language: str) -> None:
    source, expected = OTHERS[language]
    assert sorted(told(source, language)) == sorted(expected)


def test_required_modules_are_imported_ones() -> None:
    source = 'const fs = require("fs");\nfunction f() { fs.openSync(a); fs.closeSync(b); }\n'
    assert told(source, "javascript") == ["fs.openSync -> fs.closeSync"]


def test_each_function_is_a_sequence_of_its_own() -> None:
    source = "import os\ndef f():\n    os.remove(a)\n    os.rename(b, c)\ndef g():\n    os.close(a)\n    os.open(b)\n"
    assert told(source) == ["os.remove -> os.rename", "os.close -> os.open"]


def test_unrolled_loops_are_told_once() -> None:
    once = ["os.remove(a)", "os.rename(b, c)"]
    assert told(in_function(*once * 5, "os.close(d)", imports="import os")) == ["os.remove -> os.rename -> os.close"]


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=20)
@given(names=st.lists(local_names, min_size=5, max_size=5, unique=True))
def test_renaming_locals_changes_nothing(language: str, names: list[str]) -> None:
    renamed, plain = (
        calls(LOCALS[language].format(**dict(zip("abcde", chosen, strict=True))), language) for chosen in (names, NAMES)
    )
    assert renamed == plain


@pytest.mark.parametrize("language", CANARIES)
def test_own_definitions_are_never_told(language: str) -> None:
    source = CANARIES[language].format(z="zqcanary")
    assert "zqcanary" not in repr([one.calls for one in calls(source, language, frozenset({"own", "zqcanary_module"}))])


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=25)
@given(data=st.data())
def test_broken_files_break_nothing(language: str, data: st.DataObject) -> None:
    source, _ = OTHERS.get(language, (LOCALS[language].format(**dict(zip("abcde", NAMES, strict=True))), []))
    pieces = st.one_of(
        st.integers(0, len(source)).map(lambda at: source[at : at + 40]), st.text(".(){}<>[]=:!?&", max_size=9)
    )
    mutated = source[: data.draw(st.integers(0, len(source)))] + "".join(data.draw(st.lists(pieces, max_size=8)))
    assert all(len(one.calls) > 1 for one in calls(mutated, language))


def test_hostile_files_cost_little() -> None:
    nested = "requests.get(" * 100 + ")" * 100 + "\nrequests.put(x)\n"
    assert told("import requests\n" + nested * 20) == ["requests.get -> requests.put"]
    assert told("import requests\n" + "s = requests.Session()\ns.get(x)\n" * 20_000) == [
        "requests.Session -> requests.Session.get"
    ]
    assert told("import requests\nrequests" + ".a" * 100_000 + "()\nrequests.b()\n") == []


def test_endless_functions_are_cut() -> None:
    (one,) = calls("import requests\n" + "".join(f"requests.a{number}()\n" for number in range(600)), "python")
    assert one.calls[0] == "requests.a0"
    assert len(one.calls) == SEQUENCE_CALLS_MAX


def test_packed_calls_come_back() -> None:
    found = [LibraryCalls("os", ("os.open", "os.close")), LibraryCalls("pg", ("pg.Client", "pg.Client.query"))]
    assert unpack_calls(pack_calls(found)) == found
    assert unpack_calls(pack_calls([])) == []


def test_names_are_packed_once() -> None:
    one = LibraryCalls("requests", ("requests.Session", "requests.Session.get"))
    assert len(pack_calls([one] * 100)) < len(pack_calls([one])) + 100 * 4


@pytest.mark.parametrize("packed", [b"", b"\x02\x92\x90\x90", b"\x01", b"\x01\x92\x91\xa1a\x91\x91\x05", b"\x01\x01"])
def test_other_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(PermanentError):
        unpack_calls(packed)
