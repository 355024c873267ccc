from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource

from instance.learning.technology.dependency import Dependency, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.purl import package_of, purl_of, report
from instance.learning.technology.sbom import read_sbom, write_sbom

SERIAL = UUID("3e671687-395b-41f5-a30f-a58921a69b79")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEPENDENCIES = (
    Dependency("npm", "@angular/core", "^17", "17.1.0", Scope.RUNTIME, "web/package.json"),
    Dependency("pypi", "django", ">=4", None, Scope.OPTIONAL, "pyproject.toml"),
    Dependency("golang", "github.com/gin-gonic/gin", "v1.9.1", "v1.9.1", Scope.RUNTIME, "go.mod"),
    Dependency("maven", "org.junit.jupiter:junit-jupiter", "5.10.1", None, Scope.DEV, "pom.xml"),
    Dependency("cargo", "serde", "1", "1.0.197", Scope.INDIRECT, "Cargo.lock"),
    Dependency("hex", "phoenix", "~> 1.7", "1.7.12", Scope.BUILD, "mix.exs"),
)
PURLS = [
    "pkg:cargo/serde@1.0.197",
    "pkg:golang/github.com/gin-gonic/gin@v1.9.1",
    "pkg:hex/phoenix@1.7.12",
    "pkg:maven/org.junit.jupiter/junit-jupiter",
    "pkg:npm/%40angular/core@17.1.0",
    "pkg:pypi/django",
]
_NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True)


def _validator() -> jsonschema.Draft7Validator:
    """Return the validator of the schema the standard publishes."""
    folder = files("cyclonedx.schema") / "_res"
    documents = {
        name: json.loads((folder / name).read_text("utf-8"))
        for name in ("bom-1.6.SNAPSHOT.schema.json", "spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    }
    registry: Registry[object] = Registry().with_resources(
        (document["$id"], Resource.from_contents(document)) for document in documents.values()
    )
    return jsonschema.Draft7Validator(documents["bom-1.6.SNAPSHOT.schema.json"], registry=registry)


def test_a_report_names_every_package_once() -> None:
    assert report([*DEPENDENCIES, DEPENDENCIES[0]]) == PURLS


def test_what_is_written_is_cyclonedx() -> None:
    document = json.loads(write_sbom(DEPENDENCIES, "shop", SERIAL, NOW))
    validator = _validator()
    validator.validate(document)
    assert [component["purl"] for component in document["components"]] == PURLS
    assert (document["serialNumber"], document["metadata"]["timestamp"]) == (SERIAL.urn, "2026-01-02T03:04:05+00:00")
    document["components"][0]["type"] = "sandwich"
    assert not validator.is_valid(document)


def test_the_same_dependencies_in_any_order_are_the_same_bytes() -> None:
    assert write_sbom(DEPENDENCIES, "shop", SERIAL, NOW) == write_sbom(DEPENDENCIES[::-1], "shop", SERIAL, NOW)


def test_what_is_written_reads_back() -> None:
    assert set(read_sbom(write_sbom(DEPENDENCIES, "shop", SERIAL, NOW))) == set(DEPENDENCIES)


def test_a_document_of_another_tool_is_read_by_its_package_urls() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "components": [
            {"type": "library", "name": "core", "group": "@angular", "purl": "pkg:npm/%40angular/core@17.1.0"},
            {"type": "library", "name": "six", "purl": "pkg:pypi/Six@1.16?x=y#z", "scope": "excluded", "licenses": []},
            {"type": "library", "name": "libc6", "purl": "pkg:deb/debian/libc6@2.36"},
            {"type": "application", "name": "none"},
            {"type": "library", "name": "broken", "purl": "six@1.16"},
            {"type": "x", "name": "outer", "components": [{"type": "library", "name": "a", "purl": "pkg:hex/a@1"}]},
        ],
    }  # fmt: skip
    assert [each[:5] for each in read_sbom(json.dumps(document).encode())] == [
        ("npm", "@angular/core", "", "17.1.0", Scope.RUNTIME),
        ("pypi", "six", "", "1.16", Scope.DEV),
        ("hex", "a", "", "1", Scope.RUNTIME),
    ]


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b'{"bomFormat": "SPDX"}', b'{"bomFormat": "CycloneDX", "components": {}}', b"[" * 100_000],
)
def test_what_is_no_cyclonedx_is_unreadable(document: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_sbom(document)


def test_deeply_nested_components_end() -> None:
    nested: dict[str, object] = {"type": "library", "name": "x", "purl": "pkg:npm/x@1"}
    for _ in range(200):
        nested = {"type": "library", "name": "x", "components": [nested]}
    assert read_sbom(json.dumps({"bomFormat": "CycloneDX", "components": [nested]}).encode()) == ()


@given(st.sampled_from(["npm", "pypi", "cargo", "hex"]), _NAMES, st.none() | _NAMES)
def test_a_package_url_leads_back_to_the_package(ecosystem: str, name: str, version: str | None) -> None:
    dependency = Dependency(ecosystem, name, "", version, Scope.RUNTIME, "x")
    known = package_of(purl_of(dependency))
    assert known is not None
    assert known[0] == ecosystem
    assert known[1].replace("-", ".") == name.replace("-", ".") or ecosystem == "pypi"
    assert known[2] == version
