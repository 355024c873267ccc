"""`flocklore schema`: the wire contract as files, and whether the code still keeps it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

import schemas
from shared.errors import ContractError

PACKAGE: Final = Path(schemas.__file__).parent
"""Where the committed files are, also in an installed wheel."""


@click.group()
def schema() -> None:
    """Export and check the wire contract."""


@schema.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=PACKAGE,
    help="Where to write instead of the package itself.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def export(*, directory: Path, as_json: bool) -> None:
    """Write the JSON Schema of every message, and the AsyncAPI document."""
    from schemas.export import generated_files  # noqa: PLC0415 - other commands start without it

    files = {directory / name: text for name, text in generated_files().items()}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    if as_json:
        click.echo(json.dumps({"written": [str(path) for path in files]}))
    else:
        click.echo(f"{len(files)} files written below {directory}")


@schema.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def check(*, as_json: bool) -> None:
    """Compare the code with the committed files, and these with every released version."""
    from mesh.contract import differences  # noqa: PLC0415 - same

    found = differences(PACKAGE)
    if as_json:
        click.echo(json.dumps({"ok": not found, "differences": [item._asdict() for item in found]}))
    elif not found:
        click.echo("The code, the committed schemas and the released versions agree.")
    if found:
        lines = "\n".join(f"  {item.file} {item.path}: {item.problem}" for item in found)
        raise ContractError(f"the wire contract differs in {len(found)} places:\n{lines}")
