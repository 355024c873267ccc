"""What git knows of a work tree, asked without running anything the repository brings along."""

from __future__ import annotations

import os
import subprocess
from hashlib import blake2b
from pathlib import Path

_TIMEOUT_SECONDS = 120.0
# A repository's configuration may name programs; none of these is ours to run.
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")


def tracked_and_untracked(root: Path) -> list[str] | None:
    """Return the files git does not ignore (posix, relative to `root`); None outside a usable work tree."""
    output = _git(root, "ls-files", "-coz", "--exclude-standard", "--deduplicate")
    if not output:
        return None
    return [os.fsdecode(path) for path in output.split(b"\0") if path]


def repository_key(root: Path) -> str | None:
    """Return the same 32 hexadecimal digits for every full clone of one git repository; None when there is no such.

    The key is made of the root commits, which clones share whatever their URL, and of where `root` lies in the work
    tree. A shallow clone does not know its root commits, and a directory git ignores belongs to no repository.
    """
    if _git(root, "rev-parse", "--is-shallow-repository") != b"false\n" or not _git(root, "ls-files", "-z"):
        return None
    roots, place = _git(root, "rev-list", "--max-parents=0", "HEAD"), _git(root, "rev-parse", "--show-prefix")
    if not roots or place is None:
        return None
    return blake2b(b"\n".join([*sorted(roots.split()), place.rstrip(b"\n")]), digest_size=16).hexdigest()


def _git(root: Path, *arguments: str) -> bytes | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
