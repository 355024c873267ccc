"""Asking git, without network and without running anything a repository brings along."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from shared.errors import TransientError

_TIMEOUT_SECONDS: Final = 120.0
_SAFE: Final = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never",
    "-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "core.quotePath=true",
)  # fmt: skip


@dataclass(frozen=True)
class Git:
    """Git in one directory. An answer that does not come is a `TransientError`, never an empty answer."""

    root: Path

    def ask(self, *arguments: str, given: Iterable[str] = ()) -> str:
        """Return what a command says that cannot but succeed; it reads `given`, a line each."""
        done = self._run(arguments, given)
        if done.returncode:
            raise self._silence(arguments, done.stderr.decode("utf-8", "replace").strip())
        return done.stdout.decode("utf-8", "replace")

    def lines(self, *arguments: str, given: Iterable[str] = ()) -> list[str]:
        """Return what a command says, by lines."""
        return self.ask(*arguments, given=given).splitlines()

    def first(self, *arguments: str) -> str | None:
        """Return the first line of what a command says that fails where there is nothing."""
        done = self._run(arguments, ())
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return lines[0] if lines and not done.returncode else None

    def patches(self, command: Sequence[str], names: Sequence[str]) -> dict[str, str]:
        """Return the id of each patch a command shows, by its name; patches may be huge and are not kept."""
        if not names:
            return {}
        with TemporaryFile() as given:
            given.write(_joined(names))
            given.seek(0)
            with self._start(command, given) as showing, self._start(("patch-id", "--stable"), showing.stdout) as last:
                if showing.stdout is not None:
                    showing.stdout.close()  # or it would not hear that nobody reads any more
                try:
                    told, _ = last.communicate(timeout=_TIMEOUT_SECONDS)
                except subprocess.TimeoutExpired:
                    showing.kill()
                    last.kill()
                    raise self._silence(command, "it takes too long") from None
        if showing.returncode or last.returncode:
            raise self._silence(command, "it failed")
        return {name: patch for patch, name in (line.split() for line in told.decode("ascii").splitlines())}

    def _run(self, arguments: Sequence[str], given: Iterable[str]) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *_SAFE, *arguments],
                cwd=self.root,
                env=_environment(),
                input=_joined(given),
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._silence(arguments, str(error)) from error

    def _start(self, arguments: Sequence[str], given: IO[bytes] | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", *_SAFE, *arguments],
            cwd=self.root,
            env=_environment(),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _silence(self, arguments: Sequence[str], reason: str) -> TransientError:
        return TransientError(f"`git {arguments[0]}` in {self.root} did not answer ({reason}); it is asked again later")


def _joined(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return own | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
