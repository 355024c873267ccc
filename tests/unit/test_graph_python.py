"""The import graph of Python: small trees, and installed packages against grimp."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

from instance.analysis.languages import PYTHON
from instance.analysis.parse import parse
from instance.learning.architecture.graph import graph
from instance.learning.architecture.outline import Need, Outline, Reach
from instance.learning.architecture.reading import outline
from tests.support.trees import edges_of, graph_of, outline_of


def test_imports_lead_to_submodules_and_to_what_packages_offer() -> None:
    assert edges_of(
        {
            "src/app/__init__.py": "from .core import run\n",
            "src/app/core.py": "from . import tools, __init__\nfrom app.deep import leaf, NAME\nimport json, os.path\n",
            "src/app/tools.py": "import app.deep.leaf as l\n",
            "src/app/deep/__init__.py": "NAME = 1\n",
            "src/app/deep/leaf.py": "from ..core import run\nfrom ..missing import x\n",
        }
    ) == {
        "src/app/__init__.py": ["src/app/core.py"],
        "src/app/core.py": [
            "src/app/__init__.py", "src/app/deep/__init__.py", "src/app/deep/leaf.py", "src/app/tools.py",
        ],
        "src/app/tools.py": ["src/app/deep/leaf.py"],
        "src/app/deep/leaf.py": ["src/app/core.py"],
    }  # fmt: skip


def test_what_serves_types_alone_is_no_dependency_and_what_a_function_imports_comes_later() -> None:
    found = graph_of(
        {
            "p/__init__.py": "",
            "p/a.py": "from __future__ import annotations\nimport typing\n"
            "if typing.TYPE_CHECKING:\n    from p.types import T\nelse:\n    from p.real import T\n"
            "def f():\n    from p import lazy\n    from p import eager\nfrom p import eager\n"
            "if not typing.TYPE_CHECKING:\n    import p.run\n",
            **{f"p/{name}.py": "" for name in ("types", "real", "lazy", "eager", "run")},
        }
    )
    assert found.needs["p/a.py"] == {
        "p/types.py": Reach.TYPES,
        "p/real.py": Reach.LOAD,
        "p/lazy.py": Reach.LATER,
        "p/eager.py": Reach.LOAD,
        "p/run.py": Reach.LOAD,
    }
    assert "p/types.py" not in found.edges["p/a.py"]
    assert "p/lazy.py" not in found.up_to(Reach.LOAD)["p/a.py"]


def test_each_source_root_comes_first_for_its_own_files() -> None:
    files = {
        "services/a/pyproject.toml": "", "services/a/main.py": "import settings\nimport shared_lib.tool\n",
        "services/a/settings.py": "", "services/b/pyproject.toml": "", "services/b/main.py": "import settings\n",
        "services/b/settings.py": "", "libs/x/pyproject.toml": "", "libs/x/src/shared_lib/__init__.py": "",
        "libs/x/src/shared_lib/tool.py": "", "libs/x/src/space/part.py": "import space.other\n",
        "libs/x/src/space/other.py": "",
    }  # fmt: skip
    assert edges_of(files) == {
        "services/a/main.py": ["libs/x/src/shared_lib/tool.py", "services/a/settings.py"],
        "services/b/main.py": ["services/b/settings.py"],
        "libs/x/src/space/part.py": ["libs/x/src/space/other.py"],
    }


def test_a_module_named_like_one_of_the_standard_library_is_not_mistaken_for_it() -> None:
    files = {"pkg/__init__.py": "", "pkg/logging.py": "", "pkg/a.py": "import logging, json\n", "tool/json.py": ""}
    assert edges_of(files) == {}


def test_what_names_the_repository_and_is_not_there_is_counted() -> None:
    found = graph_of(
        {"p/__init__.py": "", "p/a.py": "from p._version import v\nimport requests\nfrom p import b\n", "p/b.py": ""}
    )
    assert (found.found, found.missed) == (1, 1)
    assert found.resolved == 0.5


def test_an_outline_names_what_a_file_needs() -> None:
    found = outline_of("import a\nfrom b import c\n", "python")
    assert found.needs == (Need("a"), Need("b", ("c",)))


@pytest.mark.parametrize("package", ["sqlalchemy", "_pytest"])
def test_the_graph_of_an_installed_package_is_what_grimp_says(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    theirs = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    expected = {
        (one, two) for one in theirs.modules for two in theirs.find_modules_directly_imported_by(one) if one != two
    }
    outlines: dict[str, Outline] = {
        f"{package}/{file.relative_to(root).as_posix()}": outline(parse(file.read_bytes(), PYTHON))
        for file in root.rglob("*.py")
    }
    ours = graph(outlines, "python", {})
    found = {(_dotted(one), _dotted(two)) for one, targets in ours.edges.items() for two in targets}
    assert len(expected) > 200
    assert len(found & expected) / len(found) >= 0.99
    assert len(found & expected) / len(expected) >= 0.99


def _dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
