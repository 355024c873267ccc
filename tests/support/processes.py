"""Running pieces of Python in processes that a test may kill, also as another user."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from shared.embedded.accounts import server_account
from shared.embedded.processes import identify

REPOSITORY = Path(__file__).resolve().parents[2]
_SITE_PACKAGES = Path(pytest.__file__).resolve().parents[1]
_PLAIN_USER = "nobody"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another account")


@contextmanager
def python(script: str, *arguments: object, plain_user: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run `script` in a new Python with the repository on its path; it and its session are killed at the end."""
    process = subprocess.Popen(
        [_plain_python() if plain_user else sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{_SITE_PACKAGES}"},
        start_new_session=True,
        **(_plain_account() if plain_user and os.geteuid() == 0 else {}),  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            stream.close()


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line the process prints, without its end; it must print one."""
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text, f"the process ended with {process.wait()} instead of printing a line"
    return text.strip()


def gone(pid: int) -> bool:
    """Tell whether no process runs under this id any more."""
    return identify(pid) is None


def give_to_plain_user(directory: Path) -> None:
    """Make the user that `plain_user` runs as the owner of `directory`."""
    if os.geteuid() == 0:
        os.chown(directory, pwd.getpwnam(_PLAIN_USER).pw_uid, -1)


def _plain_account() -> dict[str, object]:
    entry = pwd.getpwnam(_PLAIN_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@cache
def _plain_python() -> str:
    """Return a Python of this version that a plain user can run; skips the test when only root can."""
    if os.geteuid() != 0:
        return sys.executable
    account = server_account()
    for candidate in (Path(sys.executable), Path(f"/usr/bin/python3.{sys.version_info.minor}")):
        if candidate.exists() and account.closed_parent(candidate) is None:
            return str(candidate)
    pytest.skip("there is no Python of this version that a plain user may run")
