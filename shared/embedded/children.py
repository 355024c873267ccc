"""Child processes in a session of their own that never outlive the process that started them."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.embedded.logfiles import open_log
from shared.embedded.processes import ProcessIdentity, identify

_LEASH = Path(__file__).with_name("leash.py")


class Child:
    """A running child process, in its own session, so that a Ctrl-C at the terminal reaches only its parent.

    On Linux the child gets `death_signal` when this process ends for whatever reason, kill -9 included.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.identity = identify(process.pid) or ProcessIdentity(process.pid, "gone before it was seen")

    @classmethod
    def spawn(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        directory: Path = Path("/"),
        account: str | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        inherited: Sequence[int] = (),
    ) -> Child:
        """Start `command` (an absolute program and its arguments) with both outputs appended to `log`.

        It starts in `directory`, as the user `account` (only root may choose), and keeps the `inherited` descriptors.
        """
        leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), str(int(death_signal)), account or ""]
        with open_log(log) as output:

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    [*leash, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=directory,
                    env=dict(environment),
                    pass_fds=inherited,
                    start_new_session=True,
                )

            return cls(_spawning_thread().submit(start).result())

    @property
    def pid(self) -> int:
        """The process id; for signals use `stop`, for other processes to recognise it use `identity`."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_seconds: float) -> int:
        """Return the exit code of a child that ends by itself; killed if it has not by `timeout_seconds`."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def stop(self, polite: signal.Signals, timeout_seconds: float) -> int:
        """Send `polite`, wait up to `timeout_seconds`, then kill the whole session; return the exit code."""
        self._process.send_signal(polite)
        return self.wait(timeout_seconds)

    def kill(self) -> int:
        """Kill the child and what it started in its session, at once; return the exit code."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()


@functools.cache
def _spawning_thread() -> ThreadPoolExecutor:
    """One thread that starts every child and lives as long as this process.

    Linux sends the death signal when the *thread* that forked ends, so a passing worker thread must not fork.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")


# A forked copy of this process has no such thread and needs its own.
os.register_at_fork(after_in_child=_spawning_thread.cache_clear)
