"""Commands run in this process, as somebody at a terminal would run them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click
from click.testing import CliRunner, Result

from shared.errors import Exit


def invoke(command: click.Command, *arguments: str) -> Result:
    """Run a command to its end."""
    return CliRunner().invoke(command, arguments)


def document(command: click.Command, *arguments: str) -> Any:
    """Run a command with --json; it must succeed, and its output be one document."""
    result = invoke(command, *arguments, "--json")
    assert result.exit_code == Exit.OK, result.output
    return json.loads(result.stdout)


async def invoked(command: click.Command, *arguments: str) -> Result:
    """Run a command in a thread of its own: it brings its own event loop."""
    return await asyncio.to_thread(invoke, command, *arguments)


async def documented(command: click.Command, *arguments: str) -> Any:
    """Run a command as `document` does, in a thread of its own."""
    return await asyncio.to_thread(document, command, *arguments)
