"""`python -m instance run`."""

from __future__ import annotations

import sys

from instance.cli import instance
from shared.commandline import run

if __name__ == "__main__":
    sys.exit(run(instance, sys.argv[1:], "instance"))
