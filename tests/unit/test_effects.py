"""From events to rows, and what is set aside."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from msgspec import Raw

from centralcloud.ingest.arrivals import Lineage
from centralcloud.ingest.effects import Effects
from instance.store.outbox import event_identity
from schemas.codec import encode
from schemas.events import (
    ArchitecturePatternLearned,
    CodePatternLearned,
    DataSchemaLearned,
    DependencyLearned,
    FrameworkLearned,
    InsightFeedback,
    LanguageLearned,
    PatternForgotten,
    SnapshotCompleted,
)
from schemas.fingerprint import fingerprint
from schemas.insights import Insight
from tests.contract.strategies import messages

LINEAGE = Lineage("default", "one", "0" * 32)
TEMPLATE = "$1 = len ( $2 )"
COMMON: dict[str, Any] = {"repository": "b" * 32, "version": 1}
COUNTS: dict[str, Any] = {"files": 2, "occurrences": 3}
CODE: dict[str, Any] = {
    "fingerprint": fingerprint("python", "statement", TEMPLATE).hex(),
    "language": "python",
    "view": "statement",
}


def effects_of(event: object, *, void: bool = False) -> Effects:
    effects = Effects()
    effects.add(Raw(event if isinstance(event, bytes) else encode(event)), LINEAGE, 7, void=void)
    return effects


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_a_pattern_becomes_a_row_of_who_the_subject_names(template: str | None) -> None:
    (row,) = effects_of(
        CodePatternLearned(**event_identity(), **COMMON, **COUNTS, **CODE, template=template)
    ).observations
    assert (row.instance, row.kind, row.template, row.files, row.seq) == ("one", "code.pattern", template, 2, 7)


def test_nobody_may_put_words_into_a_pattern_of_others() -> None:
    forged = CodePatternLearned(**event_identity(), **COMMON, **COUNTS, **CODE, template="evil ( $1 )")
    effects = effects_of(forged)
    assert effects.observations == []
    assert [(letter.seq, letter.error) for letter in effects.letters] == [
        (7, "the template does not have this fingerprint")
    ]


def test_a_void_epoch_changes_no_observation() -> None:
    assert effects_of(CodePatternLearned(**event_identity(), **COMMON, **COUNTS, **CODE), void=True) == Effects()


def test_tombstones_snapshots_and_architecture() -> None:
    (gone,) = effects_of(PatternForgotten(**event_identity(), **COMMON, fingerprint="a" * 32)).observations
    assert (gone.forgotten, gone.files, gone.kind) == (True, 0, "")
    assert effects_of(SnapshotCompleted(**event_identity(), observations=1)).snapshots == {LINEAGE: 7}
    laid_out = ArchitecturePatternLearned(
        **event_identity(), **COMMON, **COUNTS, fingerprint="c" * 32, name="layout.src", language="go"
    )
    (row,) = effects_of(laid_out).observations
    assert (row.name, row.language) == ("layout.src", "go")


@pytest.mark.parametrize("body", [b"{}", b'{"type":"of.tomorrow.v9"}', b"not json", b"[]"])
def test_what_cannot_be_read_is_set_aside_with_its_place(body: bytes) -> None:
    (letter,) = effects_of(body).letters
    assert (letter.lineage, letter.seq, letter.body) == (LINEAGE, 7, body)


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (LanguageLearned(**event_identity(), **COMMON, **COUNTS, fingerprint="c" * 32, name="go"), ("", "go", "")),
        (
            FrameworkLearned(
                **event_identity(), **COMMON, **COUNTS, fingerprint="c" * 32, name="django", confidence=0.9,
                release="5.2",
            ),
            ("", "django", "5.2"),
        ),
        (
            DependencyLearned(
                **event_identity(), **COMMON, **COUNTS, fingerprint="c" * 32, ecosystem="pypi", scope="runtime"
            ),
            ("pypi", "", ""),
        ),
    ],
)  # fmt: skip
def test_technologies_become_rows(event: object, row: tuple[str, str, str]) -> None:
    (found,) = effects_of(event).observations
    assert (found.language, found.name, found.release) == row


def test_the_shape_of_a_table_is_told_when_it_is_what_the_fingerprint_was_made_of() -> None:
    shape = "bigint pk, text"
    own = fingerprint("any", "data.schema", shape).hex()
    counts: dict[str, Any] = {"columns": 2, "keys": 1, "indexes": 0}
    for name, template in ((own, shape), ("d" * 32, None)):
        event = DataSchemaLearned(
            **event_identity(), **COMMON, **COUNTS, **counts, fingerprint=name, shape=shape, table="users"
        )
        (row,) = effects_of(event).observations
        assert (row.template, row.name) == (template, "table: 2 columns, 1 keys, 0 indexes")


def test_what_people_think_is_no_observation() -> None:
    event = InsightFeedback(**event_identity(), insight="a" * 32, version=2, verdict="rejected", reason="wrong")
    for void in (False, True):
        effects = effects_of(event, void=void)
        assert effects.observations == []
        assert [(row.instance, row.insight, row.verdict) for row in effects.feedback] == [("one", "a" * 32, "rejected")]


@given(messages(Insight))
def test_an_insight_sent_back_is_no_evidence(insight: Insight) -> None:
    effects = effects_of(insight)
    assert (effects.observations, len(effects.letters)) == ([], 1)
