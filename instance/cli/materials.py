"""Dependencies of a directory or of a CycloneDX document, printed for people and for tools."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from instance.agents.technologist import technologies_of
from instance.cli.mining import codebase_of
from instance.learning.technology.dependency import Dependency
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.purl import report
from instance.learning.technology.sbom import read_sbom, write_sbom
from shared.commandline import print_table
from shared.errors import UsageError


def of_directory(root: Path) -> Sequence[Dependency]:
    """Read the manifests and lock files below a directory."""
    return technologies_of(codebase_of(root)).dependencies


def read(path: Path) -> Sequence[Dependency]:
    """Read a CycloneDX document; raises `UsageError` when it is none."""
    try:
        return read_sbom(path.read_bytes())
    except UnreadableError as error:
        raise UsageError(f"{path}: {error}; give a CycloneDX document in JSON") from error


def print_dependencies(found: Sequence[Dependency], form: str, name: str) -> None:
    """Print them as a table, as package URLs, or as a CycloneDX document about `name`."""
    if form == "purl":
        for purl in report(found):
            click.echo(purl)
    elif form == "cyclonedx":
        sys.stdout.buffer.write(write_sbom(found, name, uuid4(), datetime.now(UTC)))
    else:
        print_table(
            ["ecosystem", "package", "asked for", "locked", "scope", "source"],
            [
                (one.ecosystem, one.name, one.spec or "-", one.version or "-", one.scope.value, one.source)
                for one in found
            ],
            empty="No manifest names a dependency.",
        )
