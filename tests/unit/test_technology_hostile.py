"""No text whatever makes reading manifests fail, hang or grow without bound."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.technology.dependency import DEPENDENCIES_MAX, SPEC_LENGTH_MAX
from instance.learning.technology.detect import Technologies, technologies
from instance.learning.technology.manifests import read_manifest
from instance.learning.technology.merging import merged
from instance.learning.technology.usage import Usage
from instance.learning.technology.versions import fitting, newest

PATHS = [
    "package.json", "pnpm-workspace.yaml", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "pyproject.toml",
    "setup.cfg", "setup.py", "Pipfile", "Pipfile.lock", "poetry.lock", "Cargo.toml", "Cargo.lock", "mix.exs",
    "mix.lock", "go.mod", "go.sum", "pom.xml", "build.gradle", "gradle/libs.versions.toml", "requirements.txt",
]  # fmt: skip
_WORDS = st.sampled_from([
    "dependencies", "devDependencies", "project", "package", "packages", "workspace", "version", "name", "tool",
    "poetry", "x", "1.0", "catalog:", "require", "module", "libraries", "versions", "node_modules/a", "optional",
])  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


def _detected(path: str, source: str) -> Technologies:
    return technologies({path: source}, [path], Usage())


@given(st.sampled_from(PATHS), st.text() | _VALUES.map(json.dumps))
def test_any_text_is_read_or_named(path: str, source: str) -> None:
    found = _detected(path, source)
    assert found.unreadable.keys() <= {path}


@given(st.sampled_from(["Cargo.toml", "pyproject.toml", "Pipfile", "gradle/libs.versions.toml"]), _WORDS, _VALUES)
def test_any_value_may_stand_where_a_table_should(path: str, key: str, value: object) -> None:
    assert not _detected(path, f"{key} = {json.dumps(value) if isinstance(value, str | int) else '[1]'}").dependencies


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "piece", ["[", "{", "(", '{"a":', "- ", "<a>", "a: &a [*a, ", "setup(", "\x00", "a" * 100, "'", "\\"]
)
def test_repeated_pieces_end_soon(path: str, piece: str) -> None:
    started = time.process_time()
    _detected(path, piece * 20_000)
    _detected(path, f"module a\n# yarn lockfile v1\ndefmodule\n%{{{piece * 20_000}")
    assert time.process_time() - started < 5


def test_aliases_of_aliases_are_not_unfolded() -> None:
    levels = "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(20))
    assert not _detected("pnpm-lock.yaml", f"a0: &a0 x\n{levels}packages: *a20\n").unreadable


def test_merged_aliases_are_not_unfolded() -> None:
    levels = "".join(f"a{n + 1}: &a{n + 1}\n  <<: [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(20))
    assert not _detected("pnpm-lock.yaml", f"a0: &a0\n  x: y\n{levels}").unreadable


def test_names_no_registry_takes_are_dropped_and_counted() -> None:
    names = ["a" * 400, "", "a b", "\n", "<script>", "fine"]
    found = _detected("package.json", json.dumps({"dependencies": dict.fromkeys(names, "1" * 1000)}))
    (kept,) = found.dependencies
    assert (kept.name, len(kept.spec), found.dropped) == ("fine", SPEC_LENGTH_MAX, 5)


def test_a_manifest_of_very_many_packages_is_cut() -> None:
    source = "".join(f"a{number}\n" for number in range(DEPENDENCIES_MAX + 10))
    manifest = read_manifest("requirements.txt", source)
    assert (len(manifest.dependencies), manifest.dropped) == (DEPENDENCIES_MAX, 10)


def test_offers_that_lead_in_a_circle_end() -> None:
    source = "<project><properties><a>${b}</a><b>${a}</b></properties><dependencies><dependency><groupId>g</groupId>"
    source += "<artifactId>x</artifactId><version>${a}</version></dependency></dependencies></project>"
    (found,) = merged([read_manifest("pom.xml", source)])
    assert found.spec == ""


def test_what_is_offered_is_believed_no_more_than_what_is_asked_for() -> None:
    catalog = "[libraries]\nx = '<b>:<i>:1'\ny = 'a:b:" + "1" * 1000 + "'"
    pom = (
        "<project><dependencyManagement><dependencies><dependency><groupId>scope of g</groupId>"
        "<artifactId>x</artifactId><version>nonsense</version></dependency></dependencies></dependencyManagement><dependencies><dependency>"
        "<groupId>g</groupId><artifactId>x</artifactId></dependency></dependencies></project>"
    )
    texts = {"gradle/libs.versions.toml": catalog, "build.gradle": "api(libs.x)\napi(libs.y)", "pom.xml": pom}
    found = merged([read_manifest(path, source) for path, source in texts.items()])
    assert [(each.name, len(each.spec)) for each in found] == [("a:b", SPEC_LENGTH_MAX), ("g:x", 0)]


_VERSIONS = st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-rc\.?[0-9])?", fullmatch=True)


@given(st.text(max_size=20), st.lists(_VERSIONS, min_size=1, max_size=6))
def test_a_version_is_always_chosen_from_those_there_are(spec: str, versions: list[str]) -> None:
    assert fitting(spec, versions) in versions
    assert newest(versions) == newest(versions[::-1])


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [("^1.0", "1.9.9"), ("~> 0.3", "0.3.7"), (">=1", "1.9.9"), ("", "2.0.0"), ("*", "2.0.0"), ("9", "2.0.0")],
)  # fmt: skip
def test_the_version_that_fits_a_spec(spec: str, chosen: str) -> None:
    assert fitting(spec, ["0.3.7", "0.4.0", "1.9.9", "1.10.0-rc.1", "2.0.0-beta", "2.0.0"]) == chosen
