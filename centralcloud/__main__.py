"""`python -m centralcloud run`."""

from __future__ import annotations

import sys

from centralcloud.cli import centralcloud

if __name__ == "__main__":
    sys.exit(centralcloud())
