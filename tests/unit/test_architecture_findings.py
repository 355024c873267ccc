"""What a repository's graph, entry points, services and habits are called."""

from __future__ import annotations

from instance.learning.architecture.pattern import ArchitecturePattern
from instance.learning.architecture.report import report
from instance.learning.architecture.study import architecture
from tests.support.trees import evidence_of


def _found(files: dict[str, str]) -> dict[str, ArchitecturePattern]:
    return {pattern.name: pattern for pattern in architecture(evidence_of(files))}


def _package(bodies: dict[str, str], count: int = 12) -> dict[str, str]:
    """A Python package `app` of `count` modules m0, m1 ..., some with a body."""
    return {"app/__init__.py": "", **{f"app/m{at}.py": bodies.get(f"m{at}", "") for at in range(count)}}


def _layered(count: int = 6) -> dict[str, str]:
    """Every controller needs every service, every service every model; one model goes back up."""
    names = {"controllers": "services", "services": "models", "models": ""}
    files = {"app/__init__.py": ""}
    for folder, below in names.items():
        files[f"app/{folder}/__init__.py"] = ""
        for at in range(count):
            needs = (f"from app.{below} import x{other}\n" for other in range(count) if below)
            files[f"app/{folder}/x{at}.py"] = "".join(needs)
    files["app/models/x0.py"] = "from app.controllers import x0\n"
    return files


def test_a_graph_without_cycles_is_acyclic_and_surer_the_larger_it_is() -> None:
    small = _found(_package({"m0": "from app import m1\n"}))["dependency.acyclic"]
    large = _found(_package({"m0": "from app import m1\n"}, 60))["dependency.acyclic"]
    assert (small.language, small.evidence, small.measures["dependencies"]) == ("python", 13, 1)
    assert 0.7 < small.confidence < large.confidence
    assert "dependency.acyclic" not in _found(_package({"m0": "from app import m1\n"}, 5))


def test_cycles_are_counted_and_those_that_loading_does_not_see_are_told_apart() -> None:
    bodies = {"m0": "from app import m1\n", "m1": "from app import m2\n", "m2": "def f():\n    from app import m0\n"}
    found = _found(_package(bodies))
    assert found["dependency.cycles"].evidence == 3
    assert found["dependency.cycles"].measures["largest"] == 3
    assert "dependency.cycles-deferred" in found
    assert "dependency.acyclic" not in found
    hard = _found(_package(bodies | {"m2": "from app import m0\n"}))
    assert "dependency.cycles" in hard
    assert "dependency.cycles-deferred" not in hard


def test_go_is_not_praised_for_what_its_compiler_enforces() -> None:
    files = {f"p{at}/p.go": f'package p\nimport "x.y/p{at + 1}"\n' for at in range(12)}
    found = _found(files | {"go.mod": "module x.y\n", "p12/p.go": "package p\n"})
    assert not {"dependency.acyclic", "dependency.cycles"} & found.keys()


def test_a_graph_with_holes_is_not_judged() -> None:
    bodies = {"m0": "from app import m1\n", "m1": "".join(f"import app.gone{at}\n" for at in range(4))}
    assert not [name for name in _found(_package(bodies)) if name.startswith("dependency.")]


def test_hubs_and_lone_modules_are_named() -> None:
    found = _found(_package({f"m{at}": "from app import m0\n" for at in range(1, 9)}, 16))
    assert found["dependency.hubs"].evidence == 8
    assert found["dependency.hubs"].measures["share"] == 1
    assert found["dependency.isolated"].measures["share"] == 0.45


def test_layers_are_ordered_by_what_needs_what() -> None:
    found = _found(_layered())
    assert found["layers.respected"].measures == {"layers": 3, "against": 0.01}
    assert "layers.controllers-above-services" in found
    assert "layers.services-above-models" in found
    assert "layers.models-above-controllers" not in found
    assert found["style.layered"].confidence == 1
    drawn = report(evidence_of(_layered())).languages[0]
    assert [layer.role for layer in drawn.layers] == ["controllers", "services", "models"]
    assert [(breach.module, breach.needed) for breach in drawn.breaches] == [
        ("app/models/x0.py", "app/controllers/x0.py")
    ]
    assert drawn.cycles
    assert drawn.cycles[0][0].startswith("app/")


def test_layers_that_depend_both_ways_are_blurred() -> None:
    files = _layered()
    for at in range(6):
        files[f"app/models/x{at}.py"] = "".join(f"from app.services import x{other}\n" for other in range(4))
    found = _found(files)
    assert "layers.blurred" in found
    assert "layers.respected" not in found
    assert "style.layered" not in found


def test_programs_are_found_in_every_ecosystem() -> None:
    kinds = report(
        evidence_of(
            {
                "pyproject.toml": '[build-system]\nrequires = []\n[project]\nname = "a"\n'
                '[project.scripts]\na = "a:main"\n',
                "a/__init__.py": "import click\n", "a/__main__.py": "", "a/web.py": "from fastapi import FastAPI\n",
                "a/work.py": "from celery import Celery\n", "a/when.py": "import apscheduler.schedulers.asyncio\n",
                "go.mod": "module x.y\n",
                "cmd/s/main.go": 'package main\nimport "github.com/gin-gonic/gin"\nfunc main() {}\n',
                "cmd/s/help.go": "package main\n", "crate/src/main.rs": "fn main() {}\n",
                "crate/src/lib.rs": "use axum::Router;\n",
                "j/Main.java": "class Main { public static void main(String[] a) { } }\n",
                "web/package.json": '{"bin": "cli.js", "main": "i.js"}', "web/i.ts": 'import express from "express";\n',
                "mix.exs": "def project, do: [escript: [main_module: M], package: package()]\n",
                "lib/r.ex": "defmodule R do\n  use Phoenix.Router\nend\n", "tests/test_a.py": "import flask\n",
                "private/package.json": '{"private": true, "main": "x.js"}',
            }
        )
    ).entries  # fmt: skip
    assert kinds["entry.executable"] == [
        "cmd/s/main.go", "crate/src/main.rs", "j/Main.java", "mix.exs", "pyproject.toml", "web/package.json",
    ]  # fmt: skip
    assert kinds["entry.module-main"] == ["a/__main__.py"]
    assert kinds["entry.http"] == ["a/web.py", "web/i.ts", "cmd/s/main.go", "crate/src/lib.rs", "lib/r.ex"]
    assert kinds["entry.library"] == ["crate/src/lib.rs", "mix.exs", "pyproject.toml", "web/package.json"]
    assert (kinds["entry.cli"], kinds["entry.worker"], kinds["entry.scheduled"]) == (
        ["a/__init__.py"], ["a/work.py"], ["a/when.py"],
    )  # fmt: skip


def test_a_framework_does_not_serve_by_importing_itself() -> None:
    files = {
        "flask/__init__.py": "from flask.app import Flask\n",
        "flask/app.py": "import flask.views\n",
        "flask/views.py": "",
    }
    assert "entry.http" not in _found(files)


def test_services_are_read_from_compose_files_and_workloads() -> None:
    found = _found(
        {
            "compose.yaml": "services:\n  db:\n    image: docker.io/library/postgres:16\n  bus:\n    image: 'nats:2'\n"
            "  q:\n    image: ${REG:-confluentinc}/cp-kafka:7\n"
            "  app:\n    build: .\n  mine:\n    image: acme/secretsvc\n",
            "deploy/k8s/app.yaml": "kind: Deployment\n---\nkind: CronJob\nspec:\n  image: redis\n",
            "docs/deploy.yaml": "kind: Deployment\n",
        }
    )
    assert {name for name in found if name.startswith("service.")} == {
        "service.postgres", "service.nats", "service.kafka", "service.redis", "service.composed",
    }  # fmt: skip
    assert found["service.composed"].measures == {"known": 4, "built": 1}
    assert found["deploy.workloads"].measures == {"deployment": 1, "cronjob": 1}


def test_styles_need_more_than_a_directory_name() -> None:
    assert "style.event-driven" not in _found({"events/a.py": "", "consumers/b.py": ""})
    found = _found({"events/a.py": "import aiokafka\n", "consumers/b.py": "import aiokafka\n"})
    assert found["style.event-driven"].confidence == 0.75
    services = {f"services/{name}/{file}": "" for name in "abc" for file in ("Dockerfile", "go.mod")}
    assert _found(services)["style.microservices"].confidence == 0.75
    assert "style.microservices" not in _found({"Dockerfile": ""})
    plugged = {"pyproject.toml": '[project.entry-points."x.plugins"]\na = "b:c"\n'}
    assert _found(plugged)["style.plugins"].confidence == 0.5


def test_modules_of_one_deployment_that_keep_to_themselves_are_a_modular_monolith() -> None:
    files = {"app/__init__.py": "", "app/__main__.py": "", "Dockerfile": ""}
    for part in ("orders", "stock", "users", "billing"):
        files[f"app/{part}/__init__.py"] = ""
        for at in range(5):
            files[f"app/{part}/p{at}.py"] = "".join(f"from app.{part} import p{other}\n" for other in range(at))
    files["app/orders/p0.py"] = "from app.stock import p0\n"
    assert _found(files)["style.modular-monolith"].language == "python"
    library = {path: text for path, text in files.items() if path not in ("Dockerfile", "app/__main__.py")}
    assert "style.modular-monolith" not in _found(library)
    files["app/stock/p0.py"] = "from app.orders import p1\n"
    assert "style.modular-monolith" not in _found(files)


def test_ports_and_adapters_need_dependencies_that_point_to_the_domain() -> None:
    files = {f"app/{folder}/x.py": "from app.domain import core\n" for folder in ("adapters", "ports")}
    files |= {"app/__init__.py": "", "app/domain/__init__.py": "", "app/domain/core.py": ""}
    assert _found(files)["style.hexagonal"].confidence == 1
    assert "style.hexagonal" not in _found(files | {"app/domain/core.py": "from app.adapters import x\n"})


def test_habits_become_conventions_when_nearly_all_agree() -> None:
    function = (
        "def get_{at}_it() -> None:\n    try:\n        f()\n    except E as error:\n        raise F() from error\n"
    )
    files = {f"p/file_{at}.py": function.format(at=at) + f"from . import file_{at}\n" for at in range(30)}
    found = _found(files | {"p/__init__.py": ""})
    conventions = {
        "errors.chained",
        "imports.relative",
        "imports.explicit",
        "typing.returns",
        "naming.functions-snake-case",
    }
    assert conventions <= found.keys()
    assert found["errors.chained"].evidence == 32  # 30, coarse
    bare = {path: text.replace(" from error", "") for path, text in files.items()}
    assert "errors.unchained" in _found(bare)
    mixed = dict(list(files.items())[:15]) | dict(list(bare.items())[15:])
    assert not {"errors.chained", "errors.unchained"} & _found(mixed).keys()


def test_how_errors_are_passed_on_in_go() -> None:
    body = 'package p\nfunc F() error {\n\tif err != nil {\n\t\treturn fmt.Errorf("f: %w", err)\n\t}\n\treturn nil\n}\n'
    assert "errors.wrapped" in _found({f"p{at}/p.go": body for at in range(26)})
    bare = body.replace('fmt.Errorf("f: %w", err)', "err")
    assert "errors.passed-on" in _found({f"p{at}/p.go": bare for at in range(26)})


def test_tests_are_measured_against_the_code() -> None:
    code = {f"src/m{at}.ts": "" for at in range(20)}
    assert _found(code)["tests.few"].evidence == 20
    beside = _found(code | {f"src/m{at}.test.ts": "" for at in range(12)})["tests.many"]
    assert beside.measures == {"per_file": 0.6, "beside": 1}
    apart = _found(code | {f"tests/m{at}.ts": "" for at in range(4)})["tests.some"]
    assert apart.measures == {"per_file": 0.2, "beside": 0}


def test_a_family_without_typescript_is_called_javascript() -> None:
    files = {f"src/m{at}.js": f'export const a{at} = require("./m{at + 1}");\n' for at in range(30)}
    assert _found(files)["exports.named"].language == "javascript"
    assert _found(files | {"src/x.ts": ""})["exports.named"].language == "typescript"


def test_nothing_of_the_repository_is_in_what_is_published() -> None:
    files = {path.replace("x", "canary"): text.replace("x", "canary") for path, text in _layered().items()}
    files |= {"compose.yaml": "services:\n  canarydb:\n    image: canaryhost/canarysvc\n", "canary/Dockerfile": ""}
    files["pyproject.toml"] = '[project]\nname = "canary"\n[project.scripts]\ncanary = "canary:main"\n'
    evidence = evidence_of(files)
    assert not any("canary" in str(pattern) for pattern in architecture(evidence))
    assert "canary" in str(report(evidence).languages)


def test_a_little_more_code_changes_nothing() -> None:
    large = _package({f"m{at}": "from app import m0\n" for at in range(1, 300)}, 300)
    assert architecture(evidence_of(large)) == architecture(evidence_of(large | {"app/extra.py": ""}))


def test_hostile_documents_say_nothing() -> None:
    lists = '{"name": "b", "private": true, "exports": [[[]], {"import": 3}], "bin": []}'
    nasty = ("[" * 5000, "\0", lists, "= = =", "kind:\n" * 1000)
    names = ("package.json", "tsconfig.json", "pyproject.toml", "Cargo.toml", "go.mod", "mix.exs", "compose.yaml")
    for text in nasty:
        found = _found(
            dict.fromkeys(names, text)
            | {"a.ts": 'import "b/c";\nimport "b";\n', "b.rs": "use c::d;\n", "c.py": "import d\n"}
        )
        assert not any(name.startswith(("entry.", "service.")) for name in found)
