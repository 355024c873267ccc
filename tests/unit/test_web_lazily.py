"""Who serves nothing does not pay for the libraries that serve."""

from __future__ import annotations

from tests.support.processes import line, python

IMPORTED = """
    import importlib, pkgutil, sys
    import centralcloud.daemon, centralcloud.cli, instance.daemon, instance.cli, mesh.cli, shared.restarting
    from mesh.cli import COMMANDS
    for lazy in COMMANDS.values():
        importlib.import_module(lazy.where.partition(":")[0])
    print(sorted({name.partition(".")[0] for name in sys.modules} & {"starlette", "uvicorn", "h11", "anyio"}))
"""


def test_daemons_and_commands_import_no_server() -> None:
    with python(IMPORTED) as process:
        assert line(process) == "[]"
