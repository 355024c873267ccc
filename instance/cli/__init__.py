"""The commands about one instance: what it runs as, what it found, what it was told."""

from instance.cli.instances import instance

__all__ = ["instance"]
