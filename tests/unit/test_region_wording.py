from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.config import Sharing
from instance.region.wording import finding_of, names_in
from instance.store.observations import Known, Said
from instance.sync.gate import Gate
from instance.sync.wording import event_of
from schemas.codec import decode_event, encode
from schemas.events import (
    ArchitecturePatternLearned,
    CodePatternLearned,
    DataSchemaLearned,
    DependencyLearned,
    FrameworkLearned,
    LanguageLearned,
)
from schemas.fingerprint import fingerprint
from schemas.insights import Insight
from tests.support.observed import digest

PUBLIC = "with open ( $1 ) as $2 : return json . load ( $2 )"
PRIVATE = "with open ( $1 ) as $2 : return acme_vault . unseal ( $2 )"


def insight(kind: str = "code.pattern", **fields: Any) -> Insight:
    told: dict[str, Any] = {
        "id": digest("one"), "kind": kind, "state": "active", "instances": 2, "repositories": 2, "files": 7,
        "occurrences": 9, "rate": 0.5, "confidence": 0.2,
    }  # fmt: skip
    return Insight(**(told | fields))


def code(template: str | None, language: str = "python") -> Insight:
    identity = fingerprint(language, "statement", template or "").hex()
    return insight(id=identity, language=language, view="statement", template=template)


def known(one: Insight) -> Known:
    row = finding_of(one)
    assert row is not None
    return Known(
        row.fingerprint, row.kind, row.language, row.view, row.template, row.names, row.tokens, row.files,
        row.occurrences, 0, 0, 0, False, False, row.body,
    )  # fmt: skip


def said(one: Insight, *, sharing: Sharing | None = None, public: frozenset[str] = frozenset()) -> object:
    """What is said of an insight, as it comes out at the other end."""
    pattern = known(one)
    gate = Gate(sharing or Sharing(), {one.language: public}, frozenset())
    words = gate.lets_words_out(pattern)
    row = Said(fingerprint=pattern.fingerprint, kind=pattern.kind, version=1, files=pattern.files,
               occurrences=pattern.occurrences, shared_template=words)  # fmt: skip
    return decode_event(encode(event_of(pattern, row, digest("repository"))))


def test_words_everybody_knows_leave_the_region() -> None:
    event = said(code(PUBLIC))
    assert isinstance(event, CodePatternLearned)
    assert (event.template, event.files, event.occurrences, event.view) == (PUBLIC, 7, 9, "statement")
    assert event.bits > 0


def test_a_name_of_a_house_does_not() -> None:
    event = said(code(PRIVATE))
    assert isinstance(event, CodePatternLearned)
    assert event.template is None
    assert "acme" not in encode(event).decode()


def test_a_name_that_many_of_the_region_share_does() -> None:
    event = said(code(PRIVATE), public=frozenset({"acme_vault", "unseal"}))
    assert isinstance(event, CodePatternLearned)
    assert event.template == PRIVATE


def test_nothing_leaves_where_the_delegate_is_told_so() -> None:
    event = said(code(PUBLIC), sharing=Sharing("never"))
    assert isinstance(event, CodePatternLearned)
    assert event.template is None


@pytest.mark.parametrize("sharing", [Sharing(), Sharing("all")])
def test_a_template_the_region_was_not_told_is_none(sharing: Sharing) -> None:
    event = said(code(None), sharing=sharing)
    assert isinstance(event, CodePatternLearned)
    assert (event.template, event.bits) == (None, 0.0)


def test_a_language_of_a_later_release_is_a_digest_and_counts() -> None:
    event = said(code("a b", language="cobol-2030"))
    assert isinstance(event, CodePatternLearned)
    assert (event.template, event.language) == (None, "cobol-2030")


def test_a_string_not_everybody_uses_counts_as_a_name() -> None:
    assert names_in('open ( $1 , "rb" ) . read ( "S" )', "python") == (("open", "language"), ("read", "language"))
    assert ('"acme-vault"', '"acme-vault"') in names_in('open ( "acme-vault" )', "python")


def test_other_kinds_say_what_their_insight_says() -> None:
    framework = said(insight("technology.framework", name="django", versions={"5.1": 4, "4.2": 1}))
    assert isinstance(framework, FrameworkLearned)
    assert (framework.name, framework.release) == ("django", "5.1")
    language = said(insight("technology.language", name="python"))
    assert isinstance(language, LanguageLearned)
    assert (language.name, language.files) == ("python", 7)
    habit = said(insight("architecture.pattern", name="layers", language="python"))
    assert isinstance(habit, ArchitecturePatternLearned)
    assert (habit.name, habit.language) == ("layers", "python")
    shape = "bigint:pk text"
    table = said(insight("data.schema", name="table: 2 columns, 1 keys, 0 indexes", template=shape))
    assert isinstance(table, DataSchemaLearned)
    assert (table.columns, table.keys, table.indexes, table.shape, table.table) == (2, 1, 0, shape, None)


def test_a_package_is_named_only_where_everybody_knows_it() -> None:
    public = said(insight("technology.dependency", language="pypi", name="requests", versions={"2.0": 2}))
    own = said(insight("technology.dependency", language="pypi", name="acme-vault", versions={"2.0": 2}))
    nameless = said(insight("technology.dependency", language="pypi"))
    assert isinstance(public, DependencyLearned)
    assert isinstance(own, DependencyLearned)
    assert isinstance(nameless, DependencyLearned)
    assert (public.name, public.release) == ("requests", "2.0")
    assert (own.name, own.release, own.ecosystem) == (None, None, "pypi")
    assert nameless.name is None


@pytest.mark.parametrize(
    "unknown", [insight("model.trained"), insight("data.schema", name="a table"), insight("technology.framework")]
)
def test_what_this_release_cannot_say_is_left_out(unknown: Insight) -> None:
    assert finding_of(unknown) is None


@given(
    st.lists(st.from_regex(r"zq[a-zA-Z_]{1,9}", fullmatch=True), max_size=9), st.sampled_from(["$1", "(", ".", "if"])
)
def test_no_name_is_overlooked(words: list[str], between: str) -> None:
    template = f" {between} ".join(words)
    assert {name for name, _ in names_in(template, "python")} == set(words)


def test_counts_stop_where_a_finding_stops() -> None:
    row = finding_of(insight(language="python", template=PUBLIC, files=2**40, occurrences=2**50))
    assert row is not None
    assert row.files == row.occurrences == 2**31 - 1
