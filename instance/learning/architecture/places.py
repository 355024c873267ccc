"""Where files lie: their directories, and which of them only accompany the code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from instance.learning.testfiles import is_test

_ASIDE = re.compile(
    r"(?:^|/)(?:examples?|_examples|docs?|fixtures|benches|benchmarks?)/"
    r"|^(?:bench|demos?|samples?|scripts|tools|playgrounds?)/"
    r"|(?:^|/)(?:setup\.py|build\.rs)$|(?:^|/)[^/]+\.config\.[cm]?[jt]s$|(?:^|/)\.[^/]+\.[cm]?[jt]s$"
    r"|(?:^|/)(?:mix|\.formatter|\.credo)\.exs$|(?:^|/)(?:config|priv)/(?:.*/)?[^/]*\.exs$"
)


def is_production(path: str) -> bool:
    """Tell whether a source file is part of what is shipped: no test, example, script or build file."""
    return not is_test(path) and _ASIDE.search(path) is None


def parent(path: str) -> str:
    """Return the directory a path lies in, "" for the root."""
    return path.rpartition("/")[0]


def parents(path: str) -> Iterator[str]:
    """Yield the directories around a path, from the nearest to the root ""."""
    while path:
        path = parent(path)
        yield path


def join(directory: str, relative: str) -> str | None:
    """Return a relative path made plain; None when it leads out of the repository."""
    parts = directory.split("/") if directory else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
