from __future__ import annotations

from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
IMPORT_NAMES = ["schemas", "shared", "instance", "centralcloud", "mesh"]


@pytest.mark.parametrize("name", IMPORT_NAMES)
def test_no_other_distribution_ships_one_of_our_names(name: str) -> None:
    assert set(packages_distributions().get(name, ())) <= {"flocklore"}


@pytest.mark.parametrize("name", IMPORT_NAMES)
def test_our_names_are_found_here_and_marked_as_typed(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin == str(REPOSITORY / name / "__init__.py")
    assert (REPOSITORY / name / "py.typed").exists()
