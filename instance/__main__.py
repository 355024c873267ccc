"""`python -m instance run`."""

from __future__ import annotations

import sys

from instance.cli import instance

if __name__ == "__main__":
    sys.exit(instance())
