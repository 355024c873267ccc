"""Become another program that dies with its parent. A script of its own: `python -I -S leash.py ...`.

Run between fork and exec instead of as a `preexec_fn`, which may deadlock in a process with threads.
Arguments: the parent's pid, the signal to die by, the account to become (or an empty string), the command.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PARENT_GONE = 75
_CANNOT_RUN = 127


def _become(account: str) -> None:
    entry = pwd.getpwnam(account)
    os.initgroups(account, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    # Armed too late when the parent is already gone: then nobody would ever send the signal.
    if os.getppid() != parent:
        sys.exit(_PARENT_GONE)


def main(arguments: list[str]) -> None:
    """Change account, arm the death signal (a change of account disarms it, so in this order), exec."""
    parent, death_signal, account, *command = arguments
    if account:
        _become(account)
    _die_with(int(parent), int(death_signal))
    # Python ignores these two and exec would pass that on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming another program is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(_CANNOT_RUN)


if __name__ == "__main__":
    main(sys.argv[1:])
