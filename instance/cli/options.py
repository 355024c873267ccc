"""Options several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

instance_option = click.option(
    "--instance", "instance_id", metavar="NAME", help="Which instance, where there are several (INSTANCE_ID)."
)
language_option = click.option("--language", help="Only of this language, such as python.")


def limit_option(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--limit`, at least one."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=default, show_default=True, help="At most so many."
    )
