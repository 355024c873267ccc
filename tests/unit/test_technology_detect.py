from __future__ import annotations

import json

import pytest

from instance.learning.imports import Import
from instance.learning.technology.confidence import Evidence, Kind, confidence
from instance.learning.technology.detect import Framework, Technologies, technologies
from instance.learning.technology.places import Place, place_of
from instance.learning.technology.rules import rules_from
from instance.learning.technology.usage import Usage, modules


def _python(files: int, *imported: str, path: str = "shop/m{}.py") -> Usage:
    """Return the usage of a code base of 100 files, the first few of which import something."""
    usage = Usage()
    for number in range(100):
        module = imported if number < files else ()
        usage.add(path.format(number), "python", [Import("x", name) for name in module])
    return usage


def _detected(manifests: dict[str, str], usage: Usage | None = None, paths: tuple[str, ...] = ()) -> Technologies:
    return technologies(manifests, [*manifests, *paths], usage or Usage())


def _framework(found: Technologies, id_: str) -> Framework | None:
    return next((framework for framework in found.frameworks if framework.id == id_), None)


def _project(**keys: object) -> dict[str, str]:
    lines = [f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in keys.items()]
    return {"pyproject.toml": "[project]\nname = 'shop'\n" + "\n".join(lines)}


def test_a_framework_is_told_with_version_evidence_and_confidence() -> None:
    manifests = _project(dependencies=["Django>=4.2"]) | {"uv.lock": '[[package]]\nname = "django"\nversion = "5.0.4"'}
    django = _framework(_detected(manifests, _python(40, "django.db.models"), ("manage.py",)), "django")
    assert django is not None
    assert (django.name, django.category, django.version, django.importing_files) == ("Django", "web", "5.0.4", 40)
    assert django.evidence == (Evidence(Kind.RUNTIME, 1), Evidence(Kind.FILE, 1), Evidence(Kind.WIDE_IMPORT, 40))
    assert django.confidence > 0.99


def test_without_a_lock_the_version_is_what_is_asked_for() -> None:
    flask = _framework(_detected(_project(dependencies=["flask>=2"])), "flask")
    assert flask is not None
    assert flask.version == ">=2"


@pytest.mark.parametrize("files", [0, 2])
def test_an_optional_integration_makes_no_django_project(files: int) -> None:
    manifests = {"pyproject.toml": "[project]\nname = 'queue'\n[project.optional-dependencies]\ndjango = ['django']"}
    usage = _python(files, "django")
    assert _framework(_detected(manifests, usage), "django") is None


def test_what_only_tests_need_is_no_part_of_the_product_but_may_be_a_tool() -> None:
    manifests = {"pyproject.toml": "[dependency-groups]\ntest = ['flask', 'pytest']"}
    usage = _python(50, "flask", "pytest", path="tests/test_{}.py")
    found = _detected(manifests, usage)
    assert _framework(found, "flask") is None
    assert _framework(found, "pytest") is not None


def test_imports_alone_tell_what_no_manifest_says() -> None:
    found = _detected({}, _python(30, "sqlalchemy.orm"))
    assert [framework.id for framework in found.frameworks] == ["sqlalchemy"]
    assert _detected({}, _python(2, "sqlalchemy.orm")).frameworks == ()


@pytest.mark.parametrize(
    "path",
    ["examples/web/package.json", "tests/fixtures/package.json", "vendor/x/package.json", "static/lib/x/package.json",
     "app/project_template/package.json"],
)  # fmt: skip
def test_examples_fixtures_and_vendored_code_say_nothing(path: str) -> None:
    found = _detected(
        {path: '{"dependencies": {"express": "^4"}}'}, paths=(path.replace("package.json", "Dockerfile"),)
    )
    assert found.frameworks == ()
    assert found.dependencies == ()


def test_a_framework_does_not_use_itself() -> None:
    manifests = {"package.json": '{"name": "express", "devDependencies": {"mocha": "^10", "express": "file:."}}'}
    usage = Usage()
    usage.add("lib/a.js", "javascript", [Import("x", "express")])
    assert [framework.id for framework in _detected(manifests, usage).frameworks] == ["mocha"]


def test_a_rule_can_be_ruled_out_by_another_framework() -> None:
    manifests = {"pyproject.toml": "[build-system]\nrequires = ['hatchling']", "setup.py": "setup(name='generated')"}
    assert [framework.id for framework in _detected(manifests).frameworks] == ["hatch"]
    manifests["pyproject.toml"] = ""
    assert [framework.id for framework in _detected(manifests).frameworks] == ["setuptools"]


def test_settings_in_manifests_are_evidence() -> None:
    found = _detected({"pyproject.toml": "[tool.ruff]\n", "package.json": '{"jest": {}, "packageManager": "yarn@4"}'})
    assert {framework.id for framework in found.frameworks} == {"ruff", "jest", "yarn"}


def test_indirect_packages_are_dependencies_and_no_evidence() -> None:
    found = _detected({"go.mod": "module a.b/c\nrequire github.com/gin-gonic/gin v1.9.1 // indirect"})
    assert found.frameworks == ()
    assert len(found.dependencies) == 1


def test_what_is_imported_all_over_and_nobody_knows_is_undetermined() -> None:
    manifests = _project(dependencies=["strange-web==1.2", "rarely", "django"])
    (candidate,) = _detected(manifests, _python(20, "strange_web.app", "django")).undetermined
    assert candidate == ("pypi", "strange-web", "1.2", 20, 0.2)


def test_a_learned_rule_names_it() -> None:
    learned = rules_from("web", '[strange]\nname = "Strange"\npypi = ["strange-web"]')
    found = technologies(_project(dependencies=["strange-web"]), [], _python(20, "strange_web"), learned)
    assert [framework.name for framework in found.frameworks] == ["Strange"]
    assert found.undetermined == ()


def test_unreadable_manifests_are_named_and_the_rest_is_read() -> None:
    found = _detected({"package.json": "{", "Cargo.toml": "<a", "web/package.json": '{"dependencies": {"vue": "^3"}}'})
    assert found.unreadable == {"package.json": "not JSON", "Cargo.toml": "not TOML"}
    assert [framework.id for framework in found.frameworks] == ["vue"]


def test_a_file_counts_once_for_each_module_and_those_around_it() -> None:
    imports = [Import("a", "a.b", "c"), Import("d", "a.b", "d"), Import("e", ".own")]
    assert modules("python", imports) == {"a", "a.b", "a.b.c", "a.b.d"}
    assert modules("rust", [Import("x", "axum::routing", "get")]) == {"axum", "axum::routing", "axum::routing::get"}
    assert modules("javascript", [Import("x", "@scope/name/sub", "y")]) == {"@scope", "@scope/name", "@scope/name/sub"}
    assert modules("python", [Import("x", "shop.db"), Import("y", "os")], own=frozenset({"shop"})) == {"os"}


def test_typescript_counts_as_javascript() -> None:
    usage = Usage()
    usage.add("src/a.ts", "typescript", [Import("x", "react")])
    usage.add("src/b.tsx", "tsx", [Import("x", "react-dom/client")])
    assert usage.importing("javascript", ["react"]) == (1, 0)
    assert usage.files["javascript"] == 2


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("src/app.py", Place.CODE),
        ("src/latest/app.py", Place.CODE),
        ("src/app_test.go", Place.TEST),
        ("src/app.spec.ts", Place.TEST),
        ("src/test/java/AppTest.java", Place.TEST),
        ("tests/unit/a.py", Place.TEST),
        ("examples/a.py", Place.BESIDE),
        ("log4j-samples/a.java", Place.BESIDE),
        ("web/static/vendor/jquery/a.js", Place.BESIDE),
    ],
)
def test_a_path_tells_the_product_from_what_lies_beside_it(path: str, place: Place) -> None:
    assert place_of(path) is place


def test_more_evidence_never_makes_less_sure() -> None:
    for is_tool in (False, True):
        for kind in Kind:
            for other in Kind:
                one = confidence([Evidence(kind, 1)], is_tool=is_tool)
                both = confidence([Evidence(kind, 1), Evidence(other, 1)], is_tool=is_tool)
                assert 0 <= one <= both <= 1
