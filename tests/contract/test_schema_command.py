from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mesh import schema_cli
from mesh.contract import differences
from schemas.export import generated_files
from shared.errors import ContractError, Exit
from tests.contract.golden import PACKAGE


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A copy of the committed files that a test may spoil."""
    return shutil.copytree(PACKAGE, tmp_path / "schemas", ignore=shutil.ignore_patterns("__pycache__"))


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


SPOILS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "edited": (
        lambda root: rewrite(root / "json/receipt.schema.json", '"wm"', '"watermark"'),
        "json/receipt.schema.json",
        "differs from the code",
    ),
    "missing": (
        lambda root: (root / "asyncapi.json").unlink(),
        "asyncapi.json",
        "differs from the code",
    ),
    "left over": (
        lambda root: (root / "json/gone.schema.json").write_text("{}"),
        "json/gone.schema.json",
        "made by no code",
    ),
    "message removed": (
        lambda root: (root / "released/1/gone.schema.json").write_text("{}"),
        "released/1/gone.schema.json",
        "message removed",
    ),
    "field removed": (
        lambda root: rewrite(root / "released/1/receipt.schema.json", '"durable_wm"', '"durable"'),
        "released/1/receipt.schema.json",
        "field removed",
    ),
}


def test_the_committed_contract_is_in_order() -> None:
    assert differences(PACKAGE) == []


def test_every_message_is_in_the_first_release(committed: Path) -> None:
    released = {path.name for path in (committed / "released/1").iterdir()}
    assert released
    assert released <= {path.name for path in (committed / "json").iterdir()}


@pytest.mark.parametrize(("spoil", "file", "problem"), SPOILS.values(), ids=SPOILS.keys())
def test_whatever_is_out_of_order_is_named(
    committed: Path, spoil: Callable[[Path], object], file: str, problem: str
) -> None:
    spoil(committed)
    (found,) = differences(committed)
    assert found.file == file
    assert problem in found.problem


def test_check_says_so_when_all_agree() -> None:
    result = CliRunner().invoke(schema_cli.schema, ["check", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"ok": True, "differences": []}


def test_check_fails_with_the_differences(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_cli, "PACKAGE", committed)
    (committed / "asyncapi.json").unlink()
    result = CliRunner().invoke(schema_cli.schema, ["check", "--json"])
    assert [item["file"] for item in json.loads(result.stdout)["differences"]] == ["asyncapi.json"]
    assert isinstance(result.exception, ContractError)
    assert result.exception.exit_code == Exit.FAILED
    assert "asyncapi.json" in str(result.exception)


def test_export_writes_every_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(schema_cli.schema, ["export", "--directory", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["written"]) == len(generated_files())
    for name, text in generated_files().items():
        assert (tmp_path / name).read_bytes() == text
