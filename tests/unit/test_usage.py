from __future__ import annotations

import random

from instance.learning.selection import Candidate
from instance.learning.templates import readable
from instance.learning.usage.calls import LibraryCalls
from instance.learning.usage.patterns import SEQUENCE, usage_patterns
from schemas.fingerprint import fingerprint


def used(library: str, *members: str) -> LibraryCalls:
    return LibraryCalls(library, tuple(f"{library}.{member}" for member in members))


def shown(candidates: list[Candidate]) -> list[str]:
    return [readable(one.idiom.template) for one in candidates]


FETCHED = used("requests", "get", "raise_for_status", "json")


def test_what_two_files_do_is_a_pattern() -> None:
    (one,) = usage_patterns({"a.py": [FETCHED, FETCHED], "b.py": [FETCHED]}, "python")
    assert (one.files, one.occurrences) == (2, 3)
    assert one.idiom.template == "requests . get -> requests . raise_for_status -> requests . json"
    assert one.idiom.fingerprint == fingerprint("python", SEQUENCE, one.idiom.template)
    assert (one.idiom.language, one.idiom.view, one.idiom.tokens) == ("python", SEQUENCE, 11)
    assert one.idiom.names == tuple((name, "requests") for name in ("requests", "get", "raise_for_status", "json"))


def test_what_one_file_does_is_none() -> None:
    assert usage_patterns({"a.py": [FETCHED, FETCHED], "b.py": []}, "python") == []


def test_calls_that_come_in_any_order_are_none() -> None:
    either = [used("assertpy", "is_true", "is_equal"), used("assertpy", "is_equal", "is_true")]
    assert usage_patterns({"a.py": either, "b.py": either}, "python") == []


def test_what_covers_the_calls_comes_first_and_every_closed_sequence_counts() -> None:
    opened = used("sqlite3", "connect", "execute")
    files = {f"{name}.py": [used("sqlite3", "connect", "execute", "commit")] for name in "abcdef"}
    found = usage_patterns({**files, "x.py": [opened]}, "python")
    assert shown(found) == [
        "sqlite3.connect -> sqlite3.execute -> sqlite3.commit",
        "sqlite3.connect -> sqlite3.execute",
    ]
    assert [one.files for one in found] == [6, 7]


def test_the_best_of_all_libraries_are_kept() -> None:
    files = {f"{name}.py": [FETCHED] for name in "abcdef"} | {
        f"{name}.py": [used("os", "open", "close")] for name in "gh"
    }
    assert len(usage_patterns(files, "python")) == 2
    assert shown(usage_patterns(files, "python", limit=1)) == shown(usage_patterns(files, "python"))[:1]


def test_the_order_of_the_files_changes_nothing() -> None:
    files = {f"{number}.py": [FETCHED, used("os", "open", "read", "close")] for number in range(9)}
    shuffled = dict(random.Random(3).sample(sorted(files.items()), len(files)))  # noqa: S311 - any order
    assert usage_patterns(shuffled, "python") == usage_patterns(files, "python")


def test_names_and_their_origins_are_those_the_gate_asks_for() -> None:
    def names(language: str, *calls: LibraryCalls) -> tuple[tuple[str, str], ...]:
        return usage_patterns({"a": list(calls), "b": list(calls)}, language)[0].idiom.names

    root = "github.com/stretchr/testify"
    tested = LibraryCalls(root, (f"{root}/require.New", f"{root}/assert.Equal"))
    assert names("go", tested) == tuple((name, root) for name in (root, "require", "New", "assert", "Equal"))
    posted = LibraryCalls("net/http", ("net/http.NewRequest", "net/http.Client.Do"))
    assert names("go", posted) == tuple((name, "language") for name in ("net/http", "NewRequest", "Client", "Do"))
    piped = LibraryCalls("elixir", ("String.split", "Enum.map"))
    assert names("elixir", piped) == tuple((name, "language") for name in ("String", "split", "Enum", "map"))
    mapped = used("Map", "set", "get")
    assert names("tsx", mapped) == tuple((name, "language") for name in ("Map", "set", "get"))


def test_dialects_share_patterns() -> None:
    files = {"a": [used("react", "useRef", "useEffect")], "b": [used("react", "useRef", "useEffect")]}
    assert usage_patterns(files, "tsx") == usage_patterns(files, "typescript")
