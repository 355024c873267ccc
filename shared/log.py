"""Structured logs: readable on a terminal, one JSON object a line otherwise, optionally also to syslog."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import Any, Literal

import msgspec
import structlog

Format = Literal["auto", "console", "json"]

_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, level: str = "info", form: Format = "auto", syslog: str | None = None, **fields: str) -> None:
    """Set up logging of the whole process, once, to stderr; `fields` stand in every line."""
    structlog.contextvars.bind_contextvars(**fields)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_formatter(form))
    if syslog:
        handlers.append(_syslog_handler(syslog))
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    for noisy in ("apscheduler", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _formatter(form: Format) -> structlog.stdlib.ProcessorFormatter:
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    rendering: list[structlog.types.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        rendering.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        rendering += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=rendering)


def _to_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _syslog_handler(address: str) -> logging.Handler:
    host, colon, port = address.rpartition(":")
    target: str | tuple[str, int] = (host, int(port)) if colon and port.isdigit() else address
    handler = logging.handlers.SysLogHandler(address=target)
    handler.ident = "flocklore: "
    handler.setFormatter(_formatter("json"))
    return handler
