"""The golden messages: one real-looking example of every message and every event, never edited once released."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import schemas
from schemas.codec import MESSAGES
from schemas.events import AnyEvent

PACKAGE = Path(schemas.__file__).parent
EVENTS: dict[str, Any] = {kind.__struct_config__.tag: kind for kind in get_args(AnyEvent)}
NAMES = sorted(MESSAGES.keys() - {"event"} | EVENTS.keys())


def golden(name: str) -> bytes:
    """Bytes of one golden message."""
    return (PACKAGE / "golden" / f"{name}.json").read_bytes()


def message_name(name: str) -> str:
    """Name in `MESSAGES` of the type a golden message has: an event's is `event`."""
    return "event" if name in EVENTS else name
