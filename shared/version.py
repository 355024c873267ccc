"""The version of this release."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("flocklore")
except PackageNotFoundError:
    VERSION = "0+unknown"
