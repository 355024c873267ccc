from __future__ import annotations

from textwrap import dedent

import pytest

from instance.learning.technology.dependency import Scope
from instance.learning.technology.manifests import is_manifest, read_manifest
from instance.learning.technology.merging import merged


def _declared(path: str, source: str) -> dict[str, tuple[str, Scope]]:
    manifest = read_manifest(path, dedent(source))
    return {each.name: (each.spec, each.scope) for each in manifest.dependencies}


def test_pyproject_speaks_the_standard() -> None:
    source = """
        [build-system]
        requires = ["hatchling>=1.2"]
        [project]
        name = "My_Shop"
        dependencies = ["Django>=4.2,<6", "psycopg[binary]>=3 ; python_version > '3.8'"]
        [project.optional-dependencies]
        redis = ["redis"]
        test = ["pytest"]
        [dependency-groups]
        lint = ["ruff", {include-group = "types"}]
        types = ["mypy"]
        [tool.ruff]
    """
    assert _declared("pyproject.toml", source) == {
        "hatchling": (">=1.2", Scope.BUILD),
        "django": ("<6,>=4.2", Scope.RUNTIME),
        "psycopg": (">=3", Scope.RUNTIME),
        "redis": ("", Scope.OPTIONAL),
        "pytest": ("", Scope.DEV),
        "ruff": ("", Scope.DEV),
        "mypy": ("", Scope.DEV),
    }
    manifest = read_manifest("pyproject.toml", dedent(source))
    assert (manifest.own, manifest.settings) == ({"my-shop"}, {"pyproject.toml:tool.ruff"})


def test_pyproject_speaks_the_dialects() -> None:
    assert _declared("pyproject.toml", """
        [tool.poetry]
        name = "shop"
        [tool.poetry.dependencies]
        python = "^3.11"
        flask = "^3.0"
        celery = {version = "^5.3", optional = true}
        core = {path = "../core"}
        boto3 = [{version = "1.34"}, {version = "1.35"}]
        [tool.poetry.group.dev.dependencies]
        black = "*"
        [tool.pdm.dev-dependencies]
        docs = ["sphinx"]
        [tool.uv]
        dev-dependencies = ["tox"]
        [tool.hatch.envs.default]
        dependencies = ["nox"]
    """) == {
        "flask": ("^3.0", Scope.RUNTIME),
        "celery": ("^5.3", Scope.OPTIONAL),
        "boto3": ("1.34", Scope.RUNTIME),
        "black": ("*", Scope.DEV),
        "sphinx": ("", Scope.DEV),
        "tox": ("", Scope.DEV),
        "nox": ("", Scope.DEV),
    }  # fmt: skip


def test_requirements_files_are_read_by_line() -> None:
    source = dedent("""
        # comment
        -r base.txt
        --index-url https://example.org/simple
        -e .
        ./local
        git+https://example.org/x.git
        Flask==3.0.2 \\
            --hash=sha256:aa
            # via -r main.in
        zope.interface  # why
        name @ https://example.org/name.whl
    """)
    manifest = read_manifest("requirements.txt", source)
    assert [(each.name, each.spec, each.version) for each in manifest.dependencies] == [
        ("flask", "==3.0.2", "3.0.2"),
        ("zope-interface", "", None),
        ("name", "https://example.org/name.whl", None),
    ]


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("requirements.txt", Scope.RUNTIME),
        ("requirements/main.in", Scope.RUNTIME),
        ("requirements/test.txt", Scope.DEV),
        ("dev-requirements.txt", Scope.DEV),
        ("docs/requirements.txt", Scope.DEV),
    ],
)
def test_where_requirements_lie_says_what_they_are_for(path: str, scope: Scope) -> None:
    assert is_manifest(path)
    assert _declared(path, "attrs") == {"attrs": ("", scope)}


def test_setup_cfg_declares_and_configures() -> None:
    source = """
        [metadata]
        name = shop
        [options]
        install_requires =
            requests>=2
            click
        [options.extras_require]
        test = pytest
        [flake8]
        max-line-length = 100
    """
    expected = {"requests": (">=2", Scope.RUNTIME), "click": ("", Scope.RUNTIME), "pytest": ("", Scope.DEV)}
    assert _declared("setup.cfg", source) == expected
    manifest = read_manifest("setup.cfg", dedent(source))
    assert manifest.own == {"shop"}
    assert "setup.cfg:flake8" in manifest.settings


@pytest.mark.parametrize(
    "source",
    [
        """
        from setuptools import setup
        setup(name="shop", install_requires=["flask>=2", "click"], extras_require={"dev": ["pytest"]})
        """,
        """
        import setuptools
        BASE = ["flask>=2"]
        arguments = dict(name="shop", install_requires=BASE + ["click"], extras_require={"dev": ("pytest",)})
        setuptools.setup(**arguments)
        """,
    ],
    ids=["literal", "named"],
)
def test_setup_py_is_read_without_running_it(source: str) -> None:
    assert _declared("setup.py", source) == {
        "flask": (">=2", Scope.RUNTIME),
        "click": ("", Scope.RUNTIME),
        "pytest": ("", Scope.DEV),
    }


def test_a_setup_py_that_computes_is_silent() -> None:
    assert _declared("setup.py", "a = a + a\nsetup(install_requires=read('x'), tests_require=a, **b)") == {}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("poetry.lock", '[[package]]\nname = "Flask"\nversion = "3.0.2"'),
        ("pylock.toml", '[[packages]]\nname = "flask"\nversion = "3.0.2"'),
        (
            "uv.lock",
            (
                '[[package]]\nname = "shop"\nversion = "0"\nsource = {editable = "."}\n'
                '[[package]]\nname = "flask"\nversion = "3.0.2"\nsource = {registry = "x"}'
            ),
        ),
        ("Pipfile.lock", '{"default": {"flask": {"version": "==3.0.2"}}}'),
    ],
)
def test_locks_give_the_version_of_what_is_declared(path: str, source: str) -> None:
    declared = read_manifest("pyproject.toml", '[project]\nname = "shop"\ndependencies = ["flask>=2"]')
    (found,) = merged([read_manifest(path, source), declared])
    assert (found.name, found.spec, found.version, found.scope) == ("flask", ">=2", "3.0.2", Scope.RUNTIME)


def test_pipfile_speaks_of_both_uses() -> None:
    source = '[packages]\nflask = "*"\n[dev-packages]\npytest = {version = ">=8"}'
    assert _declared("Pipfile", source) == {"flask": ("", Scope.RUNTIME), "pytest": (">=8", Scope.DEV)}
