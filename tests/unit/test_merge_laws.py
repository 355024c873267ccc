from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from centralcloud.learning.fleet import FILES_BITS, Fleet, Held, fleet_of, observed_fleet, rounded
from centralcloud.learning.merge import Opinion, merge, merge_all, revoked, tallies
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from schemas.codec import encode

FINGERPRINTS = ["f1", "f2", "f3"]
INSTANCES = ["ann", "bob", "cyd", "dan"]
REPOSITORIES = [f"r{n}" for n in range(5)]


def seen(instance: str, repository: str, **changes: object) -> Observation:
    observation = Observation(
        fingerprint="f1", instance=instance, repository=repository, kind="code.pattern", language="python",
        view="statement", name="", template=None, files=1, occurrences=2, forgotten=False, epoch="e1", version=1,
    )  # fmt: skip
    return structs.replace(observation, **changes)


@st.composite
def reports(draw: st.DrawFn) -> Observation:
    """A report, sometimes of one who contradicts the others."""
    fingerprint = draw(st.sampled_from(FINGERPRINTS))
    return seen(
        draw(st.sampled_from(INSTANCES)),
        draw(st.sampled_from(REPOSITORIES)),
        fingerprint=fingerprint,
        language=draw(st.sampled_from(["python", "python", "python", "go", ""])),
        template=draw(st.sampled_from([None, "for a in b", "while a"])),
        files=draw(st.integers(0, 9)),
        occurrences=draw(st.integers(0, 99)),
        forgotten=draw(st.integers(0, 4)) == 0,
        epoch=draw(st.sampled_from(["e1", "e2"])),
        version=draw(st.integers(1, 3)),
        name=draw(st.sampled_from(["", "requests", "evil"])),
        release=draw(st.sampled_from(["", "1.0", "2.1"])),
    )


@st.composite
def sizes(draw: st.DrawFn) -> Observation:
    """A report of how many files of a language there are."""
    return language(
        draw(st.sampled_from(INSTANCES)),
        draw(st.sampled_from(REPOSITORIES)),
        draw(st.integers(0, 500)),
        epoch=draw(st.sampled_from(["e1", "e2"])),
        version=draw(st.integers(1, 3)),
    )


def language(instance: str, repository: str, files: int, **changes: object) -> Observation:
    size = {"fingerprint": "python", "kind": LANGUAGE_KIND, "language": "", "view": "", "name": "python"}
    return seen(instance, repository, files=files, **{**size, **changes})


histories = st.lists(st.one_of(reports(), reports(), sizes()), max_size=40)
WEIGHTS = {"ann": 0.25, "bob": 0.9057}


def concluded(observations: Sequence[Observation]) -> bytes:
    return encode(merge_all(observations, observed_fleet(observations, WEIGHTS)))


@given(histories, st.randoms(use_true_random=False), st.data())
@settings(max_examples=300)
def test_order_repetition_and_late_arrival_change_nothing(
    history: list[Observation], random: object, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=20)) if history else []
    assert concluded(data.draw(st.permutations([*history, *again]))) == concluded(history)


@given(histories, st.sampled_from(INSTANCES))
@settings(max_examples=200)
def test_an_instance_removed_is_an_instance_never_had(history: list[Observation], gone: str) -> None:
    without = [one for one in history if one.instance != gone]
    voided = [structs.replace(one, forgotten=True) if one.instance == gone else one for one in history]
    assert concluded(voided) == concluded(without)


@given(histories)
@settings(max_examples=200)
def test_one_by_one_is_the_same_as_all_at_once(history: list[Observation]) -> None:
    fleet = observed_fleet(history)
    single = {
        name: merge([one for one in history if one.fingerprint == name], fleet) for name in [*FINGERPRINTS, "python"]
    }
    assert {name: found for name, found in single.items() if found} == merge_all(history, fleet)


@given(histories)
@settings(max_examples=200)
def test_an_insight_stands_on_two_instances_and_two_repositories(history: list[Observation]) -> None:
    for insight in merge_all(history, observed_fleet(history)).values():
        assert insight.instances == len(insight.contributors) >= 2
        assert insight.repositories >= 2
        assert 0 <= insight.confidence <= insight.rate <= 1


def test_fifty_reports_of_one_instance_are_one_instance() -> None:
    often = [seen("ann", "r1", version=version, files=version) for version in range(1, 51)]
    assert merge_all(often, observed_fleet(often)) == {}
    (tally,) = tallies(often)
    assert (tally.instances, tally.files) == (("ann",), 50)


def test_clones_of_one_repository_count_once_by_the_largest() -> None:
    clones = [seen("ann", "r1", files=3, occurrences=9), seen("bob", "r1", files=4, occurrences=7), seen("bob", "r2")]
    insight = merge(clones, observed_fleet(clones))
    assert insight is not None
    assert (insight.instances, insight.repositories, insight.files, insight.occurrences) == (2, 2, 5, 11)


def test_one_repository_is_not_enough_however_many_clone_it() -> None:
    clones = [seen(name, "r1") for name in INSTANCES]
    assert merge(clones, observed_fleet(clones)) is None


def _fleet_with(extra: int) -> Fleet:
    """Five honest instances with a repository each, and one instance with `extra` of them."""
    honest = [("python", f"honest-{n}", f"h{n}") for n in range(5)]
    return fleet_of(Held(*one) for one in [*honest, *(("python", "big", f"b{n}") for n in range(extra))])


def test_the_weight_of_one_instance_is_bounded() -> None:
    def rate(extra: int) -> float:
        claims = [seen("honest-0", "h0"), *(seen("big", f"b{n}") for n in range(extra))]
        insight = merge(claims, _fleet_with(extra))
        assert insight is not None
        return insight.rate

    assert rate(5) < rate(1_000) <= 0.6  # (1 + 5) of (5 + 5) votes at the most


def test_who_contradicts_the_fingerprint_does_not_count() -> None:
    honest = [seen("ann", "r1"), seen("bob", "r2")]
    liar = seen("cyd", "r3", language="go", files=1_000)
    insight = merge([*honest, liar], observed_fleet([*honest, liar]))
    assert insight is not None
    assert (insight.language, insight.contributors, insight.files) == ("python", ("ann", "bob"), 2)


def test_a_template_is_told_once_one_instance_tells_it() -> None:
    known = [seen("ann", "r1", template="for a in b"), seen("bob", "r2")]
    insight = merge(known, observed_fleet(known))
    assert insight is not None
    assert insight.template == "for a in b"


def test_architecture_is_measured_against_every_repository() -> None:
    layout = {"language": "", "kind": "architecture.pattern", "name": "monorepo", "view": ""}
    known = [
        seen("ann", "r1", **layout),
        seen("bob", "r2", **layout),
        seen("cyd", "r3", fingerprint="f2", language="go"),
        seen("dan", "r4", fingerprint="f2"),
    ]
    insight = merge_all(known, observed_fleet(known))["f1"]
    assert insight.rate == 0.5


def test_a_revoked_insight_says_how_many_are_left_and_nothing_else_of_them() -> None:
    known = [seen("ann", "r1", template="t"), seen("bob", "r2")]
    insight = merge(known, observed_fleet(known))
    assert insight is not None
    (left,) = tallies(known[:1])
    withdrawn = revoked(insight, left)
    assert (withdrawn.state, withdrawn.instances, withdrawn.repositories) == ("revoked", 1, 1)
    assert (withdrawn.template, withdrawn.contributors, withdrawn.evidence, withdrawn.files) == (None, (), "", 0)
    assert (withdrawn.id, withdrawn.kind, withdrawn.language) == (insight.id, insight.kind, insight.language)


def test_the_mean_share_of_files_counts_repositories_without_it() -> None:
    known = [
        *(language(name, repository, 20) for name, repository in (("ann", "r1"), ("bob", "r2"), ("cyd", "r3"))),
        seen("ann", "r1", files=10),
        seen("bob", "r2", files=4),
        seen("dan", "r4", files=1),
    ]
    insight = merge([one for one in known if one.fingerprint == "f1"], observed_fleet(known))
    assert insight is not None
    assert (insight.file_rate, insight.file_repositories) == (round((0.5 + 0.2 + 0) / 3, 6), 3)


def test_without_two_counted_repositories_there_is_no_mean() -> None:
    known = [language("ann", "r1", 20), seen("ann", "r1"), seen("bob", "r2")]
    insight = merge(known[1:], observed_fleet(known))
    assert insight is not None
    assert (insight.file_rate, insight.file_repositories) == (0.0, 0)


@given(st.integers(0, 10**9))
def test_files_are_rounded_by_less_than_they_matter(files: int) -> None:
    assert abs(rounded(files) - files) <= files / 2**FILES_BITS
    assert rounded(rounded(files)) == rounded(files)


def test_whose_weight_is_nothing_is_not_there() -> None:
    known = [seen("ann", "r1"), seen("bob", "r2"), seen("cyd", "r3", fingerprint="f2")]
    assert observed_fleet(known, {"cyd": 0.0}).digests == observed_fleet(known[:2]).digests
    assert observed_fleet(known, {"cyd": 0.5}).digests != observed_fleet(known).digests


def test_a_name_needs_two_who_tell_it() -> None:
    untold = seen("ann", "r1", kind="technology.dependency")
    told = [seen(name, f"r {name}", kind="technology.dependency", name="requests") for name in ("bob", "cyd")]
    one = merge([untold, told[0]], observed_fleet([untold, told[0]]))
    both = merge([untold, *told], observed_fleet([untold, *told]))
    assert one is not None
    assert both is not None
    assert (one.name, one.instances) == ("", 2)
    assert (both.name, both.instances) == ("requests", 3)


def test_versions_are_counted_by_repository() -> None:
    used = [seen("ann", "r1", release="2.1"), seen("bob", "r1", release="2.1"), seen("bob", "r2", release="2.1")]
    used += [seen("cyd", "r3", release="1.0"), seen("dan", "r4")]
    insight = merge(used, observed_fleet(used))
    assert insight is not None
    assert list(insight.versions.items()) == [("2.1", 2), ("1.0", 1)]


def test_opinions_are_told_and_are_no_evidence() -> None:
    known = [seen("ann", "r1"), seen("bob", "r2")]
    fleet = observed_fleet(known)
    plain, heard = merge(known, fleet), merge(known, fleet, {"f1": Opinion(3, 1)})
    assert plain is not None
    assert heard == structs.replace(plain, accepted=3, rejected=1)
