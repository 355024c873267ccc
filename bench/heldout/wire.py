"""Through the real path."""


def main() -> None:
    """Print."""
