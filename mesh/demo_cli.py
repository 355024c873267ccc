"""`flocklore demo`."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--keep", is_flag=True, help="Keep the directory with data and logs.")
def demo(*, as_json: bool, keep: bool) -> None:
    """Play the whole story on real servers and real code; exit 0 when every promise held."""
    import time  # noqa: PLC0415 - as everything heavy, only when the command runs

    import msgspec  # noqa: PLC0415

    from mesh.demo.stage import stage  # noqa: PLC0415
    from mesh.demo.story import Story  # noqa: PLC0415
    from mesh.discovery import installed_workspaces  # noqa: PLC0415

    started = time.monotonic()
    played = []
    codebases = [(workspace.suggested, workspace.directory) for workspace in installed_workspaces(libraries=3)]
    with stage(keep=keep) as made:
        for chapter in Story(made, codebases).chapters():
            played.append(chapter())
            click.echo(
                f"{'ok  ' if played[-1].ok else 'FAIL'} {played[-1].title}: {_shown(played[-1].numbers)}", err=as_json
            )
        if keep:
            click.echo(f"kept in {made.directory}", err=True)
    ok = all(chapter.ok for chapter in played)
    if as_json:
        document = {"ok": ok, "seconds": round(time.monotonic() - started, 1), "chapters": played}
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    sys.exit(0 if ok else 1)


def _shown(numbers: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in numbers.items())
