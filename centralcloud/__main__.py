"""`python -m centralcloud run`."""

from __future__ import annotations

import sys

from centralcloud.cli import centralcloud
from shared.commandline import run

if __name__ == "__main__":
    sys.exit(run(centralcloud, sys.argv[1:], "centralcloud"))
