"""`python -m bench [NAME... [OPTION...]]`: run every benchmark, or only the named ones, in the order of their names.

A missed expectation is printed and no failure; what is measured and turns out wrong raises `AssertionError`.
"""

from __future__ import annotations

import logging
import sys
import time
from importlib import import_module
from pathlib import Path

import structlog


def benchmarks() -> list[str]:
    """Names of the modules and packages beside this one that have a `main()`."""
    here = Path(__file__).parent
    names = sorted(
        path.stem for path in [*here.glob("[!_]*.py"), *(init.parent for init in here.glob("*/__init__.py"))]
    )
    return [name for name in names if hasattr(import_module(f"bench.{name}"), "main")]


def main() -> None:
    """Run them; each prints its own table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    known = benchmarks()
    wanted, options = _parted(sys.argv[1:])
    wanted = wanted or known
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(known)}")
    sys.argv[1:] = options
    for name in wanted:
        print(f"== {name}", flush=True)
        started_at = time.monotonic()
        import_module(f"bench.{name}").main()
        print(f"{time.monotonic() - started_at:.0f} s\n")


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part the names from the options that follow them; the named benchmarks read these."""
    first = next((at for at, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    return arguments[:first], arguments[first:]


if __name__ == "__main__":
    main()
