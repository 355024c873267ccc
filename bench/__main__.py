"""`python -m bench [NAME...]`: run every benchmark, or only the named ones, in the order of their names."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def benchmarks() -> list[str]:
    """Names of the modules beside this one that have a `main()`."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    return [name for name in names if hasattr(import_module(f"bench.{name}"), "main")]


def main() -> None:
    """Run them; each prints its own table."""
    known = benchmarks()
    wanted = sys.argv[1:] or known
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(known)}")
    del sys.argv[1:]
    for name in wanted:
        print(f"== {name}", flush=True)
        import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
