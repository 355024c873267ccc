from __future__ import annotations

import pytest

from centralcloud.learning.recommend import Profile, importable, libraries, not_applicable, objection, recommend
from schemas.insights import Insight
from tests.support.observed import digest

PROFILE = Profile(
    files={"python": 200},
    patterns=frozenset({digest("mine")}),
    rejected=frozenset({digest("unloved")}),
    unused={"pypi": frozenset({"requests"})},
)


def insight(name: str, **changes: object) -> Insight:
    fields: dict[str, object] = {
        "id": digest(name), "kind": "code.pattern", "state": "active", "instances": 5, "repositories": 6, "files": 9,
        "occurrences": 9, "rate": 0.5, "confidence": 0.5, "language": "python", "file_rate": 0.1,
        "file_repositories": 8,
    }  # fmt: skip
    return Insight(**{**fields, **changes})  # type: ignore[arg-type]


def test_expected_use_ranks() -> None:
    found = recommend(
        [insight("rare", file_rate=0.01), insight("usual", file_rate=0.2), insight("sure", confidence=0.9)], PROFILE, 2
    )
    assert [(one.insight.id, one.expected_files, one.score) for one in found] == [
        (digest("usual"), 40.0, 20.0),
        (digest("sure"), 20.0, 18.0),
    ]


def test_what_people_rejected_sinks_and_what_they_kept_does_not() -> None:
    kept, unloved = insight("kept", accepted=3), insight("disliked", rejected=3)
    found = recommend([unloved, kept], PROFILE, 5)
    assert [(one.insight.id, one.score) for one in found] == [(kept.id, 10.0), (unloved.id, 4.0)]


def test_what_is_not_counted_in_files_ranks_by_its_rate() -> None:
    layout = insight("layout", kind="architecture.pattern", language="", file_rate=0.0, file_repositories=0)
    (found,) = recommend([layout], PROFILE, 5)
    assert (found.expected_files, found.score) == (0.5, 0.25)


def test_what_nobody_is_sure_of_is_no_advice() -> None:
    assert recommend([insight("unsure", confidence=0.0)], PROFILE, 5) == []


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (insight("mine"), ("already_there", "")),
        (insight("unloved"), ("rejected", "")),
        (insight("foreign", language="go"), ("other_language", "go")),
        (insight("http", template="$1 = requests . get ( $2 )"), ("library_not_used", "requests")),
        (insight("member", template="$1 . requests ( )"), None),
        (insight("plain", template="for $1 in $2 : {…}"), None),
    ],
)
def test_why_not(one: Insight, expected: tuple[str, str] | None) -> None:
    assert objection(one, PROFILE) == expected
    reasons = [(found.reason, found.detail) for found in not_applicable([one], PROFILE, 5)]
    assert reasons == ([expected] if expected else [])


def test_a_library_may_be_used_where_nothing_is_said_of_libraries() -> None:
    silent = Profile(files={"python": 1}, patterns=frozenset(), rejected=frozenset(), unused={})
    assert objection(insight("http", template="requests . get ( )"), silent) is None


def test_names_of_libraries() -> None:
    assert libraries("$1 = json . loads ( path . read ( ) )") == {"json", "path"}
    assert libraries("requests.Session -> json.dump") == {"requests", "json"}
    assert [importable(name) for name in ("github.com/spf13/cobra", "serde-json", "@scope/kit", "org.x:core")] == [
        "cobra", "serde_json", "kit", "core",
    ]  # fmt: skip
